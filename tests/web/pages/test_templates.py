"""How values look on a page."""

from datetime import timedelta

import pytest

from monitor.model.instances import Status
from monitor.web.pages.templates import SMALLEST_SHARE, ago, bar, count, duration, environment
from tests.making import EPOCH


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (86399, "23 h"),
        (86400, "1 d"),
        (86400 * 1200, "1,200 d"),
    ],
)
def test_a_duration_has_its_largest_unit(seconds: float, text: str) -> None:
    """A duration is rounded down to one unit."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(7200, "2 h ago"), (-200, "in 3 min"), (0.5, "now"), (-0.5, "now"), (1, "1 s ago")]
)
def test_a_moment_is_seen_from_now(seconds: float, text: str) -> None:
    """A moment is in the past, in the future or now."""
    assert ago(EPOCH - timedelta(seconds=seconds), EPOCH) == text


@pytest.mark.parametrize(("seconds", "text"), [(200, "in 3 min"), (0, "now"), (-7200, "now")])
def test_what_is_due_is_not_in_the_past(seconds: float, text: str) -> None:
    """A poll that was due two hours ago is waiting or under way."""
    template = environment().from_string("{{ moment | time(due=true) | striptags }}")
    assert template.render(now=EPOCH, moment=EPOCH + timedelta(seconds=seconds)) == text


def test_numbers_have_their_noun() -> None:
    """A noun is singular for one thing only."""
    assert [count(0, "page"), count(1, "page"), count(1200, "page"), count(1200)] == [
        "0 pages",
        "1 page",
        "1,200 pages",
        "1,200",
    ]


def test_one_broken_instance_is_visible_in_a_bar() -> None:
    """A status of one instance among a million has a visible part, the worst first, and the parts fill the bar."""
    parts = bar({Status.CURRENT: 999_998, Status.OUTDATED: 1, Status.INOPERABLE: 1, Status.UNKNOWN: 0})
    assert [status for status, _, _ in parts] == [Status.INOPERABLE, Status.OUTDATED, Status.CURRENT]
    assert all(length > SMALLEST_SHARE * 0.9 for _, _, length in parts)
    assert sum(length for _, _, length in parts) == pytest.approx(100, abs=0.01)
    assert bar({}) == []


def test_markup_in_a_value_is_text() -> None:
    """A template escapes what it is given."""
    assert environment().from_string("{{ name }}").render(name="<b>") == "&lt;b&gt;"
