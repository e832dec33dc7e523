"""Accepts connections and gives each to HTTP, after a TLS handshake where the web configuration asks for one.

uvicorn would leave that to asyncio's server, which has one TLS context for ever, gives a silent client a minute
for its handshake, and takes connections until the process has no descriptor left.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import suppress

from monitor.web.access import Access
from monitor.web.connection import Connection
from monitor.web.connections import Connections
from monitor.web.limits import Limits
from monitor.web.tls import Certificate

PAUSE_SECONDS, SHORT_PAUSE_SECONDS = 0.1, 0.001
"""After an accept that failed, since the next one would fail as well; and after that where somebody was dropped."""
NOTHING_LEFT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""No descriptor, or no memory."""

Connect = Callable[[socket.socket, Callable[[Certificate], bool]], Connection]


class Listener:
    """Lets clients in."""

    def __init__(
        self, bound: socket.socket, access: Access, limits: Limits, register: Connections, connect: Connect
    ) -> None:
        """Listen on a bound socket; `connect` makes the connection of a socket that was accepted."""
        self._bound = bound
        self._access = access
        self._limits = limits
        self._register = register
        self._connect = connect
        self._greetings: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Accept until cancelled."""
        loop = asyncio.get_running_loop()
        self._bound.settimeout(0)
        while True:
            try:
                accepted, _ = await loop.sock_accept(self._bound)
            except OSError as error:
                dropped = error.errno in NOTHING_LEFT and self._register.drop_one()
                await asyncio.sleep(SHORT_PAUSE_SECONDS if dropped else PAUSE_SECONDS)
                continue
            greeting = loop.create_task(self._greet(accepted))
            self._greetings.add(greeting)
            greeting.add_done_callback(self._greetings.discard)
            await asyncio.sleep(0)  # where many are waiting, those who are in have their turn as well

    async def _greet(self, accepted: socket.socket) -> None:
        with suppress(OSError):  # it may have gone; asyncio sees to this only where the socket says that it is TCP
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        entrance = self._access.now
        connection = self._connect(accepted, entrance.welcomes)
        if not self._register.admit(connection):
            accepted.close()
            return
        seconds = self._limits.handshake if entrance.context else None
        with suppress(OSError):  # no TLS, or the wrong one, or too slow, or gone: nothing that we should do
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection, accepted, ssl=entrance.context, ssl_handshake_timeout=seconds
            )
        if not connection.made:
            connection.left()
