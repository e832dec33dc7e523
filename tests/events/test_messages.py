"""Every event has a message: one plain sentence."""

from typing import Any

import pytest

from monitor.config.settings import LogLevel
from monitor.events.names import MESSAGES, EventName, message
from tests.events.capture import captured
from tests.making import BASELINE

NAMED = {"provisioned_product_id": BASELINE.id, "provisioned_product_name": "baseline"}
OF_INSTANCE = "The stack instance in account 111111111111, Region eu-west-1, of baseline (pp-aaaaaaaaaaaaa)"
RELOADED = "The configuration was reloaded; products added: 1,"
INSTANCE = {**NAMED, "account": "111111111111", "region": "eu-west-1"}


@pytest.mark.parametrize("event", EventName)
def test_every_event_has_a_sentence(event: EventName) -> None:
    """A field that is missing does not cost the event."""
    assert event in MESSAGES
    assert message(event, {"counts": {}}).endswith(".")


@pytest.mark.parametrize(
    ("event", "fields", "sentence"),
    [
        (
            EventName.TRANSITION,
            {**INSTANCE, "previous_status": "CURRENT", "status": "OUTDATED"},
            f"{OF_INSTANCE} changed from CURRENT to OUTDATED.",
        ),
        (
            EventName.TRANSITION,
            {**INSTANCE, "previous_status": None, "status": "CURRENT"},
            f"{OF_INSTANCE} appeared with status CURRENT.",
        ),
        (
            EventName.TRANSITION,
            {**INSTANCE, "previous_status": "OUTDATED", "status": None},
            f"{OF_INSTANCE} disappeared; its last status was OUTDATED.",
        ),
        (
            EventName.TRANSITION,
            {
                **INSTANCE,
                "previous_status": "CURRENT",
                "status": "OUTDATED",
                "detailed_status": "FAILED",
                "status_reason": "no quota",
            },
            f"{OF_INSTANCE} changed from CURRENT to OUTDATED (FAILED: no quota).",
        ),
        (
            EventName.TRANSITION,
            {**INSTANCE, "previous_status": "CURRENT", "status": "OUTDATED", "detailed_status": "CANCELLED"},
            f"{OF_INSTANCE} changed from CURRENT to OUTDATED (CANCELLED).",
        ),
        (
            EventName.TRANSITION,
            {**INSTANCE, "previous_status": None, "status": "OUTDATED", "detailed_status": "FAILED"},
            f"{OF_INSTANCE} appeared with status OUTDATED (FAILED).",
        ),
        (
            EventName.PRODUCT_TRANSITION,
            {**NAMED, "previous_status": "UNDER_CHANGE", "status": "TAINTED", "status_reason": "oh"},
            "The provisioned product baseline (pp-aaaaaaaaaaaaa) changed from UNDER_CHANGE to TAINTED. AWS says: oh.",
        ),
        (
            EventName.POLL_COMPLETED,
            {**NAMED, "provisioned_product_name": BASELINE.id, "instances": 1, "transitions": 2},
            "The poll of pp-aaaaaaaaaaaaa completed; instances: 1, transitions: 2.",
        ),
        (
            EventName.CONFIG_RELOADED,
            {"added": 1, "removed": 2, "changed": 0, "restart_required": ["web.listen", "state.path"]},
            f"{RELOADED} removed: 2, changed: 0. Restart the monitor to apply web.listen, state.path.",
        ),
        (EventName.STOPPED, {"polls_ended": False}, "The monitor stopped; polls were still running."),
        (
            EventName.CLOCK_JUMPED,
            {"seconds": -3600.0},
            "The system clock jumped by -3600.0 seconds; all polls were scheduled again.",
        ),
    ],
)
def test_the_sentence_names_what_the_fields_say(event: EventName, fields: dict[str, Any], sentence: str) -> None:
    """The sentence is made from the fields."""
    assert message(event, fields) == sentence


def test_a_name_with_braces_is_only_a_name() -> None:
    """The name of a product is data and not a template."""
    fields = {**NAMED, "provisioned_product_name": "{status} {0}", "source": "hub"}
    assert message(EventName.ADDED, fields) == (
        "The product {status} {0} (pp-aaaaaaaaaaaaa) of source hub is monitored from now on."
    )


def test_a_message_of_its_own_stays() -> None:
    """The message of an error is not replaced by the sentence of the event."""
    log, lines = captured()
    log.event(LogLevel.ERROR, EventName.STATE_FAILED, message="the disk is full")
    log.event(LogLevel.INFO, EventName.WEB_CONFIG_RELOADED)
    assert [entry["message"] for entry in lines.entries()] == [
        "the disk is full",
        "The web configuration or a certificate was reloaded.",
    ]
