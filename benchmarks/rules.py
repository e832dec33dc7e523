"""The time that a real Prometheus needs to evaluate the shipped rules, compared with two minimal alerts."""

import json
import tempfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.fleets import Fleet
from benchmarks.servers import daemon
from monitor.model.instances import Status
from tests.e2e.process import eventually
from tests.e2e.prometheus import Prometheus, prometheus

SHIPPED = Path(__file__).parents[1] / "helm" / "alerts.yaml"
PLAIN = "plain"
"""The group of two alerts that select instances by status."""


def measure(
    fleet: Fleet, runs: int, status: Status | None = None, *, interval: str = "10s"
) -> tuple[Sequence[float], Sequence[float]]:
    """Return the seconds of evaluations of the shipped rules and of the plain ones, in the same Prometheus.

    If `status` is given, all instances have it.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fleet.store(folder / "monitor.db", dict.fromkeys(fleet.statuses(), status) if status else None)
        with (
            daemon(fleet.configuration(folder)) as process,
            prometheus(
                process.url.removeprefix("http://"), folder, interval=interval, evaluation_interval=interval
            ) as server,
        ):
            if not eventually(lambda: bool(server.value("scrape_samples_scraped")), 60):
                raise RuntimeError("Prometheus found no samples")
            server.load_rules(_rules())
            taken: list[tuple[float, float]] = []
            seen: list[str] = []
            while len(taken) < runs + 1:  # the first evaluation writes no alerts
                before = seen
                if not eventually(lambda: _evaluated(server, before), 180):  # noqa: B023 - called at once
                    raise RuntimeError("Prometheus evaluated no rules")
                groups = _groups(server)
                seen = [group["lastEvaluation"] for group in groups]
                plain = sum(group["evaluationTime"] for group in groups if group["name"] == PLAIN)
                taken.append((sum(group["evaluationTime"] for group in groups) - plain, plain))
    return [ours for ours, _ in taken[1:]], [plain for _, plain in taken[1:]]


def _evaluated(server: Prometheus, seen: Sequence[str]) -> bool:
    """Return whether each group was evaluated after the given evaluations."""
    groups = _groups(server)
    now = [group["lastEvaluation"] for group in groups if group["evaluationTime"] > 0]
    return len(now) == len(groups) > 0 and not set(now) & set(seen)


def _groups(server: Prometheus) -> Sequence[dict[str, Any]]:
    with urllib.request.urlopen(f"http://{server.address}/api/v1/rules", timeout=60) as answer:
        found: Sequence[dict[str, Any]] = json.load(answer)["data"]["groups"]
        return found


def _rules() -> str:
    groups = yaml.safe_load(SHIPPED.read_text())["groups"]
    alerts = [
        rule
        for group in groups
        for rule in group["rules"]
        if rule.get("alert") in {"StackInstanceInoperable", "StackInstanceOutdated"}
    ]
    plain = [
        {**rule, "expr": f'servicecatalog_stack_instance_status{{status="{status}"}} == 1'}
        for rule, status in zip(alerts, ("INOPERABLE", "OUTDATED"), strict=True)
    ]
    return yaml.safe_dump({"groups": [*groups, {"name": PLAIN, "rules": plain}]})
