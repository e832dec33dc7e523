"""A webhook receiver on loopback that stores every notification of an Alertmanager."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.e2e.process import WAIT

Notification = tuple[str, str, str]
"""Name of the alert, `firing` or `resolved`, and path of the receiver."""


@dataclass
class Webhook:
    """The notifications received so far."""

    address: str
    _received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _messages: list[dict[str, str]] = field(default_factory=list)
    _came: threading.Condition = field(default_factory=threading.Condition)

    def notifications(self) -> list[Notification]:
        """Return all notifications in the order of arrival."""
        with self._came:
            return [(body["groupLabels"]["alertname"], body["status"], path) for path, body in self._received]

    def wait_for(self, count: int, name: str, status: str) -> dict[str, Any]:
        """Wait for a number of notifications of an alert with a status, and return the last."""

        def found() -> list[dict[str, Any]]:
            bodies = [body for _, body in self._received]
            return [one for one in bodies if (one["groupLabels"]["alertname"], one["status"]) == (name, status)]

        with self._came:
            self._came.wait_for(lambda: len(found()) >= count, WAIT)
            seen = found()
        assert len(seen) >= count, f"no {count} x {name} {status} in {self.notifications()}"
        return seen[count - 1]

    def wait_for_message(self, title: str) -> dict[str, str]:
        """Wait for a message to Slack with this title, and return its attachment."""

        def found() -> list[dict[str, str]]:
            return [one for one in self._messages if one["title"] == title]

        with self._came:
            self._came.wait_for(lambda: bool(found()), WAIT)
            seen = found()
        assert seen, f"no message {title!r} in {self._messages}"
        return seen[0]

    def receive(self, path: str, body: dict[str, Any]) -> None:
        """Store a notification, or a message to Slack."""
        with self._came:
            if "attachments" in body:
                self._messages.extend(body["attachments"])
            else:
                self._received.append((path, body))
            self._came.notify_all()


@contextmanager
def webhook() -> Iterator[Webhook]:
    """Receive notifications until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.receive(self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the name that http.server has
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received = Webhook(f"127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield received
        finally:
            server.shutdown()
            thread.join()
