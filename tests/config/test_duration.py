"""Durations as Prometheus writes them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.duration import MAX_SECONDS, format_duration, parse_duration

BOUNDED = settings(max_examples=200, deadline=None, derandomize=True)
milliseconds = st.integers(1, int(MAX_SECONDS * 1000))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1ms", 0.001),
        ("90s", 90.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("7d", 604800.0),
        ("2w", 1209600.0),
        ("1y", 31536000.0),
        ("1y2w3d4h5m6s7ms", 33019506.007),
        ("0h5m", 300.0),
        ("0000005m", 300.0),
        ("100y", MAX_SECONDS),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    """Each unit is read, alone and combined."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", " ", "5", "5 m", " 5m", "5m ", "5m\n", "-5m", "+5m", "1.5h", "5M", "m", "5m5m"])
def test_other_text_is_refused(text: str) -> None:
    """Signs, points, spaces and other units are refused."""
    with pytest.raises(ValueError, match=r"^is not a duration: write it like 90s, 5m, 1h30m or 7d$"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["0s", "0m0s", "0ms"])
def test_zero_is_refused(text: str) -> None:
    """A duration of zero is refused."""
    with pytest.raises(ValueError, match=r"^must be longer than 0s$"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["100y1ms", "99999999999999999999999999999999999999999999999999999y"])
def test_more_than_a_century_is_refused(text: str) -> None:
    """A duration that would overflow a date is refused."""
    with pytest.raises(ValueError, match=r"^is too long: the maximum is 100y$"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (0.0004, "0s"), (90.0, "1m30s"), (5400.0, "1h30m"), (7776000.0, "90d"), (1209600.0, "2w")],
)
def test_a_duration_is_written_in_the_usual_units(seconds: float, text: str) -> None:
    """Weeks and years are used only alone."""
    assert format_duration(seconds) == text


@BOUNDED
@given(milliseconds)
def test_what_is_written_is_read_back(number: int) -> None:
    """Writing and reading keeps milliseconds."""
    assert round(parse_duration(format_duration(number / 1000)) * 1000) == number


@BOUNDED
@given(st.dictionaries(st.sampled_from(["d", "h", "m", "s", "ms"]), st.integers(1, 9999), min_size=1))
def test_another_way_to_write_it_means_the_same(parts: dict[str, int]) -> None:
    """`90m` and `1h30m` are the same duration."""
    seconds = parse_duration("".join(f"{parts[unit]}{unit}" for unit in ("d", "h", "m", "s", "ms") if unit in parts))
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=1e-6)
