"""Durations in the syntax of Prometheus (`<duration>` of its configuration documentation)."""

import re

# Milliseconds of each unit, in the order in which they are written.
_UNITS = {"y": 365 * 86400_000, "w": 7 * 86400_000, "d": 86400_000, "h": 3600_000, "m": 60_000, "s": 1000, "ms": 1}
_ONLY_ALONE = ("y", "w")
PATTERN = "^" + "".join(f"([0-9]+{unit})?" for unit in _UNITS) + "$"
_DURATION = re.compile("".join(f"(?:([0-9]+){unit})?" for unit in _UNITS))
EXAMPLES = "90s, 5m, 1h30m or 7d"
MAX_SECONDS = 100 * _UNITS["y"] / 1000
_MAX_CHARACTERS = 64


def parse_duration(text: str) -> float:
    """Return the seconds of a duration like `90s`, `5m`, `1h30m` or `7d`.

    Raises `ValueError` with a message that continues a sentence: `is not a duration: ...`.
    """
    found = _DURATION.fullmatch(text) if text and len(text) <= _MAX_CHARACTERS else None
    if found is None:
        message = f"is not a duration: write it like {EXAMPLES}"
        raise ValueError(message)
    milliseconds = sum(int(n) * unit for n, unit in zip(found.groups(), _UNITS.values(), strict=True) if n)
    seconds = milliseconds / 1000
    if not 0 < seconds <= MAX_SECONDS:
        message = "is too long: the maximum is 100y" if seconds else "must be longer than 0s"
        raise ValueError(message)
    return seconds


def format_duration(seconds: float) -> str:
    """Return seconds, rounded to milliseconds, as a duration like `1h30m`.

    As in Prometheus, years and weeks are used only alone: 90 days are `90d`, not `12w6d`.
    """
    rest = round(seconds * 1000)
    parts = []
    for unit, size in _UNITS.items():
        if unit in _ONLY_ALONE and rest % size:
            continue
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"
