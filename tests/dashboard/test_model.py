"""The dashboard in Grafana's own model of one, as the oldest Grafana that it is for has it."""

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
"""What Grafana writes itself, though its model does not have it."""


def through_the_model(dashboard: dict[str, Any]) -> Any:
    """Return what Grafana's model keeps of a dashboard."""
    register_default_plugins()
    model = Dashboard.from_json(json.loads(json.dumps(dashboard)))
    return json.loads(JSONEncoder(sort_keys=True).encode(model))


def lost(given: object, kept: object, place: str = "") -> Iterator[str]:
    """Return the place of each value that was given and is not kept; what the model adds are its defaults."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            yield from lost(value, kept.get(key, lost), f"{place}.{key}".removeprefix("."))
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for one, other in zip(given, kept, strict=True):
            yield from lost(one, other, place)
    elif given != kept:
        yield place


def test_grafana_knows_each_key_and_each_value() -> None:
    """A key that is misspelt, or of another kind of panel, would be lost on the way, and nobody would say so."""
    assert set(lost(DASHBOARD, through_the_model(DASHBOARD))) == BESIDE_THE_MODEL


def test_a_key_that_grafana_does_not_know_is_seen() -> None:
    """The test above sees it, in a panel, its options and a query."""
    wrong = json.loads(json.dumps(DASHBOARD))
    stat = next(panel for panel in wrong["panels"] if panel["type"] == "stat")
    stat["descripton"] = "-"
    stat["options"]["colourMode"] = "value"
    stat["targets"][0]["legend"] = "-"
    found = set(lost(wrong, through_the_model(wrong))) - BESIDE_THE_MODEL
    assert found == {"panels.descripton", "panels.options.colourMode", "panels.targets.legend"}
