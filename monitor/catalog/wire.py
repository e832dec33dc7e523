"""The HTTP below boto3, so that a deadline can end a call in any phase.

botocore's read timeout is per receive: a server that sends one byte a second never trips it.
botocore lets a `before-send` handler answer a request (a documented event); ours sends it over
botocore's own HTTP session, on connections that another thread can shut down.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
    AWSPreparedRequest,
    AWSResponse,
)
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from monitor.poller.deadline import Deadline

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 20.0
"""Seconds to wait for the next byte. The API answers in well below one."""

_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)
_call: ContextVar["_Call | None"] = ContextVar("call", default=None)


@contextmanager
def within(deadline: Deadline) -> Iterator[None]:
    """Let every AWS call of this thread end with the deadline, also those that botocore makes by itself."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


class _Call:
    """One request under way, and the connection that it waits on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._over = False

    def on(self, line: socket.socket | None) -> None:
        with self._lock:
            self._line = line
            over = self._over
        if over:
            self.interrupt()

    def interrupt(self) -> None:
        with self._lock:
            self._over = True
            if self._line is not None:
                with contextlib.suppress(OSError):  # closed in the meantime: nobody waits on it
                    self._line.shutdown(socket.SHUT_RDWR)


class _Interruptible:
    """Mixed into botocore's connections: keeps a second handle on the socket, since TLS takes over the first."""

    _line: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        connected: socket.socket = super()._new_conn()  # type: ignore[misc]
        self._drop_line()
        self._line = connected.dup()
        self._tell_call()
        return connected

    def request(self, *args: Any, **kwargs: Any) -> Any:
        self._tell_call()
        return super().request(*args, **kwargs)  # type: ignore[misc]

    def close(self) -> None:
        self._drop_line()
        super().close()  # type: ignore[misc]

    def _tell_call(self) -> None:
        if (call := _call.get()) is not None:
            call.on(self._line)

    def _drop_line(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            self._tell_call()
            line.close()


class _HTTPConnection(_Interruptible, AWSHTTPConnection):  # type: ignore[misc]
    pass


class _HTTPSConnection(_Interruptible, AWSHTTPSConnection):  # type: ignore[misc]
    pass


class _HTTPConnectionPool(AWSHTTPConnectionPool):  # type: ignore[misc]
    ConnectionCls = _HTTPConnection


class _HTTPSConnectionPool(AWSHTTPSConnectionPool):  # type: ignore[misc]
    ConnectionCls = _HTTPSConnection


class Wire(URLLib3Session):  # type: ignore[misc]
    """botocore's HTTP session on connections that a deadline can interrupt."""

    def __init__(self, url: str, *, ca_bundle: str | None, connections: int) -> None:
        """Serve one endpoint with up to `connections` connections; proxies as botocore finds them for `url`."""
        super().__init__(
            verify=ca_bundle or os.environ.get("REQUESTS_CA_BUNDLE") or True,
            proxies=get_environ_proxies(url),
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            max_pool_connections=connections,
        )
        # The dictionary is the one that the pool managers were given by reference.
        self._pool_classes_by_scheme.update(http=_HTTPConnectionPool, https=_HTTPSConnectionPool)

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send one request; raise what the deadline of this thread raises, or botocore's HTTP errors."""
        deadline = _deadline.get()
        if deadline is None:
            return super().send(request)
        deadline.check()
        call = _Call()
        token = _call.set(call)
        try:
            with deadline.attached(call):
                return super().send(request)
        finally:
            _call.reset(token)
            # An interrupted body may look like a short but complete one: what counts is the clock.
            deadline.check()
