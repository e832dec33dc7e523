"""What an evaluation of the shipped rules takes a real Prometheus, beside two alerts as one would write them."""

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
"""A group that looks at the status of every instance, and holds nothing."""


def measure(
    fleet: Fleet, runs: int, status: Status | None = None, *, interval: str = "10s"
) -> tuple[Sequence[float], Sequence[float]]:
    """Return the seconds of evaluations of our rules and of the plain ones, in the same Prometheus.

    With a status, every instance has it.
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
                raise RuntimeError("Prometheus has found nothing")
            server.load_rules(_rules())
            taken: list[tuple[float, float]] = []
            seen: list[str] = []
            while len(taken) < runs + 1:  # the first evaluation has no alerts to write yet
                before = seen
                if not eventually(lambda: _ended(server, before), 180):  # noqa: B023 - called at once
                    raise RuntimeError("Prometheus does not evaluate")
                groups = _groups(server)
                seen = [group["lastEvaluation"] for group in groups]
                plain = sum(group["evaluationTime"] for group in groups if group["name"] == PLAIN)
                taken.append((sum(group["evaluationTime"] for group in groups) - plain, plain))
    return [ours for ours, _ in taken[1:]], [plain for _, plain in taken[1:]]


def _ended(server: Prometheus, seen: Sequence[str]) -> bool:
    """Say whether each group has been evaluated since then."""
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
