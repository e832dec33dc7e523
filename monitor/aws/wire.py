"""The HTTP below boto3, so that a deadline can end a call in any phase.

botocore lets a `before-send` handler answer a request (a documented event). Ours is set on the session and
so sends every request of a source, those to STS included, over botocore's own HTTP session on connections of ours.
"""

import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from monitor.aws.aside import current_deadline
from monitor.aws.connections import LARGEST_ANSWER, Call, HTTPConnectionPool, HTTPSConnectionPool, current_call
from monitor.aws.redaction import Secrets
from monitor.model.errors import PollFailedError, Reason

if TYPE_CHECKING:
    from botocore.session import Session

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 20.0
"""Seconds to wait for the next byte. The API answers in well below one."""
_OK = 200


class ApiObserver(Protocol):
    """Who wants to know of every attempt."""

    def attempted(self, operation: str, seconds: float) -> None:
        """One request went out and took this long until its answer or its failure."""

    def failed(self, operation: str, code: str) -> None:
        """One attempt failed with an error code of AWS, or with the name of an error below it."""

    def waited(self, seconds: float) -> None:
        """A call waited for its place in the budget."""


class Wire:
    """Sends the requests of one source. Safe to use from many threads."""

    def __init__(self, observer: ApiObserver, connections: int) -> None:
        """Keep up to `connections` connections open to each endpoint."""
        self.secrets = Secrets()
        self._observer = observer
        self._connections = connections
        self._lock = threading.Lock()
        self._sessions: dict[str, _HTTPSession] = {}

    def serve(self, session: "Session") -> None:
        """Send what the clients of a session send that are made from now on."""
        ca_bundle = session.get_config_variable("ca_bundle")

        def send(**event: Any) -> AWSResponse:
            request, operation = event["request"], event["event_name"].rpartition(".")[2]
            self.secrets.sent(request)
            http = self._session(request.url, ca_bundle)
            begun = time.monotonic()
            try:
                return http.send(request)
            finally:
                self._observer.attempted(operation, time.monotonic() - begun)

        session.register("before-send", send)

    def _session(self, url: str, ca_bundle: str | None) -> "_HTTPSession":
        place = urlsplit(url)
        origin = f"{place.scheme}://{place.netloc}"
        with self._lock:
            session = self._sessions.get(origin)
            if session is None:
                session = self._sessions[origin] = _HTTPSession(origin, ca_bundle, self._connections)
            return session


class _HTTPSession(URLLib3Session):  # type: ignore[misc]
    """botocore's HTTP session to one endpoint, on connections that a deadline can interrupt."""

    def __init__(self, origin: str, ca_bundle: str | None, connections: int) -> None:
        super().__init__(
            verify=ca_bundle or os.environ.get("REQUESTS_CA_BUNDLE") or True,
            proxies=get_environ_proxies(origin),
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            max_pool_connections=connections,
            # botocore's clients ask for this themselves. Without it a request is sent in two halves, the
            # second when the first is acknowledged: 40 ms.
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )
        # The dictionary is the one that the pool managers were given by reference.
        self._pool_classes_by_scheme.update(http=HTTPConnectionPool, https=HTTPSConnectionPool)

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send one request; raise what the deadline of this thread raises, or botocore's HTTP errors."""
        deadline = current_deadline()
        if deadline is None:
            return super().send(request)
        deadline.check()
        call = Call(deadline)
        token = current_call.set(call)
        try:
            with deadline.attached(call):
                response = super().send(request)
        except HTTPClientError as error:
            if call.too_large:
                message = f"the answer has more than {LARGEST_ANSWER} bytes"
                raise PollFailedError(Reason.INCOMPLETE, "AnswerTooLarge", message) from error
            raise
        finally:
            current_call.reset(token)
            call.close()
            # An interrupted body may look like a short but complete one: what counts is the clock.
            deadline.check()
        if _is_cut(response):
            message = "the connection was closed before the end of the answer"
            raise PollFailedError(Reason.INCOMPLETE, "CutAnswer", message)
        return response


def _is_cut(response: AWSResponse) -> bool:
    """Compare the length that was announced with the one that came, which botocore does not."""
    announced = response.headers.get("Content-Length", "")
    return response.status_code == _OK and announced.isdecimal() and int(announced) != len(response.content)
