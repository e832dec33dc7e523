"""Sends the requests of one source, those to STS included.

botocore lets a `before-send` handler answer a request (a documented event). Ours sends it over an `HttpSession`.
"""

import threading
import time
from typing import Any, Protocol
from urllib.parse import urlsplit

from botocore.awsrequest import AWSResponse
from botocore.session import Session

from monitor.aws.http_session import HttpSession
from monitor.aws.redaction import Secrets


class ApiObserver(Protocol):
    """Receives what happens at one source: metrics and events are made from it. Called from many threads."""

    def attempted(self, operation: str, seconds: float) -> None:
        """One request was sent, and its response or its failure took this long."""

    def failed(self, operation: str, code: str) -> None:
        """One attempt failed with an AWS error code, or with the name of an exception below it."""

    def waited(self, seconds: float) -> None:
        """A call waited this long for the rate limit."""

    def rate_limited(self, calls_per_second: float, configured: float) -> None:
        """The rate limit changed. It is below `configured` while AWS throttles and for a while afterwards."""


class Transport:
    """One HTTP session for each endpoint, shared by all clients of a source. Safe to use from many threads."""

    def __init__(self, observer: ApiObserver, connections: int) -> None:
        """Keep up to `connections` connections open to each endpoint."""
        self.secrets = Secrets()
        self._observer = observer
        self._connections = connections
        self._lock = threading.Lock()
        self._sessions: dict[str, HttpSession] = {}

    def install(self, session: Session) -> None:
        """Send the requests of every client that `session` creates from now on."""
        ca_bundle = session.get_config_variable("ca_bundle")

        def send(**event: Any) -> AWSResponse:
            request, operation = event["request"], event["event_name"].rpartition(".")[2]
            self.secrets.add_from(request)
            http = self._http_session(request.url, ca_bundle)
            start = time.monotonic()
            try:
                return http.send(request)
            finally:
                self._observer.attempted(operation, time.monotonic() - start)

        session.register("before-send", send)

    def _http_session(self, url: str, ca_bundle: str | None) -> HttpSession:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        with self._lock:
            session = self._sessions.get(origin)
            if session is None:
                session = self._sessions[origin] = HttpSession(origin, ca_bundle, self._connections)
            return session
