"""`/metrics`: sends the exposition, which is rendered and compressed when a snapshot changes."""

import asyncio
from collections.abc import Iterator
from typing import Protocol

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from monitor.web.negotiation import OPENMETRICS, TEXT, wants_gzip, wants_openmetrics


class Exposition(Protocol):
    """A whole response to a scrape, in chunks."""

    @property
    def length(self) -> int:
        """Return the size of the text in bytes."""

    @property
    def gzip_length(self) -> int:
        """Return the size of the gzip stream in bytes."""

    def text(self) -> Iterator[bytes]:
        """Return the text."""

    def gzip(self) -> Iterator[bytes]:
        """Return the gzip stream."""


class MetricsSource(Protocol):
    """Where the metrics come from."""

    def exposition(self, *, openmetrics: bool) -> Exposition:
        """Return all metrics as they are now."""


class ScrapeEndpoint:
    """The ASGI application at `/metrics`."""

    def __init__(self, metrics: MetricsSource, maximum: int) -> None:
        """Send at most `maximum` expositions at the same time; another scrape is answered with 503."""
        self._metrics = metrics
        self._maximum = maximum
        self._active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one scrape."""
        if self._active >= self._maximum:
            busy = PlainTextResponse("503 Service Unavailable: too many scrapes at once\n", 503, {"Retry-After": "1"})
            await busy(scope, receive, send)
            return
        self._active += 1
        try:
            await self._answer(scope, send)
        finally:
            self._active -= 1

    async def _answer(self, scope: Scope, send: Send) -> None:
        accept, accept_encoding = (
            ",".join(Headers(scope=scope).getlist(name)) for name in ("accept", "accept-encoding")
        )
        openmetrics, gzip = wants_openmetrics(accept), wants_gzip(accept_encoding)
        exposition = self._metrics.exposition(openmetrics=openmetrics)
        length = exposition.gzip_length if gzip else exposition.length
        headers = [
            (b"content-type", (OPENMETRICS if openmetrics else TEXT).encode()),
            (b"content-length", str(length).encode()),
            (b"vary", b"Accept, Accept-Encoding"),
        ]
        if gzip:
            headers.append((b"content-encoding", b"gzip"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] != "HEAD":
            for body in exposition.gzip() if gzip else exposition.text():
                await send({"type": "http.response.body", "body": body, "more_body": True})
                await asyncio.sleep(0)  # other clients have their turn, however fast this one reads
        # uvicorn waits until the last message has left the buffer: until then, the scrape counts as active.
        await send({"type": "http.response.body", "body": b""})
