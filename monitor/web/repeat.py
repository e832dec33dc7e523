"""A request that came before on the same connection, answered without reading it again.

Prometheus sends the same bytes at each scrape. What they mean was worked out the first time, strictly, by h11;
to do so again would take longer than everything else that the monitor does for a scrape.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain

from starlette.types import ASGIApp, Message, Scope
from uvicorn.protocols.http.flow_control import FlowControl

from monitor.web.delivery import DELIVERY

LONGEST = 4096
"""Bytes of a request that is stored."""


@dataclass(frozen=True, slots=True)
class StoredProduct:
    """A request, and what an application is told of it."""

    data: bytes
    scope: Scope


@dataclass(slots=True)
class Repeat:
    """The answer to a stored request. Only for an application whose headers need no check: ours."""

    transport: asyncio.Transport
    flow: FlowControl
    push: Callable[[Iterator[bytes]], Awaitable[None]] | None
    """Sends pieces past the event loop; None where that cannot be."""
    headers: list[tuple[bytes, bytes]]
    """Sent with every answer."""
    head: bytes = b""

    async def run(self, app: ASGIApp, scope: Scope, done: Callable[[], None]) -> None:
        """Let the application answer, and call `done`; cut off where it fails."""
        extensions = {DELIVERY: self._deliver} if self.push else {}
        try:
            await app({**scope, "extensions": extensions}, _nothing_more, self._send)
        except Exception:
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
            self.transport.abort()
        else:
            done()

    async def _send(self, message: Message) -> None:
        """Take what an ASGI application sends."""
        if message["type"] == "http.response.start":
            status = HTTPStatus(message["status"])
            lines = [b"%s: %s\r\n" % header for header in (*self.headers, *message["headers"])]
            self.head = b"HTTP/1.1 %d %s\r\n%s\r\n" % (status, status.phrase.encode(), b"".join(lines))
            return
        if self.flow.write_paused:
            await self.flow.drain()
        if (data := self._with_head(message.get("body", b""))) and not self.transport.is_closing():
            self.transport.write(data)

    async def _deliver(self, pieces: Iterator[bytes], _: int) -> None:
        if self.push:
            await self.push(chain((self._with_head(b""),), pieces))

    def _with_head(self, body: bytes) -> bytes:
        head, self.head = self.head, b""
        return head + body if head else body


async def _nothing_more() -> Message:
    """Be what an application would receive the body of a request from, which has none."""
    return {"type": "http.request", "body": b"", "more_body": False}
