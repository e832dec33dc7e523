"""All events have one format, and no line contains a secret."""

import json
import logging
import re
import warnings
from datetime import UTC, datetime, timedelta, timezone

import pytest

from monitor.config.settings import LogLevel
from monitor.events.setup import LIBRARIES, timestamp
from tests.events.capture import captured

SECRET = "wJalrXUtnFEMI-CANARY"


def test_an_event_is_one_json_object_per_line() -> None:
    """The fields that every event has come first, then the others in their order."""
    log, lines = captured()
    log.event(LogLevel.WARNING, "poll.failed", b="two\nlines", a=None, name="é 🚀", message="It failed.")
    (line,) = lines.lines
    assert list(json.loads(line)) == ["timestamp", "level", "event", "message", "b", "a", "name"]
    assert re.search(r'"timestamp": "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"', line)
    assert "\n" not in line
    assert lines.entries() == [
        {
            "level": "warning",
            "event": "poll.failed",
            "message": "It failed.",
            "b": "two\nlines",
            "a": None,
            "name": "é 🚀",
        }
    ]


@pytest.mark.parametrize(
    ("level", "logged"), [(LogLevel.INFO, True), (LogLevel.WARNING, False), (LogLevel.DEBUG, True)]
)
def test_events_below_the_level_are_not_logged(level: LogLevel, logged: bool) -> None:
    """An event below the level is neither written nor rendered."""
    log, lines = captured(level)
    log.event(LogLevel.INFO, "an.event")
    assert bool(lines.lines) == logged
    assert (log.render(LogLevel.INFO, "an.event") is not None) == logged


def test_a_rendered_line_is_the_line_of_an_event() -> None:
    """A rendered event has the same content as a written one."""
    log, lines = captured()
    log.event(LogLevel.ERROR, "an.event", field=1)
    rendered = log.render(LogLevel.ERROR, "an.event", field=1)
    assert rendered is not None
    written, other = (json.loads(line) for line in (lines.lines[0], rendered))
    assert {**written, "timestamp": ""} == {**other, "timestamp": ""}


@pytest.mark.parametrize("name", ["apscheduler.scheduler", "uvicorn.error", "botocore.credentials"])
def test_libraries_write_in_the_same_format(name: str) -> None:
    """A warning of a library is an event with the name of its logger."""
    _, lines = captured()
    logging.getLogger(name).warning("something %s", "odd")
    assert lines.entries() == [
        {"level": "warning", "event": "something odd", "message": "something odd", "logger": name}
    ]


@pytest.mark.parametrize("name", LIBRARIES)
def test_libraries_log_warnings_only(name: str) -> None:
    """Libraries log nothing below WARNING, because botocore logs session tokens at DEBUG."""
    _, lines = captured(LogLevel.DEBUG)
    logging.getLogger(f"{name}.part").debug("x-amz-security-token: %s", SECRET)
    logging.getLogger(f"{name}.part").info("x-amz-security-token: %s", SECRET)
    assert lines.lines == []


def test_a_traceback_contains_no_values_of_variables() -> None:
    """A traceback has places and the exception only, because a local variable may be a credential."""
    log, lines = captured()

    def connect(token: str) -> None:
        raise ValueError(f"bad token of {len(token)} characters")

    try:
        connect(SECRET)
    except ValueError as error:
        log.crash("monitor.defect", error, provisioned_product_id="pp-1")
    (line,) = lines.lines
    entry = json.loads(line)
    assert SECRET not in line
    assert entry["exception"].startswith("Traceback (most recent call last):")
    assert entry["exception"].endswith("ValueError: bad token of 20 characters")
    assert (entry["level"], entry["event"], entry["provisioned_product_id"]) == ("error", "monitor.defect", "pp-1")


def test_a_record_that_cannot_be_formatted_does_not_raise(capsys: pytest.CaptureFixture[str]) -> None:
    """A library that logs a wrong format does not end a poll."""
    _, lines = captured()
    logging.getLogger("apscheduler").warning("%d", "not a number")
    logging.getLogger("apscheduler").warning("fine")
    assert [entry["event"] for entry in lines.entries()] == ["fine"]
    capsys.readouterr()


def test_python_warnings_are_not_logged() -> None:
    """Warnings of Python are left to Python."""
    _, lines = captured()
    with pytest.warns(UserWarning, match="odd"):
        warnings.warn("odd", stacklevel=1)
    assert lines.lines == []


def test_timestamps_are_utc_with_milliseconds() -> None:
    """A timestamp is in UTC with milliseconds, whatever the time zone of the moment."""
    moment = datetime(2026, 1, 2, 3, 4, 5, 6999, tzinfo=timezone(timedelta(hours=2)))
    assert timestamp(moment) == "2026-01-02T01:04:05.006Z"
    assert timestamp(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00.000Z"
