"""The format of the log for people (`log.format: console`): time, level, sentence."""

from collections.abc import Mapping, MutableMapping
from typing import Any

from monitor.events.names import EventName, message

COLORS: Mapping[str, str] = {
    "debug": "\x1b[2m",
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[31m",
}
"""The escape sequence before each level on a terminal (ECMA-48, Select Graphic Rendition)."""
_RESET = "\x1b[0m"
_WIDTH = len("warning")
_COMPLETE = (EventName.STATE_RECOVERED, EventName.FAILED)
"""Events whose own message says everything; that of the others is the reason for their sentence."""
_CONTINUED = "\n    "
"""Before each further line of an event: no text of AWS can look like an event of its own."""


class ConsoleRenderer:
    """A processor of structlog that returns the line of an event."""

    def __init__(self, *, colors: bool) -> None:
        self._colors = COLORS if colors else {}

    def __call__(self, _: Any, __: str, event: MutableMapping[str, Any]) -> str:
        """Return the line; a traceback, or an error of several lines, follows it indented."""
        level = str(event["level"])
        color = self._colors.get(level, "")
        padded = f"{color}{level:{_WIDTH}}{_RESET if color else ''}"
        text = [*_sentence(event).splitlines(), *str(event.get("exception", "")).splitlines()]
        return f"{str(event['timestamp'])[:19].replace('T', ' ')}Z {padded} {_CONTINUED.join(map(printable, text))}"


def printable(text: str) -> str:
    """Return text with control characters escaped, so that a name from AWS cannot control the terminal."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def _sentence(event: Mapping[str, Any]) -> str:
    """Return what happened and, if the event has a message of its own, why; the name of a library before its text."""
    name, own = str(event["event"]), event.get("message")
    if "logger" in event:
        return f"{event['logger']}: {name}"
    if own is None:
        return message(name, event)
    return str(own) if name in _COMPLETE else f"{message(name, event).removesuffix('.')}: {own}"
