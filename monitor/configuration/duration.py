"""Durations, written as the `<duration>` of a Prometheus configuration file."""

import re

_UNITS = {"y": 365 * 86400, "w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
PATTERN = "^" + "".join(f"(?:([0-9]+){unit})?" for unit in _UNITS) + "$"
_DURATION = re.compile(PATTERN)
LONGEST = 100 * 365 * 86400.0


def parse_duration(text: str) -> float:
    """Return the seconds of `90s`, `5m`, `1h30m` or `7d`; raise `ValueError` for anything else and for nothing."""
    found = _DURATION.match(text) if len(text) <= 64 else None  # noqa: PLR2004 - nobody needs more digits
    seconds = sum(int(n) * unit for n, unit in zip(found.groups(), _UNITS.values(), strict=True) if n) if found else 0
    if not 0 < seconds <= LONGEST:
        message = f"{text[:64]!r} is not a duration: write it like 90s, 5m, 1h30m or 7d"
        raise ValueError(message)
    return float(seconds)


def format_duration(seconds: float) -> str:
    """Write seconds as the same kind of text, `1h30m`."""
    rest = round(seconds * 1000)
    parts = []
    for unit, size in _UNITS.items():
        number, rest = divmod(rest, round(size * 1000))
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"
