"""The real server with a small board behind it, and clients that are not as friendly as Prometheus."""

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from monitor.metrics.chunk import Chunk, Exposition
from monitor.web.access import Access
from monitor.web.app import Board, Health, application
from monitor.web.limits import Limits
from monitor.web.server import Server, listen

TEXT = b'# TYPE fleet gauge\nfleet{account="111111111111"} 1\n'


def lines(count: int) -> bytes:
    """Return so many lines that all differ, about 30 bytes each."""
    return b"".join(b'fleet{account="%012d"} 1\n' % number for number in range(count))


WAIT = 20.0
"""Seconds to wait for anything; nothing here takes more than one."""


class FakeBoard:
    """Shows a text, the same in both formats but for the last line of OpenMetrics."""

    def __init__(self, text: bytes = TEXT) -> None:
        """Compress the text in chunks of 200 kB."""
        self.show(text)

    def show(self, text: bytes) -> None:
        """Show another text from now on."""
        size = 200_000
        self.text = text
        self._chunks = [Chunk.compress(text[at : at + size]) for at in range(0, len(text), size)]

    def exposition(self, *, openmetrics: bool) -> Exposition:
        """Return everything."""
        return Exposition([*self._chunks, Chunk.compress(b"# EOF\n" if openmetrics else b"")])


@dataclass
class FakeHealth:
    """Is as well as it is said to be."""

    ticks: bool = True
    is_ready: bool = True

    def alive(self) -> bool:
        """Say so."""
        return self.ticks

    def ready(self) -> bool:
        """Say so."""
        return self.is_ready


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Served:
    """A server that runs."""

    port: int
    board: FakeBoard
    server: Server
    context: ssl.SSLContext | None = None
    """What clients speak TLS with."""

    small_buffers: bool = False

    def connect(self) -> socket.socket:
        """Return a connection on which nothing was said, TLS included."""
        with ExitStack() as on_failure:
            client = on_failure.enter_context(closing(socket.socket()))
            if self.small_buffers:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            client.settimeout(WAIT)
            client.connect(("127.0.0.1", self.port))
            on_failure.pop_all()
        return client

    def agree(self, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """Return a connection on which TLS is agreed on, and nothing else was said."""
        context = context or self.context
        assert context
        with ExitStack() as on_failure:
            client = on_failure.enter_context(closing(self.connect()))
            agreed = context.wrap_socket(client, server_hostname="127.0.0.1")
            on_failure.pop_all()
        return agreed

    def connections(self) -> int:
        """Return how many connections the server counts."""
        return len(self.server._register)

    def ask(self, path: str = "/metrics", method: str = "GET", **headers: str) -> Answer:
        """Send one request as a good client does, on a connection of its own."""
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
    board: FakeBoard | None = None,
    access: Access | None = None,
    context: ssl.SSLContext | None = None,
    *,
    small_buffers: bool = False,
) -> Iterator[Served]:
    """Serve until the end of the block; with small buffers the kernel takes little that the client has not read."""
    limits = limits or Limits()
    fake: FakeBoard = board or FakeBoard()
    typed: Board = fake
    health: Health = FakeHealth()
    bound = listen("127.0.0.1:0")
    if small_buffers:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    port = bound.getsockname()[1]
    server = Server(application(typed, health, version="1.2.3", scrapes=limits.scrapes), bound, access, limits)
    server.start()
    try:
        yield Served(port, fake, server, context, small_buffers)
    finally:
        server.stop(WAIT)
        assert not server.alive()


def read_all(client: socket.socket) -> bytes:
    """Read until the server closes, which is no error however it does."""
    found = b""
    try:
        while data := client.recv(1 << 16):
            found += data
    except ConnectionError:
        pass
    return found


def eventually(condition: Callable[[], bool]) -> bool:
    """Look until a condition holds; for what the server does without saying so."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False
