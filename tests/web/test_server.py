"""Clients that are slow, greedy, broken or gone, on real sockets."""

import logging
import socket
import struct
import time
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest

from monitor.web.limits import Limits
from tests.web.serving import TEXT, FakeBoard, eventually, lines, read_all, served

NEVER = 100.0
PATIENT = Limits(handshake=NEVER, head=NEVER, response=NEVER, keep_alive=NEVER, closing=NEVER)
"""No deadline ends a test but the one that it is about."""
SOON = 0.3
LARGE = FakeBoard(lines(60_000))
"""Much more than small buffers hold."""
GET = b"GET /metrics HTTP/1.1\r\nHost: monitor\r\n\r\n"
ALIVE = b"GET /livez HTTP/1.1\r\nHost: monitor\r\n\r\n"


def receive(client: socket.socket, end: bytes, times: int = 1) -> bytes:
    """Read until what ends a response was there so often."""
    found = b""
    while found.count(end) < times:
        data = client.recv(1 << 16)
        assert data, found
        found += data
    return found


@pytest.mark.parametrize(
    "said",
    [b"", b"G", b"GET /metrics HTTP/1.1\r\nHost: monitor\r\nX: "],
    ids=["nothing", "a byte", "half a head"],
)
def test_a_request_that_does_not_come(said: bytes) -> None:
    """A connection without a whole request head ends at the deadline."""
    with served(replace(PATIENT, head=SOON)) as server, closing(server.connect()) as client:
        client.sendall(said)
        assert read_all(client) == b""


@pytest.mark.parametrize("ahead", [False, True], ids=["after the answer", "ahead of the answer"])
def test_a_second_request_that_does_not_come(ahead: bool) -> None:
    """A second head has the same deadline from its first byte on, whenever that came."""
    with served(replace(PATIENT, head=SOON)) as server, closing(server.connect()) as client:
        client.sendall(ALIVE + b"G" * ahead)
        receive(client, b"ok\n")
        client.sendall(b"" if ahead else b"G")
        assert read_all(client) == b""


def test_a_connection_that_rests() -> None:
    """A connection is kept for a while, and then closed."""
    with served(replace(PATIENT, keep_alive=SOON)) as server, closing(server.connect()) as client:
        client.sendall(ALIVE)
        receive(client, b"ok\n")
        assert read_all(client) == b""


def test_a_byte_now_and_then_does_not_help() -> None:
    """The deadline is for the whole head: each byte more does not begin it anew."""
    with served(replace(PATIENT, head=SOON)) as server, closing(server.connect()) as client:
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


def test_one_connection_for_many_scrapes() -> None:
    """A connection is kept, and the deadlines are each request's own."""
    deadlines = replace(PATIENT, head=SOON, response=SOON, closing=SOON)
    with served(deadlines) as server, closing(server.connect()) as client:
        client.settimeout(SOON * 2)
        client.sendall(GET)
        assert receive(client, TEXT).startswith(b"HTTP/1.1 200 OK\r\n")
        with pytest.raises(TimeoutError):  # not closed, though each deadline of a request has passed
            client.recv(1)
        client.sendall(GET)
        assert receive(client, TEXT).startswith(b"HTTP/1.1 200 OK\r\n")


def test_requests_sent_ahead_are_all_answered() -> None:
    """Fifty requests in one packet are fifty answers."""
    with served(PATIENT) as server, closing(server.connect()) as client:
        client.sendall(ALIVE * 49 + ALIVE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert read_all(client).count(b"HTTP/1.1 200 OK") == 50


def test_a_response_that_is_not_read() -> None:
    """A client that takes nothing holds its place until the deadline; then the next scrape has it."""
    with (
        served(replace(PATIENT, response=SOON * 2, scrapes=1), LARGE, small_buffers=True) as server,
        closing(server.connect()) as client,
    ):
        client.sendall(GET)
        assert client.recv(1) == b"H"
        assert server.ask().status == 503
        assert server.ask("/livez").status == 200
        assert eventually(lambda: server.ask(Accept_Encoding="gzip").status == 200)
        assert len(read_all(client)) < len(LARGE.text)


def test_a_small_response_that_is_not_read_is_no_scrape_under_way() -> None:
    """What the kernel has taken is sent; the connection rests, whether or not its client has read."""
    with served(replace(PATIENT, scrapes=1)) as server, closing(server.connect()) as client:
        client.sendall(GET)
        assert client.recv(1) == b"H"
        assert server.ask().status == 200


def test_a_response_that_the_kernel_has_not_taken_is_under_way() -> None:
    """What still is in a buffer of the process is not sent, however little it is: nobody can fill the memory so."""
    board = FakeBoard(lines(1_400))
    limits = replace(PATIENT, scrapes=1)
    with served(limits, board, small_buffers=True) as server, closing(server.connect()) as client:
        client.sendall(GET)
        assert client.recv(1) == b"H"
        assert server.ask().status == 503
        receive(client, board.text)
        assert eventually(lambda: server.ask().status == 200)


def test_a_second_request_has_its_own_deadlines() -> None:
    """The response to a request that was sent ahead is cut off at none of the deadlines before it."""
    board = FakeBoard(lines(7_000))
    limits = replace(PATIENT, head=SOON, keep_alive=SOON, closing=SOON / 10)
    with served(limits, board, small_buffers=True) as server, closing(server.connect()) as client:
        client.sendall(GET * 2)
        begun = receive(client, board.text[-100:])
        time.sleep(2 * SOON)
        receive(client, board.text[-100:], 2 - begun.count(board.text[-100:]))


def test_a_scrape_that_is_cut_off_gives_its_place_back() -> None:
    """A client that resets its connection amid a scrape leaves nothing behind, not even a line in the log."""
    with served(replace(PATIENT, scrapes=1), LARGE, small_buffers=True) as server:
        for _ in range(3):
            client = server.connect()
            client.sendall(GET)
            client.recv(1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            assert eventually(lambda: server.ask(Accept_Encoding="gzip").status == 200)
        assert eventually(lambda: server.connections() == 0)


def test_the_connection_cap_drops_who_waits() -> None:
    """Past the cap the oldest that say nothing are dropped; scrapes are answered, and who was answered stays."""
    with served(replace(PATIENT, connections=20)) as server, ExitStack() as stack:
        prometheus = stack.enter_context(closing(server.connect()))
        prometheus.sendall(ALIVE)
        receive(prometheus, b"ok\n")
        silent = [stack.enter_context(closing(server.connect())) for _ in range(60)]
        assert server.ask().status == 200
        dropped = silent[: 60 - 18]
        assert [read_all(client) for client in dropped] == [b""] * len(dropped)
        prometheus.sendall(ALIVE)
        assert receive(prometheus, b"ok\n").startswith(b"HTTP/1.1 200 OK")
        silent[-1].sendall(ALIVE)
        assert receive(silent[-1], b"ok\n").startswith(b"HTTP/1.1 200 OK")


def test_who_is_answered_is_not_dropped() -> None:
    """Where every connection is being answered, one more is refused."""
    with served(replace(PATIENT, connections=2), LARGE, small_buffers=True) as server, ExitStack() as stack:
        clients = [stack.enter_context(closing(server.connect())) for _ in range(2)]
        for client in clients:
            client.sendall(GET)
            assert client.recv(1) == b"H"
        with closing(server.connect()) as third:
            assert read_all(third) == b""
        for client in clients:
            receive(client, LARGE.text[20_000:20_100])


BAD_REQUEST = b"HTTP/1.1 400 Bad Request"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: monitor\r\n\r\n", b"HTTP/1.1 414 "),
        (b"GET /" + b"x" * 100_000, BAD_REQUEST),
        (b"GET / HTTP/1.1\r\nHost: monitor\r\n" + b"X: x\r\n" * 20_000, BAD_REQUEST),
        (b"GET / HTTP/1.1\r\nHost: monitor\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", b"HTTP/1.1 4"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 600, BAD_REQUEST),
        (b"GET /metrics\r\n\r\n", BAD_REQUEST),
        (b"GET /metrics HTTP/1.1\r\n\r\n", BAD_REQUEST),
        (b"GET /\xf0\x9f\x92\xa9 HTTP/1.1\r\nHost: monitor\r\n\r\n", BAD_REQUEST),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", BAD_REQUEST),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000000\r\n\r\n" + b"x" * 1000, b"HTTP/1.1 413 "),
        (b"POST /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"HTTP/1.1 413 "),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"HTTP/1.1 404 "),
    ],
    ids=[
        "long URL",
        "endless URL",
        "endless headers",
        "long header",
        "TLS",
        "HTTP/0.9",
        "no host",
        "emoji",
        "two lengths",
        "body",
        "broken body",
        "HTTP/2",
    ],
)
def test_what_is_no_good_request(said: bytes, status: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """It is refused and the connection ends, without a line in the log, and the next one is served."""
    with served(replace(PATIENT, closing=SOON)) as server, closing(server.connect()) as client:
        answer = b""
        try:
            client.sendall(said)
            answer = client.recv(1 << 16)
            read_all(client)
        except ConnectionError:  # a reset, since the server does not read what it has refused
            pass
        assert answer.startswith(status) or not answer
        assert server.ask().status == 200
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_garbage_amid_a_response() -> None:
    """A body that breaks the protocol while a scrape is sent ends the connection, and nothing else."""
    with served(PATIENT, LARGE, small_buffers=True) as server, closing(server.connect()) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.sendall(b"no chunk\r\n")
        assert len(read_all(client)) < len(LARGE.text)
        assert server.ask().status == 200


def test_a_stop_lets_a_response_end() -> None:
    """What is being sent when the server stops is sent to its end, where its client reads."""
    board = FakeBoard(lines(1_400))
    with served(PATIENT, board, small_buffers=True) as server, closing(server.connect()) as client:
        client.sendall(GET)
        assert client.recv(1) == b"H"
        server.server.stop(0)
        time.sleep(0.2)
        assert read_all(client).endswith(board.text)


def test_a_stop_waits_for_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever is connected in whichever phase, the server ends at once, and all connections with it, quietly."""
    with ExitStack() as stack:
        with served(PATIENT, LARGE, small_buffers=True) as server:
            clients = [stack.enter_context(closing(server.connect())) for _ in range(4)]
            for client, said in zip(clients, (b"", b"GET", GET, ALIVE), strict=True):
                client.sendall(said)
            assert clients[2].recv(1) == b"H"
            receive(clients[3], b"ok\n")
        assert [len(read_all(client)) < len(LARGE.text) for client in clients] == [True] * 4
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
        with pytest.raises(ConnectionRefusedError):
            server.connect()


def test_what_is_said_of_the_server() -> None:
    """A response has its date, and does not tell what the server is made of."""
    with served() as server:
        assert set(server.ask("/livez").headers) == {"date", "content-length", "content-type"}
