"""One connection: uvicorn's HTTP/1.1 with a deadline for everything that depends on the client.

uvicorn knows one deadline, between two requests. A client that sends a byte a second, or does not read its
response, would be served for ever. Here exactly one timer runs at any time, and at its end the connection is
cut off.
"""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

import h11
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from monitor.web.app import METRICS
from monitor.web.aside import Crew
from monitor.web.connections import Connections, Phase
from monitor.web.delivery import DELIVERY, deliver
from monitor.web.limits import Limits
from monitor.web.repeat import LONGEST, Repeat, StoredProduct
from monitor.web.tls import Certificate


class _Counted:
    """Stands for bytes that do not go through h11, which has to count them all the same."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length


class Connection(H11Protocol):
    """A client from its first packet to its last."""

    def __init__(
        self,
        config: Config,
        state: ServerState,
        sock: socket.socket,
        limits: Limits,
        register: Connections,
        welcome: Callable[[Certificate], bool],
        crew: Crew,
    ) -> None:
        """Serve on a socket that was just accepted; `welcome` judges the certificate of a client that has one.

        `crew` sends large bodies.
        """
        super().__init__(config, state, {}, asyncio.get_running_loop())
        self._socket = sock
        self._limits = limits
        self._register = register
        self._welcome = welcome
        self._crew = crew
        self._wire: asyncio.Transport | None = None
        self._phase = Phase.WAITING
        self._deadline: asyncio.TimerHandle | None = None
        self._gone = False
        self._last = False
        """The client asks for nothing more."""
        self._delivering = False
        self._repeating = False
        self._remembered: StoredProduct | None = None
        self._site = self.app
        self.app = self._offer

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin to wait for a request, now that TLS is agreed on."""
        super().connection_made(transport)
        self._wire = transport
        # A response counts as sent when the last of it has been handed to the kernel, not to a buffer.
        # asyncio's TLS pauses from `high` on, its TCP above it; one byte left in a buffer must not be overtaken.
        transport.set_write_buffer_limits(high=1 if transport.get_extra_info("ssl_object") else 0, low=0)
        self._enter(Phase.WAITING)
        certificate = transport.get_extra_info("peercert")
        if certificate and not self._welcome(certificate):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        if self.transport.is_closing():
            return
        fresh = self._between_requests()
        if fresh and self._remembered is not None and data == self._remembered.data:
            self._repeat(self._remembered)
            return
        super().data_received(data)
        if self.transport.is_closing():
            self._enter(Phase.CLOSING)
        elif self._answering():
            if self._phase is not Phase.ANSWERED:
                self._enter(Phase.ANSWERED)
            if fresh:
                self._remember(data)
        elif self._phase is Phase.RESTING:
            self._enter(Phase.WAITING)

    def eof_received(self) -> bool | None:  # type: ignore[override] # asyncio takes either, uvicorn gives nothing
        """Answer a client to the end that has said all it wanted; TLS knows no connection that is open one way."""
        if self.transport.get_extra_info("ssl_object") is not None or not self._answering():
            return None
        self._last = True
        if self.cycle is not None:
            self.cycle.keep_alive = False
        return True

    def send_400_response(self, msg: str) -> None:
        """Say that this is no HTTP; amid a response nothing can be said any more, but uvicorn would."""
        if self.conn.our_state is h11.IDLE:
            super().send_400_response(msg)
        else:
            self.abort()

    def on_response_complete(self) -> None:
        """Wait for the next request, or go on with one that is there already."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._enter(Phase.CLOSING)
        elif self._answering():
            self._enter(Phase.ANSWERED)
        else:
            self._enter(Phase.WAITING if self.conn.trailing_data[0] else Phase.RESTING)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything."""
        super().connection_lost(exc)
        self.left()

    def left(self) -> None:
        """Note that nobody is there any more; also where TLS was never agreed on."""
        if self._deadline:
            self._deadline.cancel()
        self._interrupt()
        self._gone = True
        self._register.leave(self)

    def abort(self) -> None:
        """Cut off, whatever is under way."""
        if self._wire is not None:
            self._interrupt()
            self._wire.abort()
            return
        with suppress(OSError):  # amid the handshake: asyncio finds that the other end has gone
            self._socket.shutdown(socket.SHUT_RDWR)

    @property
    def made(self) -> bool:
        """Whether there is somebody to talk to: not before the TLS handshake."""
        return self._wire is not None

    def _between_requests(self) -> bool:
        """Say whether the next byte begins a request, and nothing is being answered."""
        idle = self.conn.our_state is h11.IDLE and self.conn.their_state is h11.IDLE
        return idle and not self._repeating and not self.conn.trailing_data[0]

    def _remember(self, data: bytes) -> None:
        """Keep a scrape that came as a whole and with nothing behind it, and after which there may be another."""
        whole = self.conn.their_state is h11.DONE and not self.conn.trailing_data[0] and len(data) <= LONGEST
        if whole and self.scope["method"] == "GET" and self.scope["path"] == METRICS:
            self._remembered = StoredProduct(data, {**self.scope})

    def _repeat(self, request: StoredProduct) -> None:
        """Answer a request that is the same as one before."""
        self._repeating = True
        self._unset_keepalive_if_required()
        self.flow.pause_reading()  # the next one waits in the kernel
        self._enter(Phase.ANSWERED)
        plain = self.transport.get_extra_info("ssl_object") is None
        headers = self.server_state.default_headers
        answer = Repeat(self.transport, self.flow, self._push if plain else None, headers)
        task = self.loop.create_task(answer.run(self._site, request.scope, self._repeated))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _repeated(self) -> None:
        self._repeating = False
        if self._last:
            self.transport.close()
        self.on_response_complete()

    async def deliver(self, pieces: Iterator[bytes], length: int) -> None:
        """Send pieces of so many bytes as the body of the response that was started. Not under TLS."""
        if self.transport.is_closing():
            return
        self.conn.send_with_data_passthrough(h11.Data(data=_Counted(length)))  # type: ignore[arg-type] # as h11 says
        await self._push(pieces)

    async def _push(self, pieces: Iterator[bytes]) -> None:
        """Send pieces past the event loop."""
        if self.flow.write_paused:
            await self.flow.drain()
        if self.transport.is_closing():
            return
        self._delivering = True
        try:
            await deliver(self._socket, pieces, self._limits.response, self._crew)
        except OSError:  # the client has gone, or takes nothing
            self.abort()
        finally:
            self._delivering = False

    async def _offer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and offer the application to deliver a large body."""
        if self.transport.get_extra_info("ssl_object") is None:
            scope["extensions"] = {DELIVERY: self.deliver}
        await self._site(scope, receive, send)

    def _interrupt(self) -> None:
        """End a delivery, whose thread may be waiting for the client."""
        if self._delivering:
            with suppress(OSError):  # it has gone already
                self._socket.shutdown(socket.SHUT_RDWR)

    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn's types do not say that there may be none
        return self._repeating or (cycle is not None and not cycle.response_complete)

    def _enter(self, phase: Phase) -> None:
        """Begin a phase, and its deadline."""
        if self._gone:  # an answer that was cut off ends afterwards
            return
        limits = self._limits
        match phase:
            case Phase.WAITING:
                seconds = limits.head
            case Phase.ANSWERED:
                seconds = limits.response
            case Phase.RESTING:
                seconds = limits.keep_alive + limits.closing  # uvicorn closes after keep_alive
            case Phase.CLOSING:
                seconds = limits.closing
        if self._deadline:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self.abort)
        self._phase = phase
        self._register.move(self, phase)
