"""Durations, written as the `<duration>` of a Prometheus configuration file."""

import re

_UNITS = {"y": 365 * 86400_000, "w": 7 * 86400_000, "d": 86400_000, "h": 3600_000, "m": 60_000, "s": 1000, "ms": 1}
"""Milliseconds, in the order in which the units are written."""
_ALONE = ("y", "w")
PATTERN = "^" + "".join(f"([0-9]+{unit})?" for unit in _UNITS) + "$"
_DURATION = re.compile("".join(f"(?:([0-9]+){unit})?" for unit in _UNITS))
EXAMPLES = "90s, 5m, 1h30m or 7d"
LONGEST = 100 * _UNITS["y"] / 1000
_MOST_CHARACTERS = 64


def parse_duration(text: str) -> float:
    """Return the seconds of `90s`, `5m`, `1h30m` or `7d`.

    Raises `ValueError` for anything else; the message goes on after the text: `is not ...`.
    """
    found = _DURATION.fullmatch(text) if text and len(text) <= _MOST_CHARACTERS else None
    if found is None:
        message = f"is not a duration: write it like {EXAMPLES}"
        raise ValueError(message)
    milliseconds = sum(int(n) * unit for n, unit in zip(found.groups(), _UNITS.values(), strict=True) if n)
    seconds = milliseconds / 1000
    if not 0 < seconds <= LONGEST:
        message = "is too long: 100y is the most" if seconds else "is no time at all: write more than 0s"
        raise ValueError(message)
    return seconds


def format_duration(seconds: float) -> str:
    """Write seconds, rounded to milliseconds, as the same kind of text: `1h30m`.

    As in Prometheus, years and weeks stand alone or not at all: 90 days are `90d`, not `12w6d`.
    """
    rest = round(seconds * 1000)
    parts = []
    for unit, size in _UNITS.items():
        if unit in _ALONE and rest % size:
            continue
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"
