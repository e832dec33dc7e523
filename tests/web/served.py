"""The real server with small metrics behind it, and clients that are less friendly than Prometheus."""

import gzip
import http.client
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

import pytest

from monitor.web.app import application
from monitor.web.connection import State
from monitor.web.limits import Limits
from monitor.web.listen import listen
from monitor.web.server import Server
from monitor.web.views import Views
from monitor.web.web_config import WebConfigReloader
from tests.web.fake_views import FakeViews

TEXT = b'# TYPE instances gauge\ninstances{account="111111111111"} 1\n'
WAIT = 20.0
"""Seconds to wait for anything; no test needs more than one."""
CHUNK_BYTES = 200_000
SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: monitor\r\n\r\n"
PROBE = b"GET /livez HTTP/1.1\r\nHost: monitor\r\n\r\n"


def lines(count: int) -> bytes:
    """Return so many different lines of about 35 bytes each."""
    return b"".join(b'instances{account="%012d"} 1\n' % number for number in range(count))


def warnings(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return the log records that an operator would see."""
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


class FakeExposition:
    """A text and the same compressed, both in chunks."""

    def __init__(self, text: bytes) -> None:
        """Compress the text."""
        self._text, self._gzip = text, gzip.compress(text, 1)
        self.length, self.gzip_length = len(self._text), len(self._gzip)

    def text(self) -> Iterator[bytes]:
        """Return the text."""
        return _chunks(self._text)

    def gzip(self) -> Iterator[bytes]:
        """Return the gzip stream."""
        return _chunks(self._gzip)


def _chunks(data: bytes) -> Iterator[bytes]:
    return (data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES))


class FakeMetrics:
    """A `MetricsSource` with a fixed text; OpenMetrics has its last line in addition."""

    def __init__(self, text: bytes = TEXT) -> None:
        """Render both formats."""
        self.text = text
        self._expositions = {False: FakeExposition(text), True: FakeExposition(text + b"# EOF\n")}

    def exposition(self, *, openmetrics: bool) -> FakeExposition:
        """Return the metrics."""
        return self._expositions[openmetrics]


@dataclass
class FakeHealth:
    """A `Health` with fixed answers."""

    is_alive: bool = True
    is_ready: bool = True

    def alive(self) -> bool:
        """Return the answer of the liveness probe."""
        return self.is_alive

    def ready(self) -> bool:
        """Return the answer of the readiness probe."""
        return self.is_ready


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Served:
    """A running server and its clients."""

    port: int
    metrics: FakeMetrics
    server: Server
    context: ssl.SSLContext | None = None
    """The TLS context of clients."""
    small_buffers: bool = False

    def connect(self) -> socket.socket:
        """Return a TCP connection on which nothing was sent, not even a TLS handshake."""
        with ExitStack() as on_failure:
            client = on_failure.enter_context(closing(socket.socket()))
            if self.small_buffers:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            client.settimeout(WAIT)
            client.connect(("127.0.0.1", self.port))
            on_failure.pop_all()
        return client

    def connect_tls(self, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """Return a connection after its TLS handshake."""
        context = context or self.context
        assert context
        with ExitStack() as on_failure:
            client = on_failure.enter_context(closing(self.connect()))
            encrypted = context.wrap_socket(client, server_hostname="127.0.0.1")
            on_failure.pop_all()
        return encrypted

    def connections(self, state: State | None = None) -> int:
        """Return the number of connections that the server has, in one state or in any."""
        return sum(state in (None, found) for found in list(self.server._connections.values()))

    def get(self, path: str = "/metrics", method: str = "GET", **headers: str) -> Answer:
        """Send one request on a connection of its own."""
        connection = (
            http.client.HTTPSConnection("127.0.0.1", self.port, timeout=WAIT, context=self.context)
            if self.context
            else http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT)
        )
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()


@contextmanager
def served(
    limits: Limits | None = None,
    metrics: FakeMetrics | None = None,
    web_config: WebConfigReloader | None = None,
    context: ssl.SSLContext | None = None,
    views: Views | None = None,
    *,
    small_buffers: bool = False,
) -> Iterator[Served]:
    """Run a server. With small buffers, the kernel accepts little that the client has not read."""
    limits, metrics = limits or Limits(), metrics or FakeMetrics()
    listening = listen("127.0.0.1:0")
    if small_buffers:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    port = listening.getsockname()[1]
    app = application(metrics, FakeHealth(), views or FakeViews(), version="1.2.3", scrapes=limits.scrapes)
    server = Server(app, listening, web_config, limits)
    assert not server.alive()
    server.start()
    try:
        assert server.alive()
        yield Served(port, metrics, server, context, small_buffers)
    finally:
        server.stop(WAIT)
        assert not server.alive()


def read_all(client: socket.socket) -> bytes:
    """Read until the server closes the connection in any way."""
    found = b""
    try:
        while data := client.recv(1 << 16):
            found += data
    except ConnectionError:
        pass
    return found


def eventually(condition: Callable[[], bool]) -> bool:
    """Repeat a check until it passes, for what the server does without a sign to its clients."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def read_until(client: socket.socket, end: bytes, times: int = 1) -> bytes:
    """Read until the end of a response was received so often."""
    found = b""
    while found.count(end) < times:
        data = client.recv(1 << 16)
        assert data, found[-1000:]
        found += data
    return found
