"""Arbitrary bytes get a documented response or a closed connection, and the server continues."""

import socket
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.web.served import Served, served

DOCUMENTED = {b"200", b"400", b"403", b"404", b"405", b"413", b"414", b"431"}

request_lines = st.sampled_from([
    b"GET /metrics HTTP/1.1", b"HEAD / HTTP/1.1", b"POST /metrics HTTP/1.1", b"BREW / HTTP/1.1", b"GET  HTTP/1.1",
    b"GET /%00%ff HTTP/1.1", b"GET /../../etc/passwd HTTP/1.1", b"GET http://other/metrics HTTP/1.1", b"GET / HTTP/9.9",
    b"PRI * HTTP/2.0", b"GET /" + b"a" * 9000 + b" HTTP/1.1", b"\x16\x03\x01\x02\x00\x01\x00",
])  # fmt: skip
headers = st.sampled_from([
    b"Host: monitor", b"Host: a\r\nHost: b", b"Accept: */*;q=zzz,,;;=", b"Accept-Encoding: gzip;q=1e999, \xff",
    b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 1\r\nContent-Length: 2",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: x", b"Connection: upgrade\r\nUpgrade: websocket",
    b"Expect: 100-continue", b"Origin: null", b"X: \x00", b": x",
    b"X" * 17_000, b"Authorization: Basic !!!", b"Connection: close",
])  # fmt: skip
almost_http = st.builds(
    lambda line, some, end: b"\r\n".join([line, *some]) + end,
    request_lines,
    st.lists(headers, max_size=5),
    st.sampled_from([b"\r\n\r\n", b"\n\n", b"\r\n", b"", b"\r\n\r\nxyz", b"\r\n\r\n0\r\n\r\n"]),
)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """Serve for all examples."""
    with served() as running:
        yield running


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.one_of(almost_http, st.binary(max_size=400)))
@example(b"GET /metrics HTTP/1.1\r\nHost: monitor\r\nConnection: close\r\n\r\n")
def test_any_request(server: Served, request: bytes) -> None:
    """A response has a documented status, and a scrape succeeds afterwards."""
    with closing(server.connect()) as client:
        with suppress(OSError):
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
        answer = b""
        with suppress(OSError):
            while data := client.recv(65536):
                answer += data
    if answer:
        version, status, _ = answer.split(b" ", 2)
        assert version == b"HTTP/1.1"
        assert status in DOCUMENTED, answer[:100]
    got = server.get()
    assert (got.status, got.body) == (200, server.metrics.text)
