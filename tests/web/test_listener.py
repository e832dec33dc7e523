"""Accepting, when many come at once."""

import asyncio
import socket
from contextlib import ExitStack, closing, suppress

from monitor.web.access import Access
from monitor.web.connection import Connection
from monitor.web.connections import Connections
from monitor.web.limits import Limits
from monitor.web.listener import Listener
from monitor.web.server import listen


def test_those_who_are_in_have_their_turn() -> None:
    """However many wait outside, one is let in at a time, and the event loop goes on in between."""
    inside: list[socket.socket] = []

    def connect(accepted: socket.socket, _: object) -> Connection:
        """Count who is let in; since there is room for nobody, that is all."""
        inside.append(accepted)
        return object.__new__(Connection)

    async def run() -> int:
        listener = Listener(bound, Access(), Limits(), Connections(0), connect)
        accepting = asyncio.create_task(listener.run())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        accepting.cancel()
        with suppress(asyncio.CancelledError):
            await accepting
        return len(inside)

    with listen("127.0.0.1:0") as bound, ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(closing(socket.create_connection(bound.getsockname())))
        assert 1 <= asyncio.run(run()) <= 2
