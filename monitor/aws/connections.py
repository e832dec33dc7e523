"""botocore's connections, made so that a deadline can end them in any phase, and an answer has a largest size.

botocore's read timeout is per receive: a server that sends one byte a second never trips it. And botocore
reads as long as the server sends.
"""

import contextlib
import io
import os
import socket
import threading
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import Any

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPConnectionPool, AWSHTTPSConnection, AWSHTTPSConnectionPool

from monitor.aws.aside import Aside
from monitor.model.deadline import Deadline

LARGEST_ANSWER = 1 << 20
"""Bytes, headers included. A page of 20 stack instances has about 3 KiB."""


class Call:
    """One request under way: the `Line` that its deadline interrupts.

    It has a handle of its own on the socket, since TLS takes over the first one, and since urllib3 closes
    its own before the answer is read where the server says that it will close the connection.
    """

    def __init__(self, deadline: Deadline) -> None:
        """Begin without a connection."""
        self.deadline = deadline
        self.too_large = False
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._over = False

    def on(self, line: Any) -> None:
        """Take note of the socket that the request goes over; it may be wrapped in TLS."""
        with self._lock:
            self._drop()
            self._line = socket.socket(fileno=os.dup(line.fileno()))
            if self._over:
                self._shut_down(self._line)

    def interrupt(self) -> None:
        """End every blocking call on the connection."""
        with self._lock:
            self._over = True
            if self._line is not None:
                self._shut_down(self._line)

    def close(self) -> None:
        """Let the socket go."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def _shut_down(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the other side was quicker
            line.shutdown(socket.SHUT_RDWR)


current_call: ContextVar[Call | None] = ContextVar("call", default=None)


class _Received(io.RawIOBase):
    """What comes in on a connection, up to the largest size of an answer."""

    def __init__(self, source: io.RawIOBase) -> None:
        self._source = source
        self._left = LARGEST_ANSWER

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        count = self._source.readinto(buffer)
        self._left -= count or 0
        if self._left < 0:
            if (call := current_call.get()) is not None:
                call.too_large = True
            message = f"the answer has more than {LARGEST_ANSWER} bytes"
            raise OSError(message)
        return count

    def close(self) -> None:
        self._source.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Received(self.fp.detach()))


class _Interruptible:
    """Mixed into botocore's connections."""

    response_class = _Response
    sock: Any

    def _new_conn(self) -> socket.socket:
        connect = super()._new_conn  # type: ignore[misc]
        call = current_call.get()
        if call is None:
            connected: socket.socket = connect()
            return connected
        # Names are resolved and addresses tried one after the other in there: nothing that could be interrupted.
        connected = Aside(connect, socket.socket.close).wait(call.deadline)
        call.on(connected)
        return connected

    def request(self, *args: Any, **kwargs: Any) -> Any:
        if self.sock is not None and (call := current_call.get()) is not None:
            call.on(self.sock)
        return super().request(*args, **kwargs)  # type: ignore[misc]


class _HTTPConnection(_Interruptible, AWSHTTPConnection):  # type: ignore[misc]
    pass


class _HTTPSConnection(_Interruptible, AWSHTTPSConnection):  # type: ignore[misc]
    pass


class HTTPConnectionPool(AWSHTTPConnectionPool):  # type: ignore[misc]
    """Connections without TLS."""

    ConnectionCls = _HTTPConnection


class HTTPSConnectionPool(AWSHTTPSConnectionPool):  # type: ignore[misc]
    """Connections with TLS."""

    ConnectionCls = _HTTPSConnection
