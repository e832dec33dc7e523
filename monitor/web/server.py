"""The server: an event loop on a thread of its own, with uvicorn's HTTP, on a socket that was bound before."""

import asyncio
import logging
import os
import socket
import threading
from email.utils import formatdate

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from monitor.web.access import Access
from monitor.web.aside import Crew, aside
from monitor.web.connection import Connection
from monitor.web.connections import Connections
from monitor.web.guard import Guard
from monitor.web.limits import HEAD_BYTES, Limits
from monitor.web.listener import Listener

BACKLOG = 512
TICK_SECONDS = 0.1
"""How soon a stop is noticed."""
LAST_ANSWERS_SECONDS = 0.5
"""For the answers that are under way when the server stops."""


class ListenError(Exception):
    """The address cannot be listened on; one sentence that says why."""


def listen(address: str) -> socket.socket:
    """Bind and return a socket for `HOST:PORT`, `[IPv6]:PORT` or `:PORT`; port 0 takes a free one.

    Raises `ListenError`.
    """
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004 - the last port there is
        message = f"cannot listen on {address!r}: it is not HOST:PORT"
        raise ListenError(message)
    try:
        found = socket.getaddrinfo(host or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, where = found[0]
        bound = socket.create_server(where[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        # create_server adds the address once more; a name that is not found has a number of its own, below 0.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        message = f"cannot listen on {address}: {reason or error}"
        raise ListenError(message) from error
    return bound


class Server:
    """Serves an application until it is stopped."""

    def __init__(
        self, app: ASGIApp, bound: socket.socket, access: Access | None = None, limits: Limits | None = None
    ) -> None:
        """Serve on a bound socket, whose address is `address`, those whom `access` lets in; by default everybody."""
        host, port = bound.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._socket = bound
        self._access = access or Access()
        self._limits = limits or Limits()
        self._config = uvicorn.Config(
            Guard(app, self._access),
            http="h11",
            ws="none",
            lifespan="off",
            interface="asgi3",
            proxy_headers=False,
            log_config=None,
            access_log=False,
            timeout_keep_alive=self._limits.keep_alive,  # type: ignore[arg-type] # which is any number of seconds
            h11_max_incomplete_event_size=HEAD_BYTES,
        )
        self._register = Connections(self._limits.most_connections)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="web", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def alive(self) -> bool:
        """Say whether it still serves."""
        return self._thread.is_alive()

    def stop(self, timeout: float) -> None:
        """Stop serving; what is under way has a second to end."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    async def _serve(self) -> None:
        state = ServerState()
        self._config.load()
        # A line for each stranger who sends no HTTP would help nobody but him.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        crew = Crew(self._limits.scrapes, "web-delivery")
        listener = Listener(
            self._socket,
            self._access,
            self._limits,
            self._register,
            lambda accepted, welcome: Connection(
                self._config, state, accepted, self._limits, self._register, welcome, crew
            ),
        )
        tasks = [asyncio.create_task(listener.run()), asyncio.create_task(self._renew())]
        try:
            while not self._stopping.is_set():
                state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
                await asyncio.wait(tasks, timeout=TICK_SECONDS)
                for task in tasks:
                    if task.done():  # which none of them should be
                        task.result()
        finally:
            for task in tasks:
                task.cancel()
            self._socket.close()
            await self._end(state)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._limits.renewal)
            await aside(self._access.renew, "web-renewal")

    async def _end(self, state: ServerState) -> None:
        """Let those be answered who are being answered, for a moment; then close everything."""
        if state.tasks:
            await asyncio.wait(set(state.tasks), timeout=LAST_ANSWERS_SECONDS)
        if state.connections:
            await asyncio.sleep(TICK_SECONDS)  # under TLS there may be something to send yet
        for visitor in self._register.everybody():
            visitor.abort()
        if state.tasks:
            await asyncio.wait(set(state.tasks), timeout=TICK_SECONDS)
