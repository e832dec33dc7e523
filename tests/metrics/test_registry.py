"""The metrics about the monitor itself."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.metrics.registry import MonitorMetrics
from monitor.model.errors import Reason

OPERATION = "ListStackInstancesForProvisionedProduct"


def samples(monitor_metrics: MonitorMetrics) -> dict[tuple[str, ...], float]:
    """Return all samples by name and labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(monitor_metrics.render(False).decode())  # noqa: FBT003
        for sample in family.samples
    }


def test_known_series_start_at_zero() -> None:
    """The rate of an event that has not happened yet is 0 instead of undefined."""
    monitor_metrics = MonitorMetrics(version="1.2.3", revision="abc")
    monitor_metrics.source("hub", [OPERATION])
    found = samples(monitor_metrics)
    assert found["servicecatalog_api_requests_total", OPERATION, "hub"] == 0
    assert found["servicecatalog_api_request_duration_seconds_count", OPERATION, "hub"] == 0
    assert found["servicecatalog_api_budget_wait_seconds_total", "hub"] == 0
    assert found["stackset_monitor_state_errors_total",] == 0
    assert found["stackset_monitor_state_last_commit_timestamp_seconds",] == 0


def test_attempts_failures_and_waits_are_counted_by_source() -> None:
    """The numbers of one source do not change those of another."""
    monitor_metrics = MonitorMetrics(version="1.2.3", revision="abc")
    hub, other = monitor_metrics.source("hub", [OPERATION]), monitor_metrics.source("other", [OPERATION])
    hub.attempted(OPERATION, 0.2)
    hub.attempted(OPERATION, 3.0)
    hub.failed(OPERATION, "ThrottlingException")
    hub.waited(1.5)
    hub.rate_limited(5.0, 10.0)
    other.attempted(OPERATION, 0.01)
    found = samples(monitor_metrics)
    assert found["servicecatalog_api_requests_total", OPERATION, "hub"] == 2
    assert found["servicecatalog_api_requests_total", OPERATION, "other"] == 1
    assert found["servicecatalog_api_errors_total", "ThrottlingException", OPERATION, "hub"] == 1
    assert found["servicecatalog_api_request_duration_seconds_sum", OPERATION, "hub"] == 3.2
    assert found["servicecatalog_api_request_duration_seconds_bucket", "0.25", OPERATION, "hub"] == 1
    assert found["servicecatalog_api_budget_wait_seconds_total", "hub"] == 1.5
    assert found["servicecatalog_api_rate_limit_calls_per_second", "hub"] == 5.0


def test_a_refused_configuration_is_visible() -> None:
    """The gauge is 0, and the time of the last valid configuration stays."""
    monitor_metrics = MonitorMetrics(version="1.2.3", revision="abc")
    monitor_metrics.config_loaded()
    before = samples(monitor_metrics)
    monitor_metrics.config_refused()
    after = samples(monitor_metrics)
    time = ("stackset_monitor_config_last_reload_success_timestamp_seconds",)
    assert (before["stackset_monitor_config_last_reload_successful",], before[time] > 1.7e9) == (1, True)
    assert (after["stackset_monitor_config_last_reload_successful",], after[time]) == (0, before[time])


def test_process_and_python_metrics_are_included() -> None:
    """The names are the standard ones of client libraries."""
    names = {name for name, *_ in samples(MonitorMetrics(version="1.2.3", revision="abc"))}
    assert {"process_resident_memory_bytes", "process_open_fds", "python_info"} <= names


@pytest.mark.parametrize("openmetrics", [False, True])
def test_nothing_has_a_created_series(openmetrics: bool) -> None:
    """The `_created` series of prometheus_client would double the number of series."""
    monitor_metrics = MonitorMetrics(version="1.2.3", revision="abc")
    monitor_metrics.source("hub", [OPERATION])
    assert b"_created" not in monitor_metrics.render(openmetrics)


def test_a_source_that_is_removed_loses_its_series_for_good() -> None:
    """A request that ends later does not bring them back; other sources, and a new one of that name, have series."""
    monitor_metrics = MonitorMetrics(version="1", revision="")
    removed, other = monitor_metrics.source("removed", ["List"]), monitor_metrics.source("other", ["List"])
    monitor_metrics.discovering("removed", 900.0)
    assert samples(monitor_metrics)["servicecatalog_discovery_interval_seconds", "removed"] == 900
    monitor_metrics.discovery_failed("removed", Reason.TIMEOUT)
    removed.failed("List", "Code")
    monitor_metrics.remove_source("removed")
    removed.attempted("List", 0.1)
    removed.failed("List", "Code")
    removed.waited(0.1)
    other.attempted("List", 0.1)
    assert b'"removed"' not in monitor_metrics.render(openmetrics=False)
    assert b'servicecatalog_api_requests_total{operation="List",source="other"} 1.0' in monitor_metrics.render(False)  # noqa: FBT003
    monitor_metrics.source("removed", ["List"]).attempted("List", 0.1)
    assert b'source="removed"} 1.0' in monitor_metrics.render(openmetrics=False)


def test_a_discovery_that_is_removed_loses_its_series_for_good() -> None:
    """The source keeps its other series; a search that ends later does not bring those of discovery back."""
    monitor_metrics = MonitorMetrics(version="1", revision="")
    monitor_metrics.source("hub", ["List"])
    monitor_metrics.discovering("hub", 900.0)
    monitor_metrics.discovered("hub", 3, 0)
    monitor_metrics.remove_discovery("hub")
    monitor_metrics.discovered("hub", 3, 0)
    monitor_metrics.discovery_failed("hub", Reason.TIMEOUT)
    names = {name for name, *labels in samples(monitor_metrics) if "hub" in labels}
    assert names
    assert not [name for name in names if "discover" in name]
