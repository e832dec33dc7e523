"""Simulated scrapes of monitors, minute by minute, and the alerts that promtool evaluates from them."""

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

RULES = Path(__file__).parents[2] / "helm" / "alerts.yaml"

RUNBOOKS = "https://runbooks.example.com/stackset-monitor"
PAGES = "https://stackset-monitor.example.com"

Value = float | None
"""None means that there is no sample."""
Alert = frozenset[tuple[str, str]]
"""Labels of a firing alert, including alertname, without severity."""


def alert(name: str, **labels: str) -> Alert:
    """Return an alert as the set of its labels."""
    return frozenset({"alertname": name, **labels}.items())


T = TypeVar("T")


class Timeline(Generic[T]):
    """A value that changes at certain minutes."""

    def __init__(self, changes: Mapping[int, T]) -> None:
        """Take the value from each minute on; the first minute must be 0."""
        self._changes = sorted(changes.items())

    def at(self, minute: int) -> T:
        """Return the value at a minute."""
        return next(value for start, value in reversed(self._changes) if start <= minute)


@dataclass(frozen=True)
class Product:
    """A provisioned product as one monitor exports it, polled every `interval` minutes."""

    id: str = "pp-aaaaaaaaaaaaa"
    name: str = "baseline"
    interval: int = 5
    counts: Mapping[int, Mapping[str, int] | None] = field(default_factory=lambda: {0: {"CURRENT": 20}})
    """Stack instances by status; None if no snapshot is exported."""
    instances: Mapping[tuple[str, str, str], Mapping[int, int | None]] = field(default_factory=dict)
    """Since-minute of each instance that is not CURRENT, by account, Region and status."""
    status: Mapping[int, str] = field(default_factory=lambda: {0: "AVAILABLE"})
    failing: Mapping[int, str | None] = field(default_factory=lambda: {0: None})
    """Reason why polls fail, or None."""
    skipped: Callable[[int], float] = lambda _: 0
    """Number of polls skipped because of an overrun, up to a minute."""
    present: Mapping[int, bool] = field(default_factory=lambda: {0: True})
    """Whether the configuration contains the product."""
    first: int = 1
    """Duration of the first poll in minutes."""
    names: Mapping[int, str] = field(default_factory=dict)
    """Names by minute if the product is renamed; otherwise `name`."""
    described: Mapping[int, bool] = field(default_factory=lambda: {0: True})
    """Whether the monitor may read the status of the product."""
    dropped: Mapping[int, int] = field(default_factory=lambda: {0: 0})
    """Number of instance series that are left out."""
    accepted: Mapping[tuple[str, str, str], Mapping[int, bool]] = field(default_factory=dict)
    """Whether the configuration accepts an instance, by account, Region and status."""
    detailed: Mapping[tuple[str, str], Mapping[int, str | None]] = field(default_factory=dict)
    """Detailed status of instances, by account and Region."""
    details: Mapping[int, bool] = field(default_factory=dict)
    """Whether the details can be read; empty without `details`."""


@dataclass(frozen=True)
class Monitor:
    """A monitor that Prometheus scrapes, or cannot scrape."""

    products: tuple[Product, ...] = (Product(),)
    instance: Mapping[int, str | None] = field(default_factory=lambda: {0: "10.0.0.1:9935"})
    """Address of the target; None while the monitor is down. A new address is a new pod."""
    job: str = "stackset-monitor"
    labels: Mapping[str, str] = field(default_factory=dict)
    """More labels of the target, for example `cluster` and `namespace`."""
    target: bool = True
    """Whether the target remains with `up` 0 while the monitor is down. The target of a deleted pod does not."""
    keeps_state: bool = True
    shard: int = 0
    shards: int = 1
    reloaded: Mapping[int, int] = field(default_factory=lambda: {0: 1})
    discovery: Mapping[int, bool] = field(default_factory=dict)
    """Whether the searches of source `hub`, every 15 minutes, succeed; empty means no searches."""
    searched: Mapping[int, bool] = field(default_factory=lambda: {0: True})
    """Whether the configuration contains `discover`, if `discovery` is not empty."""
    discovered: Mapping[int, int] = field(default_factory=lambda: {0: 20})
    """Number of products that a search finds."""
    errors: Callable[[int], float] = lambda _: 0
    """Number of throttled API calls up to a minute, of 10 calls a minute."""
    error_code: str = "ThrottlingException"
    """Error code of the throttled calls."""
    commits: Mapping[int, bool] = field(default_factory=lambda: {0: True})
    """Whether complete polls are written to the state."""
    state_errors: Callable[[int], float] = lambda _: 0
    """Number of state errors since the start, up to a minute."""
    lines_dropped: Callable[[int], float] = lambda _: 0
    """Number of lost log lines since the start, up to a minute."""


def assert_firing(
    monitors: tuple[Monitor, ...], expected: Mapping[int, set[Alert]], folder: Path, *, every: int = 1
) -> None:
    """Assert with promtool that exactly these alerts fire at these minutes.

    Scrapes and evaluations are `every` minutes apart: 4 for long scenarios, because Prometheus checks back 5 minutes
    for a sample.

    Raises:
        AssertionError: Other alerts fire; the message is the output of promtool.
    """
    checks = [
        {
            "expr": 'count without (severity) (ALERTS{alertstate="firing"})',
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": _labels({**dict(one), "alertstate": "firing"}), "value": 1} for one in alerts],
        }
        for minute, alerts in expected.items()
    ]
    _promtool(monitors, range(0, max(expected) + 1, every), {"promql_expr_test": checks}, folder)


def assert_value(monitors: tuple[Monitor, ...], minute: int, expression: str, value: float, folder: Path) -> None:
    """Assert with promtool that an expression without labels has this value at a minute."""
    check = {"expr": expression, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": value}]}
    _promtool(monitors, range(minute + 1), {"promql_expr_test": [check]}, folder)


def assert_texts(
    monitors: tuple[Monitor, ...],
    minute: int,
    one: Alert,
    severity: str,
    summary: str,
    description: str,
    folder: Path,
) -> None:
    """Assert with promtool the texts and links of the only alert of its name, about a product, at a minute."""
    labels = dict(one)
    name = labels.pop("alertname")
    page = f"{PAGES}/products/{labels['provisioned_product_id']}"
    annotations = {
        "summary": summary,
        "description": description,
        "monitor_url": page,
        "runbook_url": f"{RUNBOOKS}/{name}",
    }
    expected = {"exp_labels": {**labels, "severity": severity}, "exp_annotations": annotations}
    checks = [{"eval_time": f"{minute}m", "alertname": name, "exp_alerts": [expected]}]
    _promtool(monitors, range(minute + 1), {"alert_rule_test": checks}, folder)


def _promtool(monitors: tuple[Monitor, ...], minutes: range, checks: Mapping[str, object], folder: Path) -> None:
    series = [
        {"series": name, "values": " ".join(_values(values))} for name, values in _series(monitors, minutes).items()
    ]
    interval = f"{minutes.step}m"
    path = folder / "alerts.test.yaml"
    tests = [{"interval": interval, "input_series": series, **checks}]
    path.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": interval, "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{name}={json.dumps(value)}" for name, value in sorted(labels.items())) + "}"


def _values(values: list[Value]) -> list[str]:
    """Return samples in the notation of promtool; a series that ends gets one stale marker, as after a scrape."""
    written = []
    for before, value in zip([None, *values], values, strict=False):
        written.append(repr(value) if value is not None else "stale" if before is not None else "_")
    return written


def _series(monitors: tuple[Monitor, ...], minutes: range) -> dict[str, list[Value]]:
    found: dict[str, list[Value]] = {}
    for place, minute in enumerate(minutes):
        for monitor in monitors:
            for name, value in _scrape(monitor, minute).items():
                found.setdefault(name, [None] * len(minutes))[place] = value
    return found


def _scrape(monitor: Monitor, minute: int) -> dict[str, float]:
    """Return the series of one scrape, and `up`."""
    places = Timeline(monitor.instance)
    instance = places.at(minute)
    last = next((place for at in range(minute, -1, -1) if (place := places.at(at))), None)
    where = {"job": monitor.job, "instance": instance or last or "10.0.0.1:9935", **monitor.labels}
    if instance is None:
        return {"up" + _labels(where): 0} if monitor.target else {}
    start = next((at + 1 for at in range(minute, -1, -1) if places.at(at) != instance), 0)
    own = {
        "up": 1,
        'stackset_monitor_build_info{version="1"}': 1,
        "stackset_monitor_shard_ordinal": monitor.shard,
        "stackset_monitor_shards": monitor.shards,
        "stackset_monitor_config_last_reload_successful": Timeline(monitor.reloaded).at(minute),
        "stackset_monitor_config_last_reload_success_timestamp_seconds": 60 * start,
        'servicecatalog_api_requests_total{operation="List",source="hub"}': 10 * (minute - start),
        f'servicecatalog_api_errors_total{{operation="List",source="hub",code="{monitor.error_code}"}}': (
            monitor.errors(minute) - monitor.errors(start)
        ),
        "stackset_monitor_state_errors_total": monitor.state_errors(minute),
        "stackset_monitor_log_lines_dropped_total": monitor.lines_dropped(minute),
        "stackset_monitor_state_last_commit_timestamp_seconds": _last_commit(monitor, minute, start),
    }
    if monitor.discovery and Timeline(monitor.searched).at(minute):
        found = [at for at in range(start + 1, minute + 1, 15) if Timeline(monitor.discovery).at(at)]
        own['servicecatalog_discovery_last_success_timestamp_seconds{source="hub"}'] = 60 * max(found, default=0)
        own['servicecatalog_discovery_interval_seconds{source="hub"}'] = 900
        products = Timeline(monitor.discovered).at(max(found)) if found else 0
        own['servicecatalog_discovered_products{source="hub"}'] = products
    for product in monitor.products:
        if Timeline(product.present).at(minute):
            own |= _product(product, minute, start, keeps_state=monitor.keeps_state or start == 0)
    return {_with(name, where): value for name, value in own.items()}


def _last_commit(monitor: Monitor, minute: int, start: int) -> float:
    """Return the time of the last commit since the start: that of the last poll while commits succeed, otherwise 0."""
    commits = Timeline(monitor.commits)
    committed = (at for at in range(minute, start, -1) if commits.at(at) and at >= start + 1)
    return 60 * next(committed, 0)


def _product(product: Product, minute: int, start: int, *, keeps_state: bool) -> dict[str, float]:
    names = Timeline({0: product.name, **product.names})
    labels = {"provisioned_product_id": product.id, "provisioned_product_name": names.at(minute)}

    def name(metric: str, **more: str) -> str:
        return metric + _labels({**labels, **more})

    present = Timeline(product.present)
    grid = (at for at in range(minute + 1) if at % product.interval == 1 % product.interval and present.at(at))
    appeared = next(at for at in range(minute + 1) if present.at(at))
    polls = [at for at in grid if at >= appeared + product.first]
    here = [at for at in (max(start, appeared) + product.first, *polls) if start < at <= minute]
    failing = Timeline(product.failing)
    complete = [at for at in (polls if keeps_state else here) if failing.at(at) is None]
    reason = failing.at(max(here)) if here else None
    shown = {
        name("servicecatalog_up"): int(bool(here) and reason is None),
        name("servicecatalog_polls_total"): len(here),
        name("servicecatalog_poll_last_success_timestamp_seconds"): 60 * max(complete, default=0),
        name("servicecatalog_poll_interval_seconds"): 60 * product.interval,
        name("servicecatalog_polls_skipped_total", reason="overrun"): product.skipped(minute) - product.skipped(start),
        name("servicecatalog_instance_series_dropped"): Timeline(product.dropped).at(minute),
    }
    if reason is not None:
        shown[name("servicecatalog_poll_failing", reason=reason)] = 1
    counts = Timeline(product.counts).at(minute)
    if counts is not None and complete:
        for status in {"CURRENT": 0, "OUTDATED": 0, "INOPERABLE": 0, **counts}:
            shown[name("servicecatalog_stack_instances", status=status)] = counts.get(status, 0)
        shown |= _statuses(product, minute, name)
        shown |= _details(product, minute, name)
        for (account, region, status), times in product.instances.items():
            since = Timeline({0: None, **times}).at(minute)
            if since is not None:
                metric = "servicecatalog_stack_instance_status_since_timestamp_seconds"
                shown[name(metric, account=account, region=region, status=status)] = 60 * since
    return {series: float(value) for series, value in shown.items()}


def _details(product: Product, minute: int, name: Callable[..., str]) -> dict[str, float]:
    shown: dict[str, float] = {}
    accepted = [key for key, times in product.accepted.items() if Timeline({0: False, **times}).at(minute)]
    for account, region, status in accepted:
        shown[name("servicecatalog_stack_instance_accepted", account=account, region=region)] = 1
        counted = name("servicecatalog_stack_instances_accepted", status=status)
        shown[counted] = shown.get(counted, 0) + 1
    for (account, region), times in product.detailed.items():
        if detailed := Timeline({0: None, **times}).at(minute):
            metric = "servicecatalog_stack_instance_detailed_status"
            shown[name(metric, account=account, region=region, detailed_status=detailed)] = 1
    if product.details:
        shown[name("servicecatalog_details_up")] = int(Timeline(product.details).at(minute))
    return shown


def _statuses(product: Product, minute: int, name: Callable[..., str]) -> dict[str, float]:
    if not Timeline(product.described).at(minute):
        return {}
    now = Timeline(product.status).at(minute)
    statuses = {"AVAILABLE", "UNDER_CHANGE", "TAINTED", "ERROR", "PLAN_IN_PROGRESS", now}
    return {name("servicecatalog_provisioned_product_status", status=one): int(one == now) for one in statuses}


def _with(series: str, labels: Mapping[str, str]) -> str:
    more = _labels(labels)[1:]
    return series[:-1] + "," + more if series.endswith("}") else series + "{" + more
