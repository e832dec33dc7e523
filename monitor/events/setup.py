"""Set up structlog and the standard library's logging: all events in one format, written by one writer."""

import logging
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import structlog
from structlog.typing import Processor

from monitor.config.settings import LogFormat, LogLevel
from monitor.events.console import ConsoleRenderer
from monitor.events.names import message
from monitor.events.writer import LineWriter

Event = MutableMapping[str, Any]

# Logged at WARNING and above, whatever the level: at DEBUG, botocore logs session tokens and signatures.
LIBRARIES = ("boto3", "botocore", "urllib3", "s3transfer", "apscheduler", "uvicorn", "asyncio")


class Log:
    """Log events. `event` and `crash` write a line; `render` returns one for a caller that writes it."""

    def __init__(self, writer: LineWriter, level: LogLevel, log_format: LogFormat, *, colors: bool = False) -> None:
        """Configure the standard library's logging of this process, so that libraries write in the same format.

        `colors`: color the levels of the console format, for a terminal.
        """
        self.writer = writer
        self._level = level.number
        # A traceback as text has no values of local variables: those may be credentials.
        shared: list[Processor] = [structlog.stdlib.add_log_level, _add_timestamp, structlog.processors.format_exc_info]
        renderer: Processor
        if log_format is LogFormat.JSON:
            shared.append(_add_message)
            # Names in any script stay readable for people who search the log.
            renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
        else:
            renderer = ConsoleRenderer(colors=colors)
        self._processors: list[Processor] = [*shared, _order, renderer]
        handler = logging.StreamHandler(writer)
        handler.terminator = ""  # the writer ends lines
        handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=[*shared, _add_logger, _order],
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            )
        )
        root = logging.getLogger()
        root.handlers[:] = [handler]  # a handler of a library would write lines of another format
        root.setLevel(self._level)
        for name in LIBRARIES:
            logging.getLogger(name).setLevel(max(logging.WARNING, self._level))

    def event(self, level: LogLevel, event: str, **fields: Any) -> None:
        """Log an event; a `message` among the fields replaces the one of the event."""
        if (line := self.render(level, event, **fields)) is not None:
            self.writer.write(line)

    def crash(self, event: str, error: BaseException, **fields: Any) -> None:
        """Log an unexpected error with its traceback."""
        self.event(LogLevel.ERROR, event, exc_info=error, **fields)

    def render(self, level: LogLevel, event: str, **fields: Any) -> str | None:
        """Return the line of an event; None if its level is below the configured one."""
        if level.number < self._level:
            return None
        line: Any = {"event": str(event), **fields}
        for processor in self._processors:
            line = processor(None, level, line)
        return str(line)


def _add_timestamp(_: Any, __: str, event: Event) -> Event:
    event["timestamp"] = timestamp(datetime.now(UTC))
    return event


def _add_message(_: Any, __: str, event: Event) -> Event:
    if "message" not in event:
        event["message"] = message(event["event"], event)
    return event


def _add_logger(_: Any, __: str, event: Event) -> Event:
    event["logger"] = event["_record"].name
    return event


def _order(_: Any, __: str, event: Event) -> Event:
    # People read the first columns, so the fields that every line has come first.
    first = {key: event.pop(key) for key in ("timestamp", "level", "event", "message") if key in event}
    return {**first, **event}


def timestamp(moment: datetime) -> str:
    """Write a moment as RFC 3339 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
