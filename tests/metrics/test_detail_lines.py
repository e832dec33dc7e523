"""The metrics that explain instances: detailed status, accepted instances, drift and the rollout."""

from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from monitor.config.settings import InstanceSeries, SeriesOptions
from monitor.metrics.cache import MetricsCache
from monitor.model.accepted import Acceptance
from monitor.model.details import InstanceDetail, Operation, Progress, StackSetDetails
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Status
from monitor.poller.protocols import CompletedPoll, FailedPoll, StoredProduct
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, THREE, TWO, US, baseline, listing, monitored

FLEET = {
    (ONE, EU): Status.CURRENT,
    (ONE, US): Status.OUTDATED,
    (TWO, EU): Status.OUTDATED,
    (TWO, US): Status.INOPERABLE,
    (THREE, EU): Status.OUTDATED,
}
SUSPENDED = InstanceDetail("SKIPPED_SUSPENDED_ACCOUNT")
DETAILS = StackSetDetails(
    {(THREE, EU): SUSPENDED, (ONE, US): InstanceDetail("FAILED", "no quota")},
    {"DRIFTED": 1, "IN_SYNC": 2, "NOT_CHECKED": 2, "UNKNOWN": 0},
    Operation("op-1", "UPDATE", "RUNNING", "", EPOCH, None, Progress(5, 1, 2)),
)
ACCEPTED = Acceptance(TWO, frozenset({Status.OUTDATED}), EPOCH.date(), "being closed")


def poll(details: StackSetDetails | None = None) -> CompletedPoll:
    """Return the first poll of the fleet."""
    change = replace(baseline(FLEET), details=details)
    return CompletedPoll(monitored(), change, listing(FLEET), 1.0, committed=True)


def cache(*accepted: Acceptance, options: SeriesOptions | None = None) -> MetricsCache:
    """Return a cache without products."""
    return MetricsCache(options or SeriesOptions(), lambda _: b"", accepted)


def samples(shown: MetricsCache, name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of a family by the values of their labels after the two of the product."""
    exposition = b"".join(shown.exposition(openmetrics=False).text()).decode()
    return {
        tuple(sample.labels.values())[2:]: sample.value
        for family in parse_text(exposition)
        for sample in family.samples
        if sample.name == f"servicecatalog_{name}"
    }


def test_a_detailed_status_tells_suspended_accounts_from_failures() -> None:
    """Each explained instance has one series; the others have none."""
    shown = cache()
    shown.completed(poll(DETAILS))
    assert samples(shown, "stack_instance_detailed_status") == {
        (ONE, US, "FAILED"): 1,
        (THREE, EU, "SKIPPED_SUSPENDED_ACCOUNT"): 1,
    }
    assert samples(shown, "details_up") == {(): 1}


def test_a_rollout_has_its_progress_and_its_times() -> None:
    """There is no end while it is running."""
    shown = cache()
    shown.completed(poll(DETAILS))
    assert samples(shown, "rollout_instances") == {("succeeded",): 1, ("failed",): 2, ("remaining",): 2}
    assert samples(shown, "rollout_start_timestamp_seconds") == {(): EPOCH.timestamp()}
    assert samples(shown, "rollout_end_timestamp_seconds") == {}
    assert DETAILS.operation is not None
    ended = replace(DETAILS, operation=replace(DETAILS.operation, status="FAILED", ended_at=LATER))
    shown.completed(poll(ended))
    assert samples(shown, "rollout_end_timestamp_seconds") == {(): LATER.timestamp()}
    assert samples(shown, "stack_instances_by_drift_status")["DRIFTED",] == 1


def test_a_failure_to_read_details_is_a_value() -> None:
    """What is known stays; nothing is invented."""
    shown = cache()
    shown.completed(poll(replace(DETAILS, error=PollFailedError(Reason.ACCESS_DENIED, "AccessDenied", "no"))))
    assert samples(shown, "details_up") == {(): 0}
    assert len(samples(shown, "stack_instance_detailed_status")) == 2


def test_a_source_without_details_has_no_series_of_them() -> None:
    """A product without series would otherwise look as if its details failed."""
    shown = cache()
    shown.completed(poll())
    for name in ("details_up", "rollout_instances", "stack_instances_by_drift_status"):
        assert samples(shown, name) == {}


def test_accepted_instances_are_counted_and_marked() -> None:
    """Account, status and day must match; every status has a count, so that it can be subtracted."""
    shown = cache(ACCEPTED)
    shown.completed(poll())
    assert samples(shown, "stack_instance_accepted") == {(TWO, EU): 1}
    assert samples(shown, "stack_instances_accepted") == {("CURRENT",): 0, ("OUTDATED",): 1, ("INOPERABLE",): 0}


@pytest.mark.parametrize(
    ("entry", "accepted"),
    [
        (replace(ACCEPTED, statuses=frozenset({Status.OUTDATED, Status.INOPERABLE})), {(TWO, EU), (TWO, US)}),
        (replace(ACCEPTED, region=EU), {(TWO, EU)}),
        (replace(ACCEPTED, region=US), set()),
        (replace(ACCEPTED, product=BASELINE.id), {(TWO, EU)}),
        (replace(ACCEPTED, product=BASELINE.name), {(TWO, EU)}),
        (replace(ACCEPTED, product="another"), set()),
        (replace(ACCEPTED, account="4" * 12), set()),
        (replace(ACCEPTED, until=EPOCH.date() - timedelta(days=1)), set()),
    ],
)
def test_what_an_entry_accepts(entry: Acceptance, accepted: set[tuple[str, str]]) -> None:
    """Region and product are optional; an entry that has expired accepts nothing."""
    shown = cache(entry)
    shown.completed(poll())
    assert samples(shown, "stack_instance_accepted").keys() == accepted


def test_another_configuration_accepts_other_instances_at_once() -> None:
    """A reload does not wait for the next poll."""
    shown = cache()
    shown.completed(poll())
    shown.configure(SeriesOptions(), (ACCEPTED,))
    assert samples(shown, "stack_instance_accepted") == {(TWO, EU): 1}
    shown.configure(SeriesOptions(), ())
    assert samples(shown, "stack_instance_accepted") == {}


def test_without_instance_series_there_are_only_counts() -> None:
    """`instance_series: none` holds for these series, too."""
    shown = cache(ACCEPTED, options=SeriesOptions(InstanceSeries.NONE))
    shown.completed(poll(DETAILS))
    assert samples(shown, "stack_instance_accepted") == samples(shown, "stack_instance_detailed_status") == {}
    assert samples(shown, "stack_instances_accepted")["OUTDATED",] == 1


def test_details_go_with_their_snapshot_and_come_back_from_the_state() -> None:
    """A stale or missing product explains nothing; after a restart the stored details are shown."""
    shown = cache(ACCEPTED)
    shown.completed(poll(DETAILS))
    shown.withdraw(BASELINE.id)
    assert samples(shown, "stack_instance_detailed_status") == samples(shown, "details_up") == {}
    shown.restored(monitored(), StoredProduct(baseline(FLEET).snapshot, missing=False, details=DETAILS))
    assert len(samples(shown, "stack_instance_detailed_status")) == 2
    error = PollFailedError(Reason.NOT_FOUND, "ResourceNotFoundException", "not there")
    shown.failed(FailedPoll(monitored(), "poll-2", error, 1.0, LATER, 300.0, newly_missing=True))
    assert samples(shown, "stack_instances_accepted") == samples(shown, "rollout_instances") == {}
