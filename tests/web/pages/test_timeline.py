"""The timeline of a product."""

from collections.abc import Mapping
from datetime import timedelta

import hypothesis.strategies as st
from hypothesis import given

from monitor.model.diff import Transition, diff
from monitor.model.instances import InstanceKey, Snapshot, Status
from monitor.web.pages.timeline import COLUMNS, STACK, timeline
from tests.making import BASELINE, EPOCH, EU, ONE, TWO, US, listing, snapshot
from tests.web.fake_views import product_view

CURRENT, OUTDATED, INOPERABLE = Status.CURRENT, Status.OUTDATED, Status.INOPERABLE
HOUR = timedelta(hours=1)
Statuses = Mapping[InstanceKey, Status]


def polls(*statuses: Statuses) -> tuple[Snapshot, list[Transition]]:
    """Return the last snapshot of hourly polls that found these instances, and all transitions, the newest first."""
    last = snapshot(statuses[0])
    history: list[Transition] = []
    for number, found in enumerate(statuses[1:], 1):
        change = diff(last, listing(found), BASELINE, f"poll-{number}", EPOCH + number * HOUR)
        last = change.snapshot
        history = [*change.transitions, *history]
    return last, history


def chart_of(*statuses: Statuses) -> list[tuple[float, dict[Status, int]]]:
    """Return where each bar begins, in hours since the first poll, and what was not CURRENT."""
    last, history = polls(*statuses)
    end = EPOCH + len(statuses) * HOUR
    view = product_view({}).with_snapshot(last)
    found = timeline(view, history, EPOCH, end, complete=True)
    return [
        ((bar.begin - EPOCH) / HOUR, {status: number for status, number in bar.counts.items() if number})
        for bar in found.bars
    ]


def test_the_counts_are_taken_back() -> None:
    """Each bar shows what was not CURRENT between two polls."""
    before, failed, worse, after = (
        {(ONE, EU): CURRENT, (TWO, EU): CURRENT},
        {(ONE, EU): OUTDATED, (TWO, EU): CURRENT},
        {(ONE, EU): INOPERABLE, (TWO, EU): OUTDATED},
        {(ONE, EU): INOPERABLE, (TWO, EU): CURRENT},
    )
    assert chart_of(before, failed, worse, after) == [
        (0, {}),
        (1, {OUTDATED: 1}),
        (2, {INOPERABLE: 1, OUTDATED: 1}),
        (3, {INOPERABLE: 1}),
    ]


@given(
    st.lists(
        st.dictionaries(
            st.tuples(st.sampled_from([ONE, TWO]), st.sampled_from([EU, US])), st.sampled_from(list(Status)), max_size=4
        ),
        min_size=1,
        max_size=8,
    )
)
def test_each_poll_is_shown_as_it_was(statuses: list[Statuses]) -> None:
    """Whatever changed, the bar in the middle between two polls has the counts of the poll before."""
    last, history = polls(*statuses)
    end = EPOCH + len(statuses) * HOUR
    found = timeline(product_view({}).with_snapshot(last), history, EPOCH, end, complete=True)
    for number, listed in enumerate(statuses):
        expected = {status: list(listed.values()).count(status) for status in STACK}
        middle = EPOCH + (number + 0.5) * HOUR
        shown = [bar for bar in found.bars if bar.begin <= middle < bar.end]
        if not any(statuses[: number + 1]) and not shown:
            continue  # before the first instance, nothing is known
        assert [dict(bar.counts) for bar in shown] == [expected]


def test_a_chart_begins_with_the_first_poll() -> None:
    """A product that is monitored for an hour has a chart of an hour, whatever time was asked for."""
    last, history = polls({(ONE, EU): OUTDATED})
    begin = EPOCH - 9 * HOUR
    found = timeline(product_view({}).with_snapshot(last), history, begin, EPOCH + HOUR, complete=True)
    assert (found.begin, found.end) == (EPOCH, EPOCH + HOUR)
    (bar,) = found.bars
    assert (bar.x, bar.width) == (0, 100)


def test_a_chart_of_no_time_is_empty() -> None:
    """A product that was first seen now has a chart without bars."""
    last, history = polls({(ONE, EU): OUTDATED})
    found = timeline(product_view({}).with_snapshot(last), history, EPOCH - HOUR, EPOCH, complete=True)
    assert (found.begin, found.labels) == (EPOCH, [])


def test_a_chart_of_too_many_transitions_begins_with_the_oldest() -> None:
    """If older transitions were left out, the chart begins with the oldest one that is known."""
    last, history = polls({(ONE, EU): CURRENT}, {(ONE, EU): OUTDATED}, {(ONE, EU): CURRENT})
    view = product_view({}).with_snapshot(last)
    found = timeline(view, history[:1], EPOCH - HOUR, EPOCH + 3 * HOUR, complete=False)
    assert found.begin == history[0].observed_at


def test_a_poll_between_the_two_reads_is_not_taken_back() -> None:
    """A transition that is newer than the snapshot does not change its counts."""
    last, _ = polls({(ONE, EU): CURRENT})
    _, history = polls({(ONE, EU): CURRENT}, {(ONE, EU): OUTDATED})
    found = timeline(product_view({}).with_snapshot(last), history, EPOCH, EPOCH + 2 * HOUR, complete=True)
    assert [dict(bar.counts) for bar in found.bars] == [dict.fromkeys(STACK, 0)]


def test_the_bars_are_bounded_and_inside_the_chart() -> None:
    """A product that changes with every poll has one bar a column at most, and no part leaves the chart."""
    toggling = [{(ONE, EU): OUTDATED if number % 2 else CURRENT} for number in range(500)]
    last, history = polls(*toggling)
    view = product_view({}).with_snapshot(last)
    found = timeline(view, history, EPOCH, EPOCH + 500 * HOUR, complete=True)
    assert len(found.bars) <= COLUMNS
    assert len(found.labels) <= 6
    for bar in found.bars:
        assert 0 <= bar.x <= bar.x + bar.width <= 100.001
        assert all(0 <= part.y <= part.y + part.height <= 100.001 for part in bar.parts)
    assert all(0 <= label.x <= 100 for label in found.labels)


def test_the_labels_are_round_moments() -> None:
    """A day is divided into parts of six hours, a month into weeks."""
    view = product_view({(ONE, EU): CURRENT})
    day = timeline(view, [], EPOCH, EPOCH + 24 * HOUR, complete=True)
    month = timeline(view, [], EPOCH, EPOCH + timedelta(days=30), complete=True)
    assert [label.text for label in day.labels] == ["06:00", "12:00", "18:00", "00:00"]
    assert [label.text for label in month.labels] == ["Jan 9", "Jan 16", "Jan 23", "Jan 30"]
