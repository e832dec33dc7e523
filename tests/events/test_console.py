"""The log for people: time, level, sentence."""

import logging
import re

from monitor.config.settings import LogFormat, LogLevel
from monitor.events.names import EventName
from monitor.events.setup import Log
from tests.events.capture import Lines, captured
from tests.making import BASELINE

PRODUCT = {"provisioned_product_id": BASELINE.id, "provisioned_product_name": BASELINE.name}
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"


def console() -> tuple[Log, Lines]:
    """Return a log in the console format, and where its lines go."""
    return captured(log_format=LogFormat.CONSOLE)


def without_time(line: str) -> str:
    """Return a line without the time that it begins with."""
    assert re.match(f"{TIME} ", line)
    return line.partition("Z ")[2]


def test_a_line_is_time_level_and_sentence() -> None:
    """The fields are in the sentence, and those that no person reads are left out."""
    log, lines = console()
    log.event(LogLevel.INFO, EventName.ADDED, **PRODUCT, source="hub")
    (line,) = lines.lines
    assert (
        without_time(line) == "info    The product baseline (pp-aaaaaaaaaaaaa) of source hub is monitored from now on."
    )


def test_an_error_says_what_failed_and_why() -> None:
    """The message of AWS alone does not name the product."""
    log, lines = console()
    log.event(LogLevel.WARNING, EventName.POLL_FAILED, **PRODUCT, error_code="Denied", message="not authorized")
    log.event(LogLevel.ERROR, EventName.STATE_RECOVERED, message="The state file /a is used again.")
    assert [without_time(line) for line in lines.lines] == [
        "warning The poll of baseline (pp-aaaaaaaaaaaaa) failed: Denied: not authorized",
        "error   The state file /a is used again.",
    ]


def test_a_name_cannot_command_the_terminal_or_forge_a_line() -> None:
    """Escape sequences are shown, and what follows a newline is indented."""
    log, lines = console()
    name = "\x1b[2J\n2026-01-01T00:00:00Z error   forged"
    log.event(LogLevel.INFO, EventName.ADDED, **{**PRODUCT, "provisioned_product_name": name}, source="hub")
    first, second = lines.lines[0].split("\n")
    assert "\x1b" not in lines.lines[0]
    assert r"\x1b[2J" in first
    assert second.startswith("    2026-01-01T00:00:00Z error   forged (pp-")


def test_a_traceback_follows_indented() -> None:
    """A bug is reported with its place."""
    log, lines = console()
    try:
        int("nowhere")
    except ValueError as error:
        log.crash(EventName.DEFECT, error)
    first, second, *_, last = lines.lines[0].split("\n")
    assert without_time(first).startswith("error   An unexpected error occurred")
    assert (second, last) == (
        "    Traceback (most recent call last):",
        "    ValueError: invalid literal for int() with base 10: 'nowhere'",
    )


def test_a_library_has_its_name_before_its_text() -> None:
    """A warning of a library has the same format."""
    _, lines = console()
    logging.getLogger("botocore.credentials").warning("something %s", "odd")
    assert without_time(lines.lines[0]) == "warning botocore.credentials: something odd"


def test_a_terminal_shows_the_level_in_color() -> None:
    """Without a terminal there are no escape sequences."""
    lines = Lines()
    log = Log(lines, LogLevel.INFO, LogFormat.CONSOLE, colors=True)
    log.event(LogLevel.ERROR, EventName.STOPPED)
    assert without_time(lines.lines[0]) == "\x1b[31merror  \x1b[0m The monitor stopped."
