"""Capture log lines as values."""

import json
from typing import Any

from monitor.config.settings import LogFormat, LogLevel
from monitor.events.setup import Log
from monitor.events.writer import LineWriter


class Lines(LineWriter):
    """Keeps the lines instead of writing them; `closed` stands for a closed stdout."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.closed = False

    def write(self, line: str) -> None:
        """Keep a line."""
        self.lines.append(line)

    def write_through(self, lines: Any) -> bool:
        """Keep lines, unless stdout is closed."""
        if not self.closed:
            self.lines.extend(lines)
        return not self.closed

    def entries(self) -> list[dict[str, Any]]:
        """Return the lines as objects, without their timestamps, and forget them."""
        found = [json.loads(line) for line in self.lines]
        self.lines.clear()
        for entry in found:
            del entry["timestamp"]
        return found


def captured(level: LogLevel = LogLevel.INFO, log_format: LogFormat = LogFormat.JSON) -> tuple[Log, Lines]:
    """Return a log and where its lines go."""
    lines = Lines()
    return Log(lines, level, log_format), lines
