"""Entries of `accepted` that accept nothing are logged once."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from monitor.daemon.accepted import CHECK_SECONDS, AcceptedCheck
from monitor.model.accepted import Acceptance, Unused
from monitor.model.instances import InstanceKey, Status
from monitor.model.views import ProductView
from tests.daemon.fakes import FakeLog
from tests.making import BASELINE, EU, ONE, THREE, TWO, snapshot

TODAY = date(2026, 11, 24)
ENTRY = Acceptance(ONE, frozenset({Status.OUTDATED}), TODAY, "being closed")
OTHER = Acceptance(TWO, frozenset({Status.OUTDATED}), TODAY, "suspended", region=EU, product="baseline")
FLEET = {(ONE, EU): Status.OUTDATED, (TWO, EU): Status.OUTDATED, (THREE, EU): Status.CURRENT}


class Harness:
    """A check with a clock, a day and a fleet of one product."""

    def __init__(self) -> None:
        """Begin without a snapshot."""
        self.views = [ProductView(BASELINE, "default", 300.0)]
        self.now = 100.0
        self.today = TODAY
        self.log = FakeLog()
        self.check = self.made(whole=True)

    def made(self, *, whole: bool) -> AcceptedCheck:
        """Return a check of all products, or of those of a shard."""
        return AcceptedCheck(
            lambda: self.views, self.log, whole=whole, clock=lambda: self.now, today=lambda: self.today
        )

    def found(self, fleet: dict[InstanceKey, Status], *entries: Acceptance) -> list[tuple[str, str]]:
        """Return event and account of what a check of this fleet logs."""
        self.views = [self.views[0].with_snapshot(snapshot(fleet))]
        return self.checked(*entries)

    def checked(self, *entries: Acceptance) -> list[tuple[str, str]]:
        """Return event and account of what a check logs."""
        self.check.check(entries)
        self.now += CHECK_SECONDS
        return [(entry["event"], entry["account"]) for entry in self.log.take()]


@pytest.fixture
def harness() -> Harness:
    """Return a check."""
    return Harness()


def test_an_entry_that_matches_is_not_logged(harness: Harness) -> None:
    """Its last day counts."""
    assert harness.found(FLEET, ENTRY, OTHER) == []


def test_an_expired_entry_is_logged_once(harness: Harness) -> None:
    """The day after its last one, although it would match."""
    harness.today = TODAY + timedelta(days=1)
    harness.views = [harness.views[0].with_snapshot(snapshot(FLEET))]
    harness.check.check([ENTRY])
    assert harness.log.take() == [
        {
            "level": "warning",
            "event": "accepted.expired",
            "account": ONE,
            "region": None,
            "product": None,
            "until": "2026-11-24",
            "reason": "being closed",
        }
    ]
    harness.now += CHECK_SECONDS
    assert harness.found(FLEET, ENTRY) == []


def test_an_entry_that_matches_nothing_any_more_is_logged_once_until_it_matches(harness: Harness) -> None:
    """The instance was repaired, broke again and was repaired again."""
    repaired = FLEET | {(ONE, EU): Status.CURRENT}
    assert harness.found(repaired, ENTRY, OTHER) == [("accepted.unmatched", ONE)]
    assert harness.check.unused() == [(ENTRY, Unused.UNMATCHED)]
    assert harness.found(repaired, ENTRY, OTHER) == []
    assert harness.found(FLEET, ENTRY, OTHER) == []
    assert harness.found(repaired, ENTRY, OTHER) == [("accepted.unmatched", ONE)]


@pytest.mark.parametrize(
    "entry",
    [
        replace(OTHER, region="us-east-1"),
        replace(OTHER, product="another"),
        replace(OTHER, statuses=frozenset({Status.INOPERABLE})),
        replace(OTHER, account=THREE),
    ],
)
def test_every_condition_of_an_entry_must_match(harness: Harness, entry: Acceptance) -> None:
    """Region, product, status and account."""
    assert harness.found(FLEET, entry) == [("accepted.unmatched", entry.account)]


def test_nothing_is_said_before_every_product_was_polled(harness: Harness) -> None:
    """An instance of the product without a snapshot may match; a product that is gone has none."""
    assert harness.checked(ENTRY) == []
    harness.views = [replace(harness.views[0], missing=True)]
    assert harness.checked(ENTRY) == [("accepted.unmatched", ONE)]


def test_a_check_takes_place_once_a_minute(harness: Harness) -> None:
    """The supervisor calls it each second."""
    harness.found(FLEET, ENTRY)
    harness.now -= 1.0
    assert harness.found({(THREE, EU): Status.CURRENT}, ENTRY) == []


def test_a_shard_does_not_know_what_matches(harness: Harness) -> None:
    """An entry without a match here may match in another shard; a day is the same everywhere."""
    harness.check = harness.made(whole=False)
    assert harness.found({(THREE, EU): Status.CURRENT}, ENTRY) == []
    harness.today += timedelta(days=1)
    assert harness.checked(ENTRY) == [("accepted.expired", ONE)]
