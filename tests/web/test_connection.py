"""A connection whose transport does what a test wants: what a real client can only do with luck."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from monitor.web.aside import Crew
from monitor.web.connection import Connection
from monitor.web.connections import Connections
from monitor.web.limits import Limits
from tests.web.asking import nothing

SOON = 0.05
LIMITS = Limits(handshake=99, head=99, response=99, keep_alive=99, closing=SOON)
REQUEST = b"GET / HTTP/1.1\r\nHost: monitor\r\n\r\n"


class Stuck(asyncio.Transport):
    """A client who takes nothing: what is closed stays open until it is cut off."""

    def __init__(self) -> None:
        """Begin open."""
        super().__init__()
        self.closing = False
        self.aborted = asyncio.Event()

    def write(self, data: Any) -> None:
        """Take it."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Take them."""

    def resume_reading(self) -> None:
        """Nothing was paused."""

    def is_closing(self) -> bool:
        """Say whether it was closed."""
        return self.closing

    def close(self) -> None:
        """Wait for the client, for ever."""
        self.closing = True

    def abort(self) -> None:
        """Note it."""
        self.closing = True
        self.aborted.set()


def with_connection(test: Callable[[Connection, Stuck], Coroutine[Any, Any, None]], limits: Limits = LIMITS) -> None:
    """Run a test on a connection that was just made."""

    async def run() -> None:
        register, transport = Connections(9), Stuck()
        config = uvicorn.Config(nothing, log_config=None, timeout_keep_alive=limits.keep_alive)  # type: ignore[arg-type]
        config.load()
        with socket.socket() as sock:
            connection = Connection(config, ServerState(), sock, limits, register, lambda _: True, Crew(1, "crew"))
            assert register.admit(connection)
            connection.connection_made(transport)
            await asyncio.wait_for(test(connection, transport), 10)
        connection.connection_lost(None)
        assert len(register) == 0
        assert connection._deadline
        assert connection._deadline.cancelled()

    asyncio.run(run())


def test_what_is_closed_and_not_taken_is_cut_off() -> None:
    """A refusal that the client does not take does not hold its connection; meanwhile nothing is read of it."""

    async def test(connection: Connection, transport: Stuck) -> None:
        connection.data_received(b"no HTTP\r\n\r\n")
        assert (transport.closing, transport.aborted.is_set()) == (True, False)
        connection.data_received(REQUEST)
        assert not transport.aborted.is_set()
        await transport.aborted.wait()

    with_connection(test)


def test_a_last_answer_that_is_not_taken_is_cut_off() -> None:
    """Nor does the last response of a connection."""

    async def test(connection: Connection, transport: Stuck) -> None:
        connection.data_received(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await transport.aborted.wait()

    with_connection(test)


def test_a_rest_that_cannot_be_closed_is_cut_off() -> None:
    """When the time between two requests is over, the connection is closed; and when that does not help, cut off."""

    async def test(connection: Connection, transport: Stuck) -> None:
        connection.data_received(REQUEST)
        await transport.aborted.wait()

    with_connection(test, replace(LIMITS, keep_alive=SOON))
