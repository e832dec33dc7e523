"""What a poll publishes, stores and logs, whatever AWS does: with the real client, state, metrics and log."""

import threading

import pytest

from monitor.events.names import EventName
from monitor.model.errors import PollCancelledError, Reason
from tests.conftest import Aws
from tests.faulty_aws import faults
from tests.faulty_aws.exchange import Fault, Plan
from tests.making import EU
from tests.poller.pipeline import ACCOUNTS, AFTER, ALL, BEFORE, FAULTY, OTHER_SOURCE, SAME_SOURCE, SHORT, Pipeline
from tests.support import until

NOTHING = faults.body("nothing", b'{"StackInstances": []}')
HANGING = {fault.name for fault in (*faults.SILENT_WAITS, *faults.slow(), faults.FRESH_TOKENS)}
REASONS: dict[str, Reason] = {
    **{fault.name: Reason.INCOMPLETE for fault in (*faults.BAD_BODIES, *faults.ENDLESS, *faults.WRONG_TOKENS)},
    **{fault.name: Reason.CONNECTION for fault in faults.BROKEN_CONNECTIONS},
    **dict.fromkeys(("cut body", "cut after the last byte", "cut headers"), Reason.INCOMPLETE),
    "endless headers": Reason.CONNECTION,
    **dict.fromkeys(HANGING, Reason.TIMEOUT),
    **{fault.name: Reason.OTHER for fault in faults.ERRORS},
    "ThrottlingException": Reason.THROTTLED,
    "too many requests": Reason.THROTTLED,
    "AccessDeniedException": Reason.ACCESS_DENIED,
    "ExpiredTokenException": Reason.CREDENTIALS,
    "UnrecognizedClientException": Reason.CREDENTIALS,
}
REASONS.pop("ResourceNotFoundException")


def test_every_fault_has_an_expectation() -> None:
    """A new fault needs a test."""
    odd = {fault.name for fault in faults.ODD_PAGES}
    assert {*REASONS, *odd, "ResourceNotFoundException"} == set(faults.FAULTS)


@pytest.mark.parametrize("reason", sorted({*REASONS.values()}))
def test_failed_poll_keeps_the_snapshot_and_affects_no_other_product(reason: Reason, pipeline: Pipeline) -> None:
    """One reason, one line; the next poll completes and finds what changed meanwhile."""
    before, after = BEFORE, AFTER
    for times, name in enumerate(sorted(name for name in REASONS if REASONS[name] is reason), start=1):
        pipeline.server.plan(Plan(faults.FAULTS[name], product_id=FAULTY.product.id, times=None))
        pipeline.poll(FAULTY, timeout=SHORT if name in HANGING else 30.0)
        pipeline.poll(SAME_SOURCE, OTHER_SOURCE)
        assert (name, pipeline.instances()) == (name, before)
        assert (name, pipeline.failures()) == (name, {reason: times})
        assert (name, [pipeline.value("servicecatalog_up", product) for product in ALL]) == (name, [0.0, 1.0, 1.0])
        assert [pipeline.instances(product) for product in (SAME_SOURCE, OTHER_SOURCE)] == [after, after]
        assert len(pipeline.listings) <= 3 + 2 + 2 or name == faults.FRESH_TOKENS.name
        entries = pipeline.entries()
        failed = [entry for entry in entries if entry["event"] == "poll.failed"]
        assert [(entry["reason"], entry["provisioned_product_id"], entry["level"]) for entry in failed] == [
            (reason, FAULTY.product.id, "warning")
        ]
        changed = [entry for entry in entries if entry["event"] == "stack_instance.transition"]
        assert {entry["provisioned_product_id"] for entry in changed} == {
            SAME_SOURCE.product.id,
            OTHER_SOURCE.product.id,
        }
        pipeline.server.clear()
        pipeline.poll(FAULTY)
        assert (name, pipeline.instances()) == (name, after)
        assert (name, pipeline.value("servicecatalog_up")) == (name, 1.0)
        assert [entry["account"] for entry in pipeline.events(EventName.TRANSITION)] == [ACCOUNTS[0]]
        before, after = after, before
        pipeline.change("OUTDATED" if after is AFTER else "CURRENT")
        pipeline.server.clear()


@pytest.mark.parametrize("name", ["HTML", "reset", "ThrottlingException", "empty object"])
def test_failure_on_a_later_page_publishes_nothing_of_the_first(name: str, pipeline: Pipeline) -> None:
    """The first page has the change, and is not accepted without the second."""
    pipeline.server.plan(Plan(faults.FAULTS[name], product_id=FAULTY.product.id, page=2, times=None))
    pipeline.poll(FAULTY)
    assert pipeline.instances() == BEFORE
    assert pipeline.failures() == {REASONS[name]: 1.0}
    assert pipeline.events(EventName.TRANSITION) == []


@pytest.mark.parametrize(
    ("fault", "counted"),
    [
        (faults.EMPTY_PAGE, {}),
        (faults.TWICE, {"duplicate": 1.0}),
        (faults.UNKNOWN_STATUS, {"unknown_status": 1.0}),
        (faults.INVALID_ITEMS, {"invalid_item": 8.0}),
    ],
    ids=str,
)
def test_odd_page_is_published_and_counted(fault: Fault, counted: dict[str, float], pipeline: Pipeline) -> None:
    """The listing is complete."""
    pipeline.server.plan(Plan(fault, product_id=FAULTY.product.id, page=2))
    pipeline.poll(FAULTY)
    stranger = {f"999999999999 {EU} UNKNOWN": 1.0} if fault is faults.UNKNOWN_STATUS else {}
    assert pipeline.instances() == {**AFTER, **stranger}
    assert pipeline.value("servicecatalog_up") == 1.0
    anomalies = pipeline.samples("servicecatalog_listing_anomalies_total")
    assert {kind: value for kind, value in anomalies.items() if value} == counted


def test_listing_that_lost_everything_once_is_not_accepted(pipeline: Pipeline) -> None:
    """It is listed once more, and the second listing is accepted."""
    pipeline.server.plan(Plan(NOTHING, product_id=FAULTY.product.id))
    pipeline.poll(FAULTY)
    assert pipeline.instances() == AFTER
    assert pipeline.samples("servicecatalog_listing_anomalies_total")["shrink"] == 1.0
    assert [entry["status"] for entry in pipeline.events(EventName.TRANSITION)] == ["OUTDATED"]


def test_listing_that_lost_everything_twice_is_accepted(pipeline: Pipeline) -> None:
    """Every instance may have been removed."""
    pipeline.server.plan(Plan(NOTHING, product_id=FAULTY.product.id, times=2))
    pipeline.poll(FAULTY)
    assert pipeline.instances() == {}
    assert pipeline.value("servicecatalog_up") == 1.0
    assert pipeline.samples("servicecatalog_listing_anomalies_total")["shrink"] == 1.0
    assert [entry["status"] for entry in pipeline.events(EventName.TRANSITION)] == [None] * 25


def test_listing_that_cannot_be_confirmed_fails_the_poll(pipeline: Pipeline) -> None:
    """The second listing fails, and the disappearance is not accepted."""
    pipeline.server.plan(
        Plan(NOTHING, product_id=FAULTY.product.id), Plan(faults.ACCESS_DENIED, product_id=FAULTY.product.id)
    )
    pipeline.poll(FAULTY)
    assert pipeline.instances() == BEFORE
    assert pipeline.failures() == {"access_denied": 1.0}


def test_missing_product_loses_its_series_and_is_reported_once(pipeline: Pipeline, aws: Aws) -> None:
    """Each poll fails with the reason; when the product returns, so do its series."""
    aws.stack_sets.remove_product(FAULTY.product.id)
    pipeline.poll(FAULTY, FAULTY, FAULTY)
    assert pipeline.instances() == {}
    assert pipeline.failures() == {"not_found": 3.0}
    entries = pipeline.entries()
    assert [entry["event"] for entry in entries] == ["provisioned_product.missing", *["poll.failed"] * 3]
    assert entries[0]["message"] == f"Provisioned product {FAULTY.product.id} not found."
    assert pipeline.state.load(FAULTY.product.id).missing is True
    aws.stack_sets.add_product(FAULTY.product.id, "faulty")
    for account in ACCOUNTS:
        aws.stack_sets.set(FAULTY.product.id, account, EU, "CURRENT")
    pipeline.poll(FAULTY)
    assert pipeline.instances() == BEFORE
    assert pipeline.state.load(FAULTY.product.id).missing is False


def test_product_of_another_type_fails_with_a_clear_message(pipeline: Pipeline, aws: Aws) -> None:
    """Before anything is listed; the other products are polled."""
    aws.stack_sets.remove_product(FAULTY.product.id)
    aws.stack_sets.add_product(FAULTY.product.id, "faulty", stack_set=False)
    pipeline.poll(*ALL)
    (failed,) = pipeline.events(EventName.POLL_FAILED)
    assert (failed["error_code"], failed["message"]) == (
        "NotAStackSet",
        f"{FAULTY.product.id} is of type CFN_STACK, and only those of type CFN_STACKSET have stack instances",
    )
    assert [pipeline.value("servicecatalog_up", product) for product in ALL] == [0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("fault", "requests"),
    [(faults.INTERNAL_ERROR, 3), (faults.THROTTLED, 3), (faults.ACCESS_DENIED, 1)],
    ids=str,
)
def test_an_hour_of_it_costs_bounded_requests_and_ends_with_the_next_poll(
    fault: Fault, requests: int, pipeline: Pipeline
) -> None:
    """Twelve polls an hour, a line each, and then all is well again at once."""
    pipeline.server.plan(Plan(fault, product_id=FAULTY.product.id, times=None))
    pipeline.poll(*[FAULTY] * 12)
    assert len(pipeline.listings) == 12 * requests
    assert len(pipeline.events(EventName.POLL_FAILED)) == 12
    pipeline.server.clear()
    pipeline.poll(FAULTY)
    assert pipeline.instances() == AFTER
    assert len(pipeline.listings) == 2


def test_polls_recover_when_aws_becomes_reachable(pipeline: Pipeline) -> None:
    """Until then the stored snapshot is published."""
    pipeline.server.refuse()
    pipeline.poll(*ALL)
    assert [pipeline.value("servicecatalog_up", product) for product in ALL] == [0.0, 0.0, 0.0]
    assert [pipeline.failures(product) for product in ALL] == [{"connection": 1.0}] * 3
    assert pipeline.instances() == BEFORE
    pipeline.server.accept()
    pipeline.poll(*ALL)
    assert [pipeline.instances(product) for product in ALL] == [AFTER] * 3


def test_poll_that_hangs_delays_no_other(pipeline: Pipeline) -> None:
    """Another thread polls the other products meanwhile."""
    pipeline.server.plan(Plan(faults.SILENCE, product_id=FAULTY.product.id, times=None))
    hanging = threading.Thread(target=lambda: pipeline.poll(FAULTY))
    hanging.start()
    until(lambda: len(pipeline.listings) == 1)
    pipeline.poll(SAME_SOURCE, OTHER_SOURCE)
    assert hanging.is_alive()
    assert [pipeline.instances(product) for product in ALL] == [BEFORE, AFTER, AFTER]
    pipeline.server.refuse()
    hanging.join(10)
    assert [pipeline.value("servicecatalog_up", product) for product in ALL] == [0.0, 1.0, 1.0]


def test_stop_during_a_page_leaves_no_trace_of_the_poll(pipeline: Pipeline) -> None:
    """It neither completed nor failed."""
    pipeline.lines.entries()
    pipeline.server.plan(Plan(faults.dripping(0.05), product_id=FAULTY.product.id, times=None))
    raised: list[BaseException] = []

    def poll() -> None:
        try:
            pipeline.poll(FAULTY)
        except PollCancelledError as error:
            raised.append(error)

    thread = threading.Thread(target=poll)
    thread.start()
    until(lambda: len(pipeline.listings) == 1)
    pipeline.deadlines.cancel()
    thread.join(5)
    assert len(raised) == 1
    assert pipeline.instances() == BEFORE
    assert pipeline.value("servicecatalog_polls_total") == 1.0
    assert pipeline.value("servicecatalog_up") == 1.0
    assert pipeline.lines.entries() == []
