"""Client connections: deadlines around uvicorn's HTTP/1.1 protocol, and a cap.

uvicorn has one timeout, for the time between two requests. A client that sends a byte a second, or that does not read
its response, would hold its connection for ever. `Connection` passes all events on to uvicorn and runs exactly one
timer, which aborts the connection.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from typing import Any

import h11
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.web.limits import Limits
from monitor.web.web_config import WebConfigReloader


class State(Enum):
    """What a connection is doing, named as `http.ConnState` of Go."""

    NEW = auto()
    """No whole request head has arrived: in the TLS handshake, before the first request, or amid a later one."""
    ACTIVE = auto()
    """A request is being answered."""
    IDLE = auto()
    """The last request was answered."""


class Connections(dict["Connection", State]):
    """The open connections, those first that have been in their state the longest, with a cap.

    A server that refuses new connections at its cap is blocked by a few hundred clients that connect and send nothing.
    So a new connection replaces one that waits. A connection whose request is being answered is never dropped.
    """

    def __init__(self, maximum: int) -> None:
        """Allow at most `maximum` connections."""
        super().__init__()
        self._maximum = maximum

    def admit(self, connection: "Connection") -> bool:
        """Add a new connection, at the cap in place of another one. Return False if none can be dropped."""
        if len(self) >= self._maximum and not self.drop_one():
            return False
        self[connection] = State.NEW
        return True

    def drop_one(self) -> bool:
        """Abort the connection that is missed least. Return False if all are active."""
        for droppable in (State.NEW, State.IDLE):
            for connection, state in self.items():
                if state is droppable:
                    del self[connection]
                    connection.abort()
                    return True
        return False

    def set_state(self, connection: "Connection", state: State) -> None:
        """Note a change of state. A connection that was dropped may still change; that is ignored."""
        if self.pop(connection, None):
            self[connection] = state


class Connection(asyncio.Protocol):
    """A client connection from its accept to its end."""

    def __init__(
        self,
        accepted: socket.socket,
        limits: Limits,
        connections: Connections,
        web_config: WebConfigReloader,
        http: Callable[["Connection"], asyncio.Protocol],
    ) -> None:
        """Wrap the HTTP protocol that `http` makes for this connection."""
        self._socket = accepted
        self._limits = limits
        self._connections = connections
        self._web_config = web_config
        self._client_trust = web_config.policy.client_trust
        self._transport: asyncio.Transport | None = None
        self._state = State.NEW
        self._deadline: asyncio.TimerHandle | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._requests = 0
        self._half_closed = False
        self._http = http(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Wait for a request; with TLS, this is called after the handshake."""
        self._transport = transport
        self._http.connection_made(transport)
        # A response counts as sent once the kernel has all of it, so the buffer of a client that does not read holds
        # one message at most. asyncio's TLS transport would pause at `high=0` even while its buffer is empty.
        transport.set_write_buffer_limits(high=1, low=0)
        self._enter(State.NEW)

    def data_received(self, data: bytes) -> None:
        """Pass on what the client sent."""
        if self._closing():  # TLS still delivers what was on its way
            return
        if self._state is State.IDLE:
            self._enter(State.NEW)
        try:
            self._http.data_received(data)
        except h11.LocalProtocolError:  # uvicorn answers a broken request body with 400, even amid a response
            self.abort()

    def eof_received(self) -> bool:
        """Keep a half-closed connection open until its request is answered (RFC 9112, section 9.6)."""
        self._half_closed = self._requests > 0 and not self._info("ssl_object")  # asyncio cannot do it under TLS
        return self._half_closed

    def pause_writing(self) -> None:
        """Let the application wait for the client."""
        self._writable.clear()
        self._http.pause_writing()

    def resume_writing(self) -> None:
        """Let the application continue."""
        self._writable.set()
        self._http.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer and release what waits."""
        if self._deadline:
            self._deadline.cancel()
        self._connections.pop(self, None)
        self._transport = None
        self._writable.set()
        self._http.connection_lost(exc)

    def abort(self) -> None:
        """Close at once, without sending what remains."""
        if self._transport:
            self._transport.abort()
        else:
            with suppress(OSError):  # the TLS handshake fails when its socket ends
                self._socket.shutdown(socket.SHUT_RDWR)

    async def serve(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Run an ASGI application for a request of this connection."""
        if self._closing() or not self._trusted():
            self.abort()
            # uvicorn logs an application that returns without a response, unless the client has disconnected.
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        self._requests += 1
        self._enter(State.ACTIVE)
        try:
            await app(scope, receive, send)
            await self._writable.wait()
        except asyncio.CancelledError:  # the server stops, and has aborted the connection; uvicorn would log an error
            pass
        finally:
            self._requests -= 1
            if not self._requests:
                if self._half_closed and self._transport:
                    self._transport.close()
                self._enter(State.IDLE)

    def _closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def _info(self, name: str) -> Any:
        return self._transport.get_extra_info(name) if self._transport else None

    def _trusted(self) -> bool:
        """Say whether the access policy in force would accept this connection, too."""
        policy = self._web_config.policy
        return policy.client_trust == self._client_trust and policy.allows(self._info("peercert"))

    def _enter(self, state: State) -> None:
        """Change the state and start its deadline."""
        if self._transport is None:  # an application may end after its connection
            return
        limits = self._limits
        seconds = {
            State.NEW: limits.request_head,
            State.ACTIVE: limits.response,
            State.IDLE: limits.keep_alive + limits.close,  # uvicorn closes it after `keep_alive`
        }[state]
        if self._deadline:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self.abort)
        self._state = state
        self._connections.set_state(self, state)
