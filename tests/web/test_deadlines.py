"""Deadlines for clients that send, or read, too slowly."""

import socket
import struct
import time
from contextlib import closing
from dataclasses import replace

import pytest

from monitor.web.limits import Limits
from tests.web.served import PROBE, SCRAPE, TEXT, FakeMetrics, eventually, lines, read_all, read_until, served

NEVER = 100.0
PATIENT = Limits(tls_handshake=NEVER, request_head=NEVER, response=NEVER, keep_alive=NEVER, close=NEVER)
"""Limits that end no test; each test shortens the one that it is about."""
SOON = 0.3
LARGE = FakeMetrics(lines(60_000))
"""Much more than small buffers hold."""


@pytest.mark.parametrize(
    "sent",
    [b"", b"G", b"GET /metrics HTTP/1.1\r\nHost: monitor\r\nX: "],
    ids=["nothing", "a byte", "half a head"],
)
def test_a_connection_without_a_request_ends(sent: bytes) -> None:
    """A connection without a whole request head ends at the deadline for the head."""
    with served(replace(PATIENT, request_head=SOON)) as server, closing(server.connect()) as client:
        client.sendall(sent)
        assert read_all(client) == b""


def test_a_second_request_has_the_same_deadline() -> None:
    """The deadline of a later request head starts with its first byte."""
    with served(replace(PATIENT, request_head=SOON)) as server, closing(server.connect()) as client:
        client.sendall(PROBE)
        read_until(client, b"ok\n")
        client.sendall(b"G")
        assert read_all(client) == b""


@pytest.mark.parametrize("ahead", [b"", b"G"], ids=["nothing", "begin of a request"])
def test_an_idle_connection_ends(ahead: bytes) -> None:
    """An idle connection is closed after a while, even if it sent the begin of a request with the last one."""
    with served(replace(PATIENT, keep_alive=SOON)) as server, closing(server.connect()) as client:
        client.sendall(PROBE + ahead)
        read_until(client, b"ok\n")
        assert read_all(client) == b""


def test_a_byte_now_and_then_does_not_extend_the_deadline() -> None:
    """The deadline is for the whole head."""
    with served(replace(PATIENT, request_head=SOON)) as server, closing(server.connect()) as client:
        client.settimeout(SOON / 10)
        sent = 0
        for sent in range(1000):
            try:
                client.sendall(b"G" if sent == 0 else b"x")
                client.recv(1)
            except TimeoutError:
                continue
            except ConnectionError:
                pass
            break
        assert 0 < sent < 100


def test_a_connection_is_kept_for_many_scrapes() -> None:
    """The deadlines of a request do not end the idle time after it."""
    deadlines = replace(PATIENT, request_head=SOON, response=SOON, close=SOON)
    with served(deadlines) as server, closing(server.connect()) as client:
        client.settimeout(SOON * 2)
        client.sendall(SCRAPE)
        assert read_until(client, TEXT).startswith(b"HTTP/1.1 200 OK\r\n")
        with pytest.raises(TimeoutError):  # still open, though each deadline of a request has passed
            client.recv(1)
        client.sendall(SCRAPE)
        assert read_until(client, TEXT).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_response_that_is_not_read_ends() -> None:
    """A client that does not read counts as a scrape until the deadline; then the next scrape is answered."""
    with (
        served(replace(PATIENT, response=SOON * 2, scrapes=1), LARGE, small_buffers=True) as server,
        closing(server.connect()) as client,
    ):
        client.sendall(SCRAPE)
        assert client.recv(1) == b"H"
        busy = server.get()
        assert (busy.status, busy.headers["retry-after"]) == (503, "1")
        assert busy.body == b"503 Service Unavailable: too many scrapes at once\n"
        assert server.get("/livez").status == 200
        assert eventually(lambda: server.get(Accept_Encoding="gzip").status == 200)
        assert len(read_all(client)) < len(LARGE.text)


def test_a_response_that_is_read_slowly_ends() -> None:
    """The deadline is for the whole response, whatever the client reads now and then."""
    limits = replace(PATIENT, response=SOON)
    with served(limits, LARGE, small_buffers=True) as server, closing(server.connect()) as client:
        client.sendall(SCRAPE)
        received = 0
        while data := _some(client):
            received += len(data)
            time.sleep(SOON / 100)
        assert received < len(LARGE.text)
        assert eventually(lambda: server.connections() == 0)


def _some(client: socket.socket) -> bytes:
    """Return a few bytes, and none after the end of the connection."""
    try:
        return client.recv(1000)
    except ConnectionError:
        return b""


def test_a_small_response_counts_as_sent_once_the_kernel_has_it() -> None:
    """A connection is idle from then on, whether or not its client has read."""
    with served(replace(PATIENT, scrapes=1)) as server, closing(server.connect()) as client:
        client.sendall(SCRAPE)
        assert client.recv(1) == b"H"
        assert server.get().status == 200


def test_a_response_in_the_buffer_of_the_process_is_not_sent() -> None:
    """What the kernel has not accepted counts as a scrape, so that clients cannot fill the memory."""
    metrics = FakeMetrics(lines(1_400))
    limits = replace(PATIENT, scrapes=1)
    with served(limits, metrics, small_buffers=True) as server, closing(server.connect()) as client:
        client.sendall(SCRAPE)
        assert client.recv(1) == b"H"
        assert server.get().status == 503
        read_until(client, metrics.text)
        assert eventually(lambda: server.get().status == 200)


def test_a_second_response_has_its_own_deadlines() -> None:
    """The response to a pipelined request is not cut off by a deadline of the first one."""
    metrics = FakeMetrics(lines(7_000))
    limits = replace(PATIENT, request_head=SOON, keep_alive=SOON, close=SOON / 10)
    with served(limits, metrics, small_buffers=True) as server, closing(server.connect()) as client:
        client.sendall(SCRAPE * 2)
        begun = read_until(client, metrics.text[-100:])
        time.sleep(2 * SOON)
        read_until(client, metrics.text[-100:], 2 - begun.count(metrics.text[-100:]))


def test_a_reset_connection_leaves_nothing_behind() -> None:
    """A client that resets its connection during a scrape makes room for the next one."""
    with served(replace(PATIENT, scrapes=1), LARGE, small_buffers=True) as server:
        for _ in range(3):
            client = server.connect()
            client.sendall(SCRAPE)
            client.recv(1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            assert eventually(lambda: server.get(Accept_Encoding="gzip").status == 200)
        assert eventually(lambda: server.connections() == 0)
