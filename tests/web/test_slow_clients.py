"""A scrape beside hundreds of clients that send nothing, or a byte now and then."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace

from monitor.web.limits import Limits
from monitor.web.web_config import WebConfigReloader
from tests.web.certificates import WebFolder
from tests.web.served import SCRAPE, TEXT, FakeMetrics, Served, lines, read_all, served

CLIENTS = 300
LIMIT_SECONDS = 1.0
SCRAPES = 5


@contextmanager
def dripping(clients: list[socket.socket]) -> Iterator[None]:
    """Send a byte on each connection ten times a second."""
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
    """Scrape some times, and return the seconds of each scrape."""
    times = []
    for _ in range(SCRAPES):
        begin = time.monotonic()
        got = server.get()
        times.append(time.monotonic() - begin)
        assert (got.status, got.body) == (200, server.metrics.text)
    print(f"{where}: {max(times) * 1000:.1f} ms the slowest of {SCRAPES}")
    return times


def test_a_scrape_beside_slow_clients() -> None:
    """A third sends nothing, a third a byte now and then, and a third a head without end."""
    with served(metrics=FakeMetrics(TEXT * 20_000)) as server, ExitStack() as stack:
        clients = [stack.enter_context(closing(server.connect())) for _ in range(CLIENTS)]
        for client in clients[200:]:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: monitor\r\nX: ")
        with dripping(clients[100:]):
            assert max(scrape_times(server, f"beside {CLIENTS} slow clients")) < LIMIT_SECONDS


def test_a_scrape_beside_scrapes_that_are_not_read() -> None:
    """Clients of one address that do not read their scrapes leave some for other addresses."""
    metrics = FakeMetrics(lines(60_000))
    with served(metrics=metrics, small_buffers=True) as server, ExitStack() as stack:
        for _ in range(2 * Limits().scrapes):
            client = stack.enter_context(
                closing(socket.create_connection(("127.0.0.1", server.port), 20, ("127.0.0.2", 0)))
            )
            client.sendall(SCRAPE)
            assert client.recv(1) == b"H"
        scrape_times(server, "beside scrapes that are not read")


def test_a_scrape_beside_silent_tls_peers(web: WebFolder) -> None:
    """With TLS: no handshake, a handshake a byte at a time, and silence after the handshake."""
    metrics = FakeMetrics(TEXT * 20_000)
    with (
        served(metrics=metrics, web_config=WebConfigReloader(web.config), context=web.trust()) as server,
        ExitStack() as stack,
    ):
        clients = [stack.enter_context(closing(server.connect())) for _ in range(CLIENTS - 50)]
        for client in clients[100:]:
            client.sendall(b"\x16\x03\x01\x02\x00\x01")
        for _ in range(50):
            stack.enter_context(closing(server.connect_tls()))
        with dripping(clients[100:]):
            assert max(scrape_times(server, f"beside {CLIENTS} slow TLS clients")) < LIMIT_SECONDS


def test_silent_tls_peers_are_disconnected(web: WebFolder) -> None:
    """A client without a whole TLS handshake is disconnected at the deadline."""
    with (
        served(replace(Limits(), tls_handshake=0.2), web_config=WebConfigReloader(web.config)) as server,
        ExitStack() as stack,
    ):
        silent, slow = (stack.enter_context(closing(server.connect())) for _ in range(2))
        slow.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert [read_all(silent), read_all(slow)] == [b"", b""]


def test_silence_after_the_handshake_ends(web: WebFolder) -> None:
    """The deadline for a request starts with the end of the TLS handshake."""
    with served(replace(Limits(), request_head=0.2), web_config=WebConfigReloader(web.config)) as server:
        client = server.connect_tls(web.trust())
        with closing(client), suppress(ssl.SSLEOFError):  # aborted, without the end of TLS
            assert read_all(client) == b""
