"""The server with real sockets: pipelining, the connection cap, malformed requests, failures and the stop."""

import asyncio
import socket
import threading
import time
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.web.connection import State
from monitor.web.limits import Limits
from monitor.web.listen import listen
from monitor.web.server import Server
from monitor.web.web_config import WebConfigReloader
from tests.web.served import (
    PROBE,
    SCRAPE,
    WAIT,
    FakeMetrics,
    Served,
    eventually,
    lines,
    read_all,
    read_until,
    served,
    warnings,
)
from tests.web.test_deadlines import LARGE, PATIENT, SOON

LAST_PROBE = PROBE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


def test_pipelined_requests_are_all_answered() -> None:
    """Fifty requests in one packet get fifty responses."""
    with served(PATIENT) as server, closing(server.connect()) as client:
        client.sendall(PROBE * 49 + LAST_PROBE)
        assert read_all(client).count(b"HTTP/1.1 200 OK") == 50


@pytest.mark.parametrize(
    "request_bytes", [LAST_PROBE, PROBE.replace(b"HTTP/1.1", b"HTTP/1.0")], ids=["Connection: close", "HTTP/1.0"]
)
def test_a_last_request_ends_the_connection(request_bytes: bytes) -> None:
    """The server closes the connection after the response if the client asks for that."""
    with served(PATIENT) as server, closing(server.connect()) as client:
        client.sendall(request_bytes)
        assert read_all(client).endswith(b"\r\n\r\nok\n")


@pytest.mark.parametrize("earlier_requests", [0, 2])
def test_a_half_closed_connection_is_answered(earlier_requests: int) -> None:
    """A client that closes its direction after the request, as `nc -N` does, gets the whole response."""
    with served(PATIENT, LARGE) as server, closing(server.connect()) as client:
        for _ in range(earlier_requests):
            client.sendall(SCRAPE)
            read_until(client, LARGE.text[-100:])
            assert eventually(lambda: server.connections(State.ACTIVE) == 0)
        client.sendall(SCRAPE)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client).endswith(b"\r\n\r\n" + LARGE.text)
        assert eventually(lambda: server.connections() == 0)


def test_a_small_response_does_not_wait_for_an_acknowledgement() -> None:
    """Head and body are two packets; without TCP_NODELAY the second one would wait 40 ms for the client."""
    with served() as server, closing(server.connect()):
        assert eventually(lambda: server.connections() == 1)
        (connection,) = server.server._connections
        assert connection._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_connection_cap_drops_waiting_connections() -> None:
    """Above the cap the oldest silent connections are dropped; scrapes are answered, and answered clients stay."""
    with served(replace(PATIENT, connections=20)) as server, ExitStack() as stack:
        prometheus = stack.enter_context(closing(server.connect()))
        prometheus.sendall(PROBE)
        read_until(prometheus, b"ok\n")
        silent = [stack.enter_context(closing(server.connect())) for _ in range(60)]
        assert server.get().status == 200
        dropped = silent[: 60 - 18]
        assert [read_all(client) for client in dropped] == [b""] * len(dropped)
        for client in (prometheus, silent[-1]):
            client.sendall(PROBE)
            assert read_until(client, b"ok\n").startswith(b"HTTP/1.1 200 OK")


def test_an_active_connection_is_not_dropped() -> None:
    """If every connection is being answered, another one is refused."""
    with served(replace(PATIENT, connections=2), LARGE, small_buffers=True) as server, ExitStack() as stack:
        clients = [stack.enter_context(closing(server.connect())) for _ in range(2)]
        for client in clients:
            client.sendall(SCRAPE)
            assert client.recv(1) == b"H"
        with closing(server.connect()) as third:
            assert read_all(third) == b""
        for client in clients:
            read_until(client, LARGE.text[20_000:20_100])


BAD_REQUEST = b"HTTP/1.1 400 Bad Request"
ATTEMPTS = 20


def answer_to(server: Served, sent: bytes) -> bytes:
    """Send bytes, and return the beginning of the answer; nothing if the connection was reset before it."""
    answer = b""
    with closing(server.connect()) as client, suppress(ConnectionError):
        client.sendall(sent)
        answer = client.recv(1 << 16)
        read_all(client)
    return answer


@pytest.mark.parametrize(
    ("sent", "status"),
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
        (b"POST /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", BAD_REQUEST),
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
def test_a_malformed_request_is_refused(sent: bytes, status: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """The connection ends without a log line, and the next request is answered."""
    with served(replace(PATIENT, close=SOON)) as server:
        # The server does not read what it has refused, so a reset can overtake the answer.
        answer = next(filter(None, (answer_to(server, sent) for _ in range(ATTEMPTS))), b"")
        assert answer.startswith(status)
        assert server.get().status == 200
    assert warnings(caplog) == []


def test_a_stop_lets_a_response_end() -> None:
    """A response under way is sent to its end, if its client reads."""
    metrics = FakeMetrics(lines(1_400))
    with served(PATIENT, metrics, small_buffers=True) as server, closing(server.connect()) as client:
        client.sendall(SCRAPE)
        assert client.recv(1) == b"H"
        server.server.stop(0)
        time.sleep(0.2)
        assert read_all(client).endswith(metrics.text)


def test_a_stop_does_not_wait_for_clients(caplog: pytest.LogCaptureFixture) -> None:
    """The server ends connections in every state, without a log line, and frees its port."""
    with ExitStack() as stack:
        with served(PATIENT, LARGE, small_buffers=True) as server:
            clients = [stack.enter_context(closing(server.connect())) for _ in range(4)]
            for client, sent in zip(clients, (b"", b"GET", SCRAPE, PROBE), strict=True):
                client.sendall(sent)
            assert clients[2].recv(1) == b"H"
            read_until(clients[3], b"ok\n")
        assert [len(read_all(client)) < len(LARGE.text) for client in clients] == [True] * 4
        assert warnings(caplog) == []
        with pytest.raises(ConnectionRefusedError):
            server.connect()


def test_a_stop_during_a_request_that_does_not_end(caplog: pytest.LogCaptureFixture) -> None:
    """A request that waits for something else than its client, as for a password check, ends without a log line."""
    waiting = threading.Event()

    async def application(*_: object) -> None:
        waiting.set()
        await asyncio.Event().wait()

    server = Server(application, listen("127.0.0.1:0"))
    server.start()
    host, _, port = server.address.rpartition(":")
    with closing(socket.create_connection((host, int(port)), WAIT)) as client:
        client.sendall(PROBE)
        assert waiting.wait(WAIT)
        server.stop(WAIT)
        assert not server.alive()
        assert read_all(client) == b""
    assert warnings(caplog) == []


def test_a_failure_is_logged_and_visible_in_alive(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If the accept loop fails, the whole server ends, and its port refuses connections."""
    started = threading.Event()

    async def fail(*_: object) -> None:
        await asyncio.to_thread(started.wait)
        raise RuntimeError("the accept loop failed")

    monkeypatch.setattr(Server, "_accept", fail)
    with served() as server:
        started.set()
        assert eventually(lambda: not server.server.alive())
        with pytest.raises(ConnectionRefusedError):
            server.connect()
    assert [record.getMessage() for record in warnings(caplog)] == ["the web server failed"]


def test_a_failure_to_check_the_web_configuration_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The server goes on, and so do the checks."""
    (tmp_path / "web.yml").write_text("{}")
    web_config = WebConfigReloader(tmp_path / "web.yml")
    failures = threading.Semaphore(0)

    def fail() -> None:
        failures.release()
        raise RuntimeError("cannot check")

    monkeypatch.setattr(web_config, "reload_if_changed", fail)
    with served(Limits(web_config_interval=0.01), web_config=web_config) as server:
        assert all(failures.acquire(timeout=10) for _ in range(3))
        assert (server.server.alive(), server.get().status) == (True, 200)
    assert "cannot check the web configuration for changes" in caplog.text


def test_the_server_has_one_thread_more_with_a_web_configuration(tmp_path: Path) -> None:
    """No thread is started for each check of the web configuration, and none at all without one."""
    (tmp_path / "web.yml").write_text("{}")
    for web_config, names in ((None, ["web"]), (WebConfigReloader(tmp_path / "web.yml"), ["web", "web-config"])):
        before = threading.enumerate()
        with served(web_config=web_config):
            started = [thread.name for thread in threading.enumerate() if thread not in before]
            assert sorted(started) == names
        assert eventually(lambda: "web-config" not in [thread.name for thread in threading.enumerate()])


def test_the_headers_of_a_response() -> None:
    """A response has a date, and does not name the software of the server."""
    with served() as server:
        assert set(server.get("/livez").headers) == {"date", "content-length", "content-type"}
