"""A connection over a transport that never delivers anything, which no real client can be made to do reliably."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from monitor.web.connection import Connection, Connections, State
from monitor.web.limits import Limits
from monitor.web.web_config import WebConfigReloader
from tests.web.asgi import empty

SOON = 0.05
LIMITS = Limits(tls_handshake=99, request_head=99, response=99, keep_alive=99, close=SOON)
REQUEST = b"GET / HTTP/1.1\r\nHost: monitor\r\n\r\n"


class StuckTransport(asyncio.Transport):
    """A client that takes nothing: a closed connection stays until it is aborted."""

    def __init__(self) -> None:
        """Start open."""
        super().__init__()
        self.closing = False
        self.aborted = asyncio.Event()
        self.writes = 0
        self.on_write: Callable[[int], None] = lambda _: None

    def write(self, data: Any) -> None:
        """Accept the data, and pass on how many times that was."""
        self.writes += 1
        self.on_write(self.writes)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Accept the limits."""

    def is_closing(self) -> bool:
        """Say whether it was closed."""
        return self.closing

    def close(self) -> None:
        """Wait for the client for ever."""
        self.closing = True

    def abort(self) -> None:
        """Note it."""
        self.closing = True
        self.aborted.set()


def run(test: Callable[[Connection, StuckTransport], Coroutine[Any, Any, None]], limits: Limits = LIMITS) -> None:
    """Run a test with a new connection, and check that nothing remains of it."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await scope["state"]["connection"].serve(empty, scope, receive, send)

    async def main() -> None:
        connections, transport = Connections(9), StuckTransport()
        config = uvicorn.Config(serve, http="h11", log_config=None, timeout_keep_alive=limits.keep_alive)  # type: ignore[arg-type]
        config.load()
        state = uvicorn.Server(config).server_state

        def http(connection: Connection) -> asyncio.Protocol:
            make: Callable[..., asyncio.Protocol] = config.http_protocol_class
            return make(config=config, server_state=state, app_state={"connection": connection})

        with socket.socket() as accepted:
            connection = Connection(accepted, limits, connections, WebConfigReloader(), http)
            assert connections.admit(connection)
            connection.connection_made(transport)
            await asyncio.wait_for(test(connection, transport), 10)
        connection.connection_lost(None)
        assert len(connections) == 0
        assert connection._deadline
        assert connection._deadline.cancelled()
        await asyncio.gather(*state.tasks)

    asyncio.run(main())


def test_a_refusal_that_is_not_taken_is_aborted() -> None:
    """A malformed request closes the connection; the rest of it is not read, and the connection ends in any case."""

    async def test(connection: Connection, transport: StuckTransport) -> None:
        connection.data_received(b"no HTTP\r\n\r\n")
        assert (transport.closing, transport.aborted.is_set()) == (True, False)
        connection.data_received(REQUEST)
        assert not transport.aborted.is_set()
        await transport.aborted.wait()

    run(test, replace(LIMITS, request_head=SOON))


@pytest.mark.parametrize("header", ["", "\r\nConnection: close"])
def test_a_connection_that_cannot_be_closed_is_aborted(header: str) -> None:
    """After a last response, or when it is idle, uvicorn closes the connection; the client does not take the rest."""

    async def test(connection: Connection, transport: StuckTransport) -> None:
        connection.data_received(REQUEST.replace(b"\r\n\r\n", f"{header}\r\n\r\n".encode()))
        await transport.aborted.wait()

    run(test, replace(LIMITS, keep_alive=SOON))


def test_a_broken_body_during_a_response_ends_the_connection() -> None:
    """A response that waits for the client cannot become a 400 any more."""

    async def test(connection: Connection, transport: StuckTransport) -> None:
        transport.on_write = lambda _: connection.pause_writing()
        connection.data_received(b"GET / HTTP/1.1\r\nHost: monitor\r\nTransfer-Encoding: chunked\r\n\r\n")
        await asyncio.sleep(0)
        assert (transport.writes, transport.closing) == (1, False)
        connection.data_received(b"no chunk\r\n")
        assert transport.aborted.is_set()

    run(test)


def test_a_response_that_is_not_delivered_is_active() -> None:
    """A response whose last bytes wait in the buffer keeps its deadline, and its connection is not dropped."""

    async def test(connection: Connection, transport: StuckTransport) -> None:
        end = 3  # after the head and the body
        transport.on_write = lambda write: connection.pause_writing() if write == end else None
        connection.data_received(REQUEST)
        await asyncio.sleep(0)
        assert (transport.writes, connection._state) == (end, State.ACTIVE)
        connection.resume_writing()
        while connection._state is State.ACTIVE:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
        assert connection._state is State.IDLE

    run(test)
