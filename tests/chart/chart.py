"""The chart, rendered by the Helm engine, as text and as objects."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from helm_python.chart import Chart

CHART = Path(__file__).parents[2] / "helm"
CASES = {"defaults": None, **{path.stem.removesuffix("-values"): path for path in sorted(CHART.glob("ci/*.yaml"))}}
"""Files of values that each test of the output uses, by name."""

IMAGE = {"repository": "registry.example.com/stackset-monitor"}
"""The values of `image` that each installation needs. `rendered` adds them."""

Manifest = dict[str, Any]


def values(case: str) -> dict[str, Any]:
    """Return the values of a case."""
    path = CASES[case]
    return yaml.safe_load(path.read_text()) if path else {}


def rendered(given: dict[str, Any]) -> dict[str, str]:
    """Return the text of each template that is not empty, for release `demo` in namespace `aws`.

    Raises:
        HelmError: Helm refuses the values.
    """
    with Chart.load(CHART) as chart:
        texts = chart.render({"image": IMAGE, **given}, name="demo", namespace="aws")
    return {name.partition("/templates/")[2]: text for name, text in sorted(texts.items()) if text.strip()}


def manifests(given: dict[str, Any]) -> list[Manifest]:
    """Return all objects that the chart renders from values."""
    return list(_objects(rendered(given)))


def manifest(given: dict[str, Any], kind: str, name: str | None = None) -> Manifest:
    """Return the only object of a kind, or the one with a name."""
    (found,) = (
        one for one in manifests(given) if one["kind"] == kind and (name is None or one["metadata"]["name"] == name)
    )
    return found


def container(given: dict[str, Any]) -> Manifest:
    """Return the container of the monitor."""
    found: Manifest = manifest(given, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    return found


def pods(objects: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Return the specification of each pod, with the name of its object."""
    for one in objects:
        if one["kind"] == "Pod":
            yield one["metadata"]["name"], one["spec"]
        elif one["kind"] in {"StatefulSet", "Deployment", "Job"}:
            yield one["metadata"]["name"], one["spec"]["template"]["spec"]


def _objects(texts: dict[str, str]) -> Iterator[Manifest]:
    for name, text in texts.items():
        if not name.endswith(".txt"):
            yield from (one for one in yaml.safe_load_all(text) if one is not None)
