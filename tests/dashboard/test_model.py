"""The dashboard is valid for the model of the oldest supported Grafana."""

import json
from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.dashboard.dashboard import DASHBOARD

BESIDE_THE_MODEL = {
    "annotations.list.builtIn",
    "annotations.list.step",
    "annotations.list.textFormat",
    "annotations.list.titleFormat",
    "templating.list.definition",
}
"""Keys that Grafana itself writes, and that its model does not contain."""


def through_the_model(dashboard: dict[str, Any]) -> Any:
    """Return the dashboard after parsing and encoding it with the model of Grafana."""
    register_default_plugins()
    model = Dashboard.from_json(json.loads(json.dumps(dashboard)))
    return json.loads(JSONEncoder(sort_keys=True).encode(model))


def lost(given: object, kept: object, place: str = "") -> Iterator[str]:
    """Yield the path of each value that the model does not keep; defaults that it adds are ignored."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            yield from lost(value, kept.get(key, lost), f"{place}.{key}".removeprefix("."))
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for one, other in zip(given, kept, strict=True):
            yield from lost(one, other, place)
    elif given != kept:
        yield place


def test_model_keeps_every_value() -> None:
    """Grafana would silently ignore a misspelled key, or a key of another kind of panel."""
    assert set(lost(DASHBOARD, through_the_model(DASHBOARD))) == BESIDE_THE_MODEL


def test_unknown_keys_are_detected() -> None:
    """The test above would detect unknown keys in a panel, in its options and in a query."""
    wrong = json.loads(json.dumps(DASHBOARD))
    stat = next(panel for panel in wrong["panels"] if panel["type"] == "stat")
    stat["descripton"] = "-"
    stat["options"]["colourMode"] = "value"
    stat["targets"][0]["legend"] = "-"
    found = set(lost(wrong, through_the_model(wrong))) - BESIDE_THE_MODEL
    assert found == {"panels.descripton", "panels.options.colourMode", "panels.targets.legend"}
