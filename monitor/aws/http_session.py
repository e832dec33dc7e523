"""botocore's HTTP session on connections that obey the deadline of the poll and bound the size of a response.

botocore's read timeout is per receive: a server that sends one byte a second never reaches it. And botocore reads
for as long as the server sends.
"""

import io
import os
import socket
import time
from http.client import HTTPResponse
from typing import Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
    AWSPreparedRequest,
    AWSResponse,
)
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies
from urllib3.exceptions import LocationParseError

from monitor.aws.background import current_deadline, result_of, run_in_thread
from monitor.model.deadline import CHECK_SECONDS
from monitor.model.errors import PollCancelledError, PollFailedError, Reason

INVALID_PROXY = "HTTPS_PROXY or HTTP_PROXY is not a URL; write / in its password as %2F, and @ as %40"
CONNECT_TIMEOUT = 5.0
# Seconds to wait for the next byte. The API answers in well below one.
READ_TIMEOUT = 20.0
# Headers included. A page of 20 stack instances has about 3 KiB.
MAXIMUM_RESPONSE_BYTES = 1 << 20
# Seconds. A socket timeout of 0 would mean a non-blocking socket.
_SHORTEST_TIMEOUT = 0.001
_OK = 200


class HttpSession(URLLib3Session):  # type: ignore[misc]
    """Connections to one endpoint, under the deadline of the thread that sends."""

    def __init__(self, origin: str, ca_bundle: str | None, connections: int) -> None:
        """Take proxies for `origin` (`https://host:port`) and trusted certificates from the environment, as botocore.

        Keep up to `connections` connections open.
        """
        super().__init__(
            verify=ca_bundle or os.environ.get("REQUESTS_CA_BUNDLE") or True,
            proxies=get_environ_proxies(origin),
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            max_pool_connections=connections,
            # botocore's clients set this themselves. Without it the second half of a request waits until the first
            # half is acknowledged: 40 ms.
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )
        # URLLib3Session has no public way to choose the class of its connections. The pool managers hold a
        # reference to this dictionary; tests/aws/test_interruption.py fails if that changes.
        self._pool_classes_by_scheme.update(http=_HTTPConnectionPool, https=_HTTPSConnectionPool)

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send one request and read the whole response.

        Raises:
            PollFailedError: the deadline passed, or the response was too large or truncated.
            PollCancelledError: the deadline was cancelled.
            HTTPClientError: any other failure, as botocore raises it.
        """
        try:
            response = super().send(request)
        except HTTPClientError as error:
            cause = error.kwargs.get("error")  # botocore wraps every exception that it does not know
            if isinstance(cause, PollFailedError | PollCancelledError):
                raise cause from error
            if isinstance(cause, LocationParseError):  # its text is a part of the URL, maybe of the password
                raise PollFailedError(Reason.OTHER, "InvalidProxyURL", INVALID_PROXY) from error
            raise
        if _is_truncated(response):
            message = "the connection was closed before the end of the response"
            raise PollFailedError(Reason.INCOMPLETE, "CutAnswer", message)
        return response


def _is_truncated(response: AWSResponse) -> bool:
    # botocore switches urllib3's own check off (enforce_content_length=False).
    announced = response.headers.get("Content-Length", "")
    return response.status_code == _OK and announced.isdecimal() and int(announced) != len(response.content)


class _DeadlineReader(io.RawIOBase):
    def __init__(self, sock: Any, file: io.RawIOBase) -> None:
        """Read from `sock`. `file` keeps it open: urllib3 closes the socket before it reads the last response."""
        self._sock = sock
        self._file = file
        self._bytes_left = MAXIMUM_RESPONSE_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._receive(buffer)
        self._bytes_left -= count
        if self._bytes_left < 0:
            message = f"the response has more than {MAXIMUM_RESPONSE_BYTES} bytes"
            raise PollFailedError(Reason.INCOMPLETE, "AnswerTooLarge", message)
        return count

    def close(self) -> None:
        self._file.close()
        super().close()

    def _receive(self, buffer: Any) -> int:
        deadline = current_deadline()
        give_up = time.monotonic() + READ_TIMEOUT
        while True:
            deadline.check()
            timeout = min(CHECK_SECONDS, deadline.remaining(), give_up - time.monotonic())
            self._sock.settimeout(max(_SHORTEST_TIMEOUT, timeout))
            try:
                return int(self._sock.recv_into(buffer))
            except TimeoutError:
                if time.monotonic() >= give_up:
                    raise


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_DeadlineReader(sock, self.fp.detach()))


class _DeadlineConnection:
    """Mixed into botocore's connections."""

    response_class = _Response

    def connect(self) -> None:
        """Look up the name, connect, set up a proxy's tunnel and TLS on a background thread, until the deadline."""
        connecting = run_in_thread(super().connect)  # type: ignore[misc]
        close = super().close  # type: ignore[misc]
        try:
            result_of(connecting, current_deadline())
        except BaseException:
            # The thread may still connect. What it opens has no other owner.
            connecting.add_done_callback(lambda _: close())
            raise


class _HTTPConnection(_DeadlineConnection, AWSHTTPConnection):  # type: ignore[misc]
    pass


class _HTTPSConnection(_DeadlineConnection, AWSHTTPSConnection):  # type: ignore[misc]
    pass


class _HTTPConnectionPool(AWSHTTPConnectionPool):  # type: ignore[misc]
    ConnectionCls = _HTTPConnection


class _HTTPSConnectionPool(AWSHTTPSConnectionPool):  # type: ignore[misc]
    ConnectionCls = _HTTPSConnection
