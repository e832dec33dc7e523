"""Hundreds of clients that say nothing or a byte now and then, and a real scrape beside them."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace

from monitor.web.access import Access
from monitor.web.limits import Limits
from tests.web.certificates import WebFolder
from tests.web.serving import TEXT, FakeBoard, Served, read_all, served

CLIENTS = 300
LIMIT_SECONDS = 1.0
SCRAPES = 5


@contextmanager
def dripping(clients: list[socket.socket]) -> Iterator[None]:
    """Send a byte on each connection, again and again, ten times as fast as it would be bad enough."""
    end = threading.Event()

    def drip() -> None:
        while not end.wait(0.1):
            for client in clients:
                with suppress(OSError):
                    client.send(b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def scrape_times(server: Served, where: str) -> list[float]:
    """Scrape some times, and return how long each took."""
    times = []
    for _ in range(SCRAPES):
        begin = time.monotonic()
        got = server.ask()
        times.append(time.monotonic() - begin)
        assert (got.status, got.body) == (200, server.board.text)
    print(f"{where}: {max(times) * 1000:.1f} ms the slowest of {SCRAPES}")
    return times


def test_a_scrape_beside_slow_clients() -> None:
    """A third says nothing, a third a byte now and then, a third a head that has no end; a scrape is answered."""
    with served(board=FakeBoard(TEXT * 20_000)) as server, ExitStack() as stack:
        clients = [stack.enter_context(closing(server.connect())) for _ in range(CLIENTS)]
        for client in clients[200:]:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: monitor\r\nX: ")
        with dripping(clients[100:]):
            assert max(scrape_times(server, f"beside {CLIENTS} slow clients")) < LIMIT_SECONDS


def test_a_scrape_beside_silent_tls_peers(web: WebFolder) -> None:
    """The same under TLS: no handshake, a handshake a byte at a time, and silence after the handshake."""
    board = FakeBoard(TEXT * 20_000)
    with served(board=board, access=Access(web.config), context=web.trust()) as server, ExitStack() as stack:
        clients = [stack.enter_context(closing(server.connect())) for _ in range(CLIENTS - 50)]
        for client in clients[100:]:
            client.sendall(b"\x16\x03\x01\x02\x00\x01")
        for _ in range(50):
            stack.enter_context(closing(server.agree()))
        with dripping(clients[100:]):
            assert max(scrape_times(server, f"beside {CLIENTS} slow TLS clients")) < LIMIT_SECONDS


def test_silent_tls_peers_are_gone_in_the_end(web: WebFolder) -> None:
    """A client without a whole handshake is cut off at its deadline."""
    with served(replace(Limits(), handshake=0.2), access=Access(web.config)) as server, ExitStack() as stack:
        silent, slow = (stack.enter_context(closing(server.connect())) for _ in range(2))
        slow.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert [read_all(silent), read_all(slow)] == [b"", b""]


def test_who_says_nothing_after_the_handshake_is_gone_as_well(web: WebFolder) -> None:
    """The deadline for a request begins with the end of the handshake."""
    with served(replace(Limits(), head=0.2), access=Access(web.config)) as server:
        client = server.agree(web.trust())
        with closing(client), suppress(ssl.SSLEOFError):  # cut off, and not closed as TLS would have it
            assert read_all(client) == b""
