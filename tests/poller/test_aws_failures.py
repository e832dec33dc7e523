"""What a poll publishes, stores and logs if AWS fails: with the real client, state, metrics and log.

tests/aws/test_misbehaviour.py has every fault and the failure that it becomes.
"""

import pytest

from monitor.events.names import EventName
from monitor.model.errors import Reason
from tests.faulty_aws import faults
from tests.faulty_aws.exchange import Fault, Plan
from tests.making import EU
from tests.poller.pipeline import ACCOUNTS, AFTER, ALL, BEFORE, FAULTY, OTHER_SOURCE, SAME_SOURCE, SHORT, Pipeline

ONE_OF_EACH = {
    Reason.ACCESS_DENIED: faults.ACCESS_DENIED,
    Reason.CONNECTION: faults.FAULTS["reset"],
    Reason.CREDENTIALS: faults.EXPIRED_TOKEN,
    Reason.INCOMPLETE: faults.FAULTS["HTML"],
    Reason.OTHER: faults.INTERNAL_ERROR,
    Reason.THROTTLED: faults.THROTTLED,
    Reason.TIMEOUT: faults.SILENCE,
}


@pytest.mark.parametrize("reason", ONE_OF_EACH)
def test_failed_poll_keeps_the_snapshot_and_affects_no_other_product(reason: Reason, pipeline: Pipeline) -> None:
    """One reason, one line; the next poll completes and finds what changed meanwhile."""
    pipeline.server.plan(Plan(ONE_OF_EACH[reason], product_id=FAULTY.product.id, times=None))
    pipeline.poll(FAULTY, timeout=SHORT if reason is Reason.TIMEOUT else 30.0)
    pipeline.poll(SAME_SOURCE, OTHER_SOURCE)
    assert [pipeline.instances(product) for product in ALL] == [BEFORE, AFTER, AFTER]
    assert [pipeline.value("servicecatalog_up", product) for product in ALL] == [0.0, 1.0, 1.0]
    assert pipeline.failures() == {reason: 1}
    entries = [entry for entry in pipeline.entries() if entry["level"] == "warning"]
    assert [(one["event"], one["reason"], one["provisioned_product_id"]) for one in entries if "reason" in one] == [
        ("poll.failed", reason, FAULTY.product.id)
    ]
    assert {one["provisioned_product_id"] for one in entries if one["event"] == "stack_instance.transition"} == {
        SAME_SOURCE.product.id,
        OTHER_SOURCE.product.id,
    }
    pipeline.server.clear()
    pipeline.poll(FAULTY)
    assert (pipeline.instances(), pipeline.value("servicecatalog_up")) == (AFTER, 1.0)
    assert [entry["account"] for entry in pipeline.events(EventName.TRANSITION)] == [ACCOUNTS[0]]


def test_failure_on_a_later_page_publishes_nothing_of_the_first(pipeline: Pipeline) -> None:
    """The first page has the change, and is not accepted without the second."""
    pipeline.server.plan(Plan(faults.FAULTS["HTML"], product_id=FAULTY.product.id, page=2, times=None))
    pipeline.poll(FAULTY)
    assert pipeline.instances() == BEFORE
    assert pipeline.failures() == {Reason.INCOMPLETE: 1}
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
