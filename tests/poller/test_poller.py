"""One poll from the listing to the events, with fakes that are typed against what the poller declares."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from monitor.config.settings import MonitoredProduct
from monitor.model.deadline import Deadline, Deadlines
from monitor.model.diff import Change, Transition
from monitor.model.errors import PollCancelledError, PollFailedError, Reason
from monitor.model.instances import Anomaly, InstanceKey, Listing, Product, Status
from monitor.model.products import Description, ProductDetail, ProductStatus, ProductTransition
from monitor.poller.poller import Poller
from monitor.poller.protocols import (
    Catalog,
    CompletedPoll,
    EventSink,
    FailedPoll,
    Publisher,
    StateError,
    Store,
    StoredProduct,
)
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, TWO, US, detail, listing, monitored, snapshot
from tests.support import until

FLEET: dict[InstanceKey, Status] = {(ONE, EU): Status.CURRENT, (ONE, US): Status.CURRENT, (TWO, EU): Status.OUTDATED}
NOTHING = StoredProduct(None, missing=False)
NOT_FOUND = PollFailedError(Reason.NOT_FOUND, "ResourceNotFoundException", "not there")
THROTTLED = PollFailedError(Reason.THROTTLED, "ThrottlingException", "slow down")


@dataclass
class World:
    """Everything around a poller, and what happened in it, in order."""

    answers: list[Listing | Exception | Callable[[], Listing]] = field(default_factory=list)
    description: ProductDetail | Exception = field(default_factory=detail)
    stored: StoredProduct = NOTHING
    disk_full: bool = False
    disk_unreadable: bool = False
    happened: list[object] = field(default_factory=list)
    described: list[Description | None] = field(default_factory=list)
    transitions: list[Transition | ProductTransition] = field(default_factory=list)
    """Those that are stored, in the order in which they are published."""
    monotonic: float = 1000.0
    wall: datetime = EPOCH
    calls_per_second: float = 10.0
    page_seconds: float = 2.5

    def list_stack_instances(
        self, product_id: str, deadline: Deadline, on_page: Callable[[int, int], None] | None = None
    ) -> Listing:
        """Give the next answer."""
        self.happened.append(("list", product_id, deadline.remaining()))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            self.monotonic += self.page_seconds
            raise answer
        found = answer() if callable(answer) else answer
        for page in range(found.pages):
            self.monotonic += self.page_seconds
            deadline.check()
            if on_page:
                on_page(page + 1, len(found.statuses))
        return found

    def describe(self, product_id: str, deadline: Deadline) -> ProductDetail:
        """Say what the product is."""
        if isinstance(self.description, Exception):
            raise self.description
        return self.description

    def load(self, product_id: str) -> StoredProduct:
        """Return what is stored."""
        if self.disk_unreadable:
            raise StateError("cannot read")
        return self.stored

    def commit(self, change: Change, description: Description | None) -> None:
        """Write down."""
        if self.disk_full:
            raise StateError("disk full")
        self.happened.append(("commit", change))
        self.transitions += change.earlier
        self._save(description)
        self.transitions += change.transitions

    def save_description(self, product_id: str, description: Description) -> None:
        """Write down."""
        if self.disk_full:
            raise StateError("disk full")
        self._save(description)

    def _save(self, description: Description | None) -> None:
        self.described.append(description)
        if description and description.transition:
            self.transitions.append(description.transition)

    def mark_missing(self, product_id: str) -> None:
        """Write down."""
        if self.disk_full:
            raise StateError("disk full")
        self.happened.append(("missing", product_id))


@dataclass
class Witness:
    """A publisher or a event_sink that writes down what it is given."""

    role: str
    world: World

    def restored(self, monitored: MonitoredProduct, stored: StoredProduct, *, stale: bool) -> None:
        """Write down."""
        self.world.happened.append((self.role, "stale" if stale else "restored", stored))

    def withdraw(self, product_id: str) -> bool:
        """Write down."""
        self.world.happened.append((self.role, "withdrawn", product_id))
        return True

    def completed(self, poll: CompletedPoll) -> None:
        """Write down."""
        self.world.happened.append((self.role, poll))

    def failed(self, poll: FailedPoll) -> None:
        """Write down."""
        self.world.happened.append((self.role, poll))


@pytest.fixture
def world() -> World:
    """Return a world without anything."""
    return World()


@pytest.fixture
def poller(world: World) -> Poller:
    """Return a poller in the world."""
    catalog: Catalog = world
    store: Store = world
    publisher: Publisher = Witness("publish", world)
    event_sink: EventSink = Witness("tell", world)
    made = Poller(
        {"default": catalog},
        store,
        publisher,
        event_sink,
        Deadlines(lambda: world.monotonic),
        confirm_shrink=0.5,
        stale_after=3600.0,
        on_state_error=lambda error: world.happened.append(("state error", str(error))),
        now=lambda: world.wall,
        clock=lambda: world.monotonic,
    )
    made.restore(monitored())
    world.happened.clear()
    return made


def completed(world: World) -> list[CompletedPoll]:
    """Return the complete polls as the publisher saw them."""
    return [
        e[1] for e in world.happened if isinstance(e, tuple) and e[0] == "publish" and isinstance(e[1], CompletedPoll)
    ]


def failed(world: World) -> list[FailedPoll]:
    """Return the failed polls as the publisher saw them."""
    return [e[1] for e in world.happened if isinstance(e, tuple) and e[0] == "publish" and isinstance(e[1], FailedPoll)]


def test_a_complete_poll_is_committed_then_shown_then_told(world: World, poller: Poller) -> None:
    """The order is what survives a crash: first the state, then the world."""
    world.answers = [listing(FLEET)]
    poller.poll(monitored())
    (poll,) = completed(world)
    assert world.happened == [
        ("list", BASELINE.id, 240.0),
        ("commit", poll.change),
        ("publish", poll),
        ("tell", poll),
    ]
    assert (poll.seconds, poll.committed, poll.change.baseline) == (2.5, True, True)
    assert poll.change.snapshot == snapshot(FLEET)


def test_the_second_poll_is_compared_with_the_first(world: World, poller: Poller) -> None:
    """Each poll has an id of its own, and its transitions have the time of the poll."""
    world.answers = [listing(FLEET), listing({**FLEET, (TWO, EU): Status.CURRENT})]
    poller.poll(monitored())
    world.wall = LATER
    poller.poll(monitored())
    first, second = (poll.change for poll in completed(world))
    (transition,) = second.transitions
    assert (transition.key, transition.previous_status, transition.status) == (
        (TWO, EU),
        Status.OUTDATED,
        Status.CURRENT,
    )
    assert (transition.previous_since, transition.observed_at) == (EPOCH, LATER)
    assert first.poll_id != second.poll_id == transition.poll_id
    assert transition.provisioned_product_status is ProductStatus.AVAILABLE


def test_what_changed_while_the_monitor_was_down_is_told_on_the_first_poll(world: World, poller: Poller) -> None:
    """A restored snapshot is what the first listing is compared with."""
    world.stored = StoredProduct(snapshot(FLEET), missing=False)
    world.wall = LATER
    assert poller.restore(monitored())
    world.answers = [listing({**FLEET, (ONE, EU): Status.INOPERABLE})]
    poller.poll(monitored())
    (poll,) = completed(world)
    assert not poll.change.baseline
    assert [t.key for t in poll.change.transitions] == [(ONE, EU)]


def test_a_failed_poll_changes_nothing_but_says_so(world: World, poller: Poller) -> None:
    """Nothing is committed; the age of the last snapshot is known; the next poll is compared with it."""
    world.answers = [listing(FLEET), THROTTLED, listing(FLEET)]
    poller.poll(monitored())
    world.monotonic += 300
    poller.poll(monitored())
    (poll,) = failed(world)
    assert (poll.error, poll.seconds, poll.snapshot_age, poll.newly_missing) == (THROTTLED, 2.5, 302.5, False)
    poller.poll(monitored())
    assert completed(world)[1].change.transitions == ()


def test_a_failed_first_poll_has_no_snapshot(world: World, poller: Poller) -> None:
    """There is no age of what never was."""
    world.answers = [THROTTLED]
    poller.poll(monitored())
    assert [poll.snapshot_age for poll in failed(world)] == [None]


def test_a_missing_product_is_told_once(world: World, poller: Poller) -> None:
    """The second time it is only a failed poll; once it came back, it can go missing anew."""
    world.answers = [listing(FLEET), NOT_FOUND, NOT_FOUND, listing(FLEET), NOT_FOUND]
    for _ in range(5):
        poller.poll(monitored())
    assert [poll.newly_missing for poll in failed(world)] == [True, False, True]
    assert world.happened.count(("missing", BASELINE.id)) == 2
    assert completed(world)[1].change.transitions == ()


def test_a_product_that_was_missing_before_the_restart_is_not_told_again(world: World, poller: Poller) -> None:
    """The state remembers that it was told."""
    world.stored = StoredProduct(snapshot(FLEET), missing=True)
    poller.restore(monitored())
    world.answers = [NOT_FOUND]
    poller.poll(monitored())
    assert [poll.newly_missing for poll in failed(world)] == [False]


def test_a_stop_in_the_middle_leaves_no_trace(world: World, poller: Poller) -> None:
    """A cancelled poll is neither complete nor failed."""
    world.answers = [PollCancelledError()]
    with pytest.raises(PollCancelledError):
        poller.poll(monitored())
    assert world.happened == [("list", BASELINE.id, 240.0)]


def test_disappearance_is_listed_again_before_it_is_accepted(world: World, poller: Poller) -> None:
    """The second listing of the same poll has the instance, so nothing changed."""
    world.answers = [listing(FLEET), listing({(ONE, EU): Status.CURRENT}), listing(FLEET)]
    poller.poll(monitored())
    poller.poll(monitored())
    assert world.answers == []
    poll = completed(world)[1]
    assert (poll.change.transitions, poll.listing.anomalies) == ((), {Anomaly.SHRINK: 1})


def test_a_failure_while_confirming_is_a_failed_poll(world: World, poller: Poller) -> None:
    """A loss that cannot be confirmed is not believed."""
    world.answers = [listing(FLEET), listing({}), THROTTLED]
    poller.poll(monitored())
    poller.poll(monitored())
    assert len(completed(world)) == len(failed(world)) == 1


def changes(world: World) -> list[tuple[str | None, str | None]]:
    """Return what the stored transitions are from and to, in order."""
    return [(transition.previous_status, transition.status) for transition in world.transitions]


def test_transitions_that_cannot_be_committed_are_committed_later_in_order(world: World, poller: Poller) -> None:
    """While the disk is full the metrics are right; what changed and changed back is not lost."""
    broken = {**FLEET, (ONE, EU): Status.INOPERABLE}
    world.answers = [listing(now) for now in (FLEET, broken, FLEET, FLEET, {**FLEET, (TWO, EU): Status.CURRENT})]
    poller.poll(monitored())
    world.disk_full = True
    for status in (ProductStatus.UNDER_CHANGE, ProductStatus.AVAILABLE, ProductStatus.AVAILABLE):
        world.description = detail(status)
        poller.poll(monitored())
    assert changes(world) == []
    world.disk_full = False
    poller.poll(monitored())
    assert changes(world) == [
        ("AVAILABLE", "UNDER_CHANGE"),
        ("CURRENT", "INOPERABLE"),
        ("UNDER_CHANGE", "AVAILABLE"),
        ("INOPERABLE", "CURRENT"),
        ("OUTDATED", "CURRENT"),
    ]
    polls = completed(world)
    assert [poll.committed for poll in polls] == [True, False, False, False, True]
    assert polls[1].change.snapshot.states[ONE, EU].status is Status.INOPERABLE
    assert len({transition.event_id for transition in world.transitions}) == 5
    assert polls[4].change.instance_transitions[-1:] == polls[4].change.transitions
    assert world.happened.count(("state error", "disk full")) == 3


def test_baseline_that_cannot_be_committed_has_no_transitions(world: World, poller: Poller) -> None:
    """What changes after it is a transition, and is committed together with it."""
    world.answers = [listing(FLEET), listing({**FLEET, (ONE, EU): Status.INOPERABLE})]
    world.disk_full = True
    poller.poll(monitored())
    world.disk_full = False
    poller.poll(monitored())
    assert [poll.change.baseline for poll in completed(world)] == [True, False]
    assert changes(world) == [("CURRENT", "INOPERABLE")]


def test_too_many_uncommitted_transitions_become_their_net_change(
    world: World, poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full for days does not fill the memory; the difference to the last commit is not lost."""
    monkeypatch.setattr("monitor.poller.product_state.MAX_UNCOMMITTED", 2)
    first, second = {**FLEET, (ONE, EU): Status.INOPERABLE}, {**FLEET, (TWO, EU): Status.INOPERABLE}
    world.answers = [listing(now) for now in (FLEET, first, second, second)]
    poller.poll(monitored())
    world.disk_full = True
    world.description = detail(ProductStatus.ERROR)
    poller.poll(monitored())
    poller.poll(monitored())
    world.disk_full = False
    poller.poll(monitored())
    assert changes(world) == [("AVAILABLE", "ERROR"), ("OUTDATED", "INOPERABLE")]


def test_status_of_a_failed_poll_waits_behind_earlier_transitions(world: World, poller: Poller) -> None:
    """The order of the log is that of the polls, also if the disk has room again."""
    world.answers = [listing(FLEET), listing({**FLEET, (ONE, EU): Status.INOPERABLE}), THROTTLED, listing(FLEET)]
    poller.poll(monitored())
    world.disk_full = True
    poller.poll(monitored())
    world.disk_full, world.description = False, detail(ProductStatus.ERROR)
    poller.poll(monitored())
    assert changes(world) == []
    poller.poll(monitored())
    assert changes(world) == [("CURRENT", "INOPERABLE"), ("AVAILABLE", "ERROR"), ("INOPERABLE", "CURRENT")]


@pytest.mark.parametrize("answer", [listing({**FLEET, (ONE, EU): Status.INOPERABLE}), THROTTLED], ids=str)
@pytest.mark.parametrize("returns", [True, False])
def test_poll_of_a_product_that_was_removed_leaves_no_trace(
    answer: Listing | PollFailedError, returns: bool, world: World, poller: Poller
) -> None:
    """Neither if it returned meanwhile: its next poll finds the transition, once and under one id."""
    world.stored = StoredProduct(snapshot(FLEET), missing=False)

    def remove() -> Listing:
        poller.forget(BASELINE.id)
        if returns:
            poller.restore(monitored())
        world.happened.clear()
        if isinstance(answer, PollFailedError):
            raise answer
        return answer

    poller.restore(monitored())
    world.answers = [remove]
    with pytest.raises(PollCancelledError):
        poller.poll(monitored())
    assert world.happened == []
    if returns:
        world.answers = [listing({**FLEET, (ONE, EU): Status.INOPERABLE})]
        poller.poll(monitored())
        assert changes(world) == [("CURRENT", "INOPERABLE")]


def test_forget_waits_for_a_commit(world: World, poller: Poller, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it returns, nothing of the product can follow."""
    committing, forgotten, go_on = threading.Event(), threading.Event(), threading.Event()

    def commit(change: Change, description: Description | None) -> None:
        committing.set()
        assert go_on.wait(5)
        assert not forgotten.is_set()

    monkeypatch.setattr(world, "commit", commit)
    world.answers = [listing(FLEET)]
    poll = threading.Thread(target=poller.poll, args=[monitored()])
    poll.start()
    assert committing.wait(5)

    def forget() -> None:
        poller.forget(BASELINE.id)
        forgotten.set()

    forgetting = threading.Thread(target=forget)
    forgetting.start()
    until(lambda: poller.snapshot_age(BASELINE.id) is None and not poller._states)
    go_on.set()
    poll.join(5)
    forgetting.join(5)
    assert forgotten.is_set()
    assert len(completed(world)) == 1


def test_product_that_is_not_monitored_is_not_polled(world: World, poller: Poller) -> None:
    """It was removed, or its source was, between becoming due and the poll."""
    poller.forget(BASELINE.id)
    with pytest.raises(PollCancelledError):
        poller.poll(monitored())
    poller.restore(monitored())
    world.happened.clear()
    with pytest.raises(PollCancelledError):
        poller.poll(replace(monitored(), source="gone"))
    assert world.happened == []


def test_state_that_could_not_be_read_is_read_again_by_the_next_poll(world: World, poller: Poller) -> None:
    """Else a baseline would replace the stored snapshot, and what changed meanwhile would never be logged."""
    world.stored, world.disk_unreadable = StoredProduct(snapshot(FLEET), missing=False), True
    with pytest.raises(StateError):
        poller.restore(monitored())
    world.disk_unreadable = False
    world.answers = [listing({**FLEET, (ONE, EU): Status.INOPERABLE})]
    poller.poll(monitored())
    assert changes(world) == [("CURRENT", "INOPERABLE")]


def test_product_is_polled_although_the_state_cannot_be_read(world: World, poller: Poller) -> None:
    """Monitoring goes on without it, and each poll says so."""
    world.disk_unreadable = True
    with pytest.raises(StateError):
        poller.restore(monitored())
    world.answers = [listing(FLEET)]
    poller.poll(monitored())
    assert completed(world)[0].change.baseline
    assert ("state error", "cannot read") in world.happened


def test_defect_is_published_as_a_failed_poll_and_raised(world: World, poller: Poller) -> None:
    """The worker logs its traceback."""
    world.answers = [ZeroDivisionError("division by zero")]
    with pytest.raises(ZeroDivisionError):
        poller.poll(monitored())
    assert [(poll.error.reason, poll.error.error_code) for poll in failed(world)] == [
        (Reason.OTHER, "ZeroDivisionError")
    ]


def test_restored_snapshot_is_as_old_as_its_listing(world: World, poller: Poller) -> None:
    """The age goes on with the monotonic clock, whatever the wall clock does."""
    world.stored, world.wall = StoredProduct(snapshot(FLEET), missing=False), EPOCH + timedelta(minutes=10)
    poller.restore(monitored())
    assert poller.snapshot_age(BASELINE.id) == 600.0
    world.monotonic += 60
    world.wall -= timedelta(days=1)
    assert poller.snapshot_age(BASELINE.id) == 660.0


def test_a_missing_product_is_told_although_the_disk_is_full(world: World, poller: Poller) -> None:
    """What cannot be written down is at least told."""
    world.disk_full = True
    world.answers = [NOT_FOUND]
    poller.poll(monitored())
    assert [poll.newly_missing for poll in failed(world)] == [True]
    assert ("state error", "disk full") in world.happened


def test_a_clock_that_was_set_back_makes_no_negative_age(world: World, poller: Poller) -> None:
    """A snapshot from the future is as old as one from now."""
    world.stored = StoredProduct(snapshot(FLEET, at=EPOCH + timedelta(hours=1)), missing=False)
    poller.restore(monitored())
    assert poller.snapshot_age(BASELINE.id) == 0.0


def test_a_product_without_a_complete_poll_has_no_age(poller: Poller) -> None:
    """Neither one that is not known."""
    poller.restore(monitored())
    assert (poller.snapshot_age(BASELINE.id), poller.snapshot_age("pp-other")) == (None, None)


def statuses(world: World) -> list[tuple[str, str]]:
    """Return the transitions of the product itself that were written down."""
    return [
        (found.transition.previous_status, found.transition.status)
        for found in world.described
        if found and found.transition
    ]


def test_a_product_that_changes_status_is_written_down_with_its_poll(poller: Poller, world: World) -> None:
    """The first time there is nothing to compare with; the same status again is no transition."""
    for status in (ProductStatus.AVAILABLE, ProductStatus.UNDER_CHANGE, ProductStatus.UNDER_CHANGE):
        world.answers.append(listing(FLEET))
        world.description = detail(status)
        poller.poll(monitored())
    assert statuses(world) == [("AVAILABLE", "UNDER_CHANGE")]
    shown = [poll.description.detail.status for poll in completed(world) if poll.description]
    assert shown == ["AVAILABLE", "UNDER_CHANGE", "UNDER_CHANGE"]


def test_a_status_is_known_although_the_listing_fails(poller: Poller, world: World) -> None:
    """What was found out before a poll failed is written down and shown; the next poll tells it no second time."""
    world.answers = [listing(FLEET), THROTTLED, THROTTLED, listing(FLEET)]
    for status in (ProductStatus.AVAILABLE, *[ProductStatus.TAINTED] * 3):
        world.description = detail(status)
        poller.poll(monitored())
    assert statuses(world) == [("AVAILABLE", "TAINTED")]
    failed = [e[1] for e in world.happened if isinstance(e, tuple) and isinstance(e[1], FailedPoll)]
    assert {poll.description.detail.status for poll in failed if poll.description} == {"TAINTED"}
    assert [poll.committed for poll in failed[::2]] == [True, False]


def test_without_the_permission_to_describe_the_instances_are_polled(poller: Poller, world: World) -> None:
    """The poll is complete, without a status; that is told once, and again when it was there meanwhile."""
    denied = PollFailedError(Reason.ACCESS_DENIED, "AccessDeniedException", "not authorized")
    world.answers = [listing(FLEET)] * 4
    for answer in (denied, denied, detail(), denied):
        world.description = answer
        poller.poll(monitored())
    polls = completed(world)[:4]
    assert [poll.description is None for poll in polls] == [True, True, False, True]
    assert [poll.newly_undescribed for poll in polls] == [denied, None, None, denied]


def test_any_other_failure_to_describe_fails_the_poll(poller: Poller, world: World) -> None:
    """Nothing is listed of a product that AWS does not know, or is too busy to describe."""
    for answer in (NOT_FOUND, THROTTLED):
        world.description = answer
        poller.poll(monitored())
    failed = [e[1] for e in world.happened if isinstance(e, tuple) and isinstance(e[1], FailedPoll)]
    assert [poll.error for poll in failed] == [NOT_FOUND, NOT_FOUND, THROTTLED, THROTTLED]
    assert [poll.newly_missing for poll in failed[::2]] == [True, False]


def test_a_product_of_another_type_is_not_listed(poller: Poller, world: World) -> None:
    """It fails with a sentence that says of which type it is."""
    world.description = detail(kind="CFN_STACK")
    poller.poll(monitored())
    (failed, _) = [e[1] for e in world.happened if isinstance(e, tuple) and isinstance(e[1], FailedPoll)]
    assert failed.error.error_code == "NotAStackSet"
    assert "is of type CFN_STACK" in failed.error.message


def test_a_product_without_a_name_has_its_own(poller: Poller, world: World) -> None:
    """As soon as AWS has said it, and from the state before that; a configured name stays."""
    named = monitored(Product(BASELINE.id, "mine"))
    unnamed = replace(monitored(Product(BASELINE.id, BASELINE.id)), own_name=True)
    assert poller.named(unnamed).product.name == BASELINE.id
    world.answers = [listing(FLEET)] * 2
    poller.poll(unnamed)
    poller.poll(named)
    assert [poll.monitored.product.name for poll in completed(world)] == ["baseline", "mine"]
    assert poller.named(unnamed).product.name == "baseline"
    poller.forget(BASELINE.id)
    world.stored = StoredProduct(None, missing=False, detail=detail())
    poller.restore(unnamed)
    assert poller.named(unnamed).product.name == "baseline"


def test_a_poll_that_fails_before_it_knows_more_keeps_the_name(poller: Poller, world: World) -> None:
    """The series keep their labels, whatever AWS says or does not say."""
    unnamed = replace(monitored(Product(BASELINE.id, BASELINE.id)), own_name=True)
    world.answers = [listing(FLEET)]
    poller.poll(unnamed)
    denied = PollFailedError(Reason.ACCESS_DENIED, "AccessDeniedException", "not authorized")
    for answer in (THROTTLED, denied):
        world.description = answer
        world.answers = [THROTTLED]
        poller.poll(unnamed)
    failed = [e[1] for e in world.happened if isinstance(e, tuple) and isinstance(e[1], FailedPoll)]
    assert {poll.monitored.product.name for poll in failed} == {"baseline"}


UNCONFIGURED = replace(monitored(), adaptive_timeout=True)


def timeouts(world: World) -> list[float]:
    """Return the seconds that each listing had at its begin."""
    return [e[2] for e in world.happened if isinstance(e, tuple) and e[0] == "list"]


def test_default_timeout_lets_a_large_product_complete(world: World, poller: Poller) -> None:
    """100,000 instances at 10 calls a second and 5m: two polls fail and say what they need, the third completes."""
    world.page_seconds = 0.1
    world.answers = [listing(FLEET, pages=5000)] * 5
    for _ in range(4):
        poller.poll(UNCONFIGURED)
    messages = [poll.error.message for poll in failed(world)]
    assert [message.partition(";")[0] for message in messages] == [
        "the poll was not complete after 4m: it needs more than 2401 calls and made 10 a second",
        "the poll was not complete after 8m: it needs more than 4801 calls and made 10 a second",
    ]
    assert [poll.error.error_code for poll in failed(world)] == ["DeadlineExceeded"] * 2
    assert len(completed(world)) == 2
    assert timeouts(world) == pytest.approx([240.0, 480.0, 960.0, 1000.0])


def test_size_of_the_last_snapshot_gives_the_timeout_after_a_restart(world: World, poller: Poller) -> None:
    """A product that was polled before needs no polls that fail."""
    fleet = dict.fromkeys([(f"{n:012}", EU) for n in range(40_000)], Status.CURRENT)
    world.stored = StoredProduct(snapshot(fleet), missing=False)
    poller.restore(UNCONFIGURED)
    world.answers = [listing(fleet)]
    poller.poll(UNCONFIGURED)
    assert timeouts(world) == pytest.approx([400.2])


def test_configured_timeout_does_not_grow(world: World, poller: Poller) -> None:
    """Each poll says what it needs instead."""
    world.page_seconds = 0.1
    world.answers = [listing(FLEET, pages=5000)] * 2
    poller.poll(monitored())
    poller.poll(monitored())
    assert timeouts(world) == [240.0, 240.0]
    assert all("calls_per_second >= 20 (source default)" in poll.error.message for poll in failed(world))


def test_poll_that_hangs_gets_no_more_time(world: World, poller: Poller) -> None:
    """More time would not have helped it."""
    world.page_seconds = 100.0
    world.answers = [listing(FLEET, pages=5)] * 2
    poller.poll(UNCONFIGURED)
    world.page_seconds = 2000.0
    poller.poll(UNCONFIGURED)
    assert timeouts(world) == [240.0, 240.0]
    assert [poll.error.message for poll in failed(world)] == ["the poll was not complete after 240 s"] * 2
