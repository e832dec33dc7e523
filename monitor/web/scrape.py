"""`/metrics`: sends the exposition, which is rendered and compressed when a snapshot changes."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
BUSY = "503 Service Unavailable: too many scrapes at once\n"


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
        # A client that reads slowly holds its slot for a minute: one address cannot lock the others out.
        self._maximum_per_client = maximum - maximum // 4
        self._active: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one scrape."""
        client = scope["client"][0] if scope.get("client") else ""
        if self._active.total() >= self._maximum or self._active[client] >= self._maximum_per_client:
            await PlainTextResponse(BUSY, 503, {"Retry-After": "1"})(scope, receive, send)
            return
        self._active[client] += 1
        try:
            await self._answer(scope, send)
        finally:
            self._active -= Counter([client])  # also forgets a client without a scrape

    async def _answer(self, scope: Scope, send: Send) -> None:
        headers = Headers(scope=scope)
        openmetrics = wants_openmetrics(",".join(headers.getlist("accept")))
        gzip = wants_gzip(",".join(headers.getlist("accept-encoding")))
        exposition = self._metrics.exposition(openmetrics=openmetrics)
        length = exposition.gzip_length if gzip else exposition.length
        response_headers = [
            (b"content-type", (OPENMETRICS if openmetrics else TEXT).encode()),
            (b"content-length", str(length).encode()),
            (b"vary", b"Accept, Accept-Encoding"),
        ]
        if gzip:
            response_headers.append((b"content-encoding", b"gzip"))
        await send({"type": "http.response.start", "status": 200, "headers": response_headers})
        if scope["method"] != "HEAD":
            for body in exposition.gzip() if gzip else exposition.text():
                await send({"type": "http.response.body", "body": body, "more_body": True})
                await asyncio.sleep(0)  # other clients have their turn, however fast this one reads
        # uvicorn waits until the last message has left the buffer: until then, the scrape counts as active.
        await send({"type": "http.response.body", "body": b""})


def wants_openmetrics(accept: str) -> bool:
    """Say whether the client likes OpenMetrics at least as much as the text format (RFC 9110, section 12.5.1)."""
    openmetrics = text = 0.0
    for kind, version, quality in _choices(accept):
        if kind == "application/openmetrics-text" and version in (None, "1.0.0", "0.0.1"):
            openmetrics = max(openmetrics, quality)
        elif kind in ("text/plain", "text/*", "*/*") and version in (None, "0.0.4"):
            text = max(text, quality)
    return openmetrics > 0 and openmetrics >= text


def wants_gzip(accept_encoding: str) -> bool:
    """Say whether the client accepts gzip (RFC 9110, section 12.5.3)."""
    qualities = {coding: quality for coding, _, quality in _choices(accept_encoding)}
    return qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", 0.0))) > 0


def _choices(header: str) -> Iterator[tuple[str, str | None, float]]:
    """Yield the value, the version and the quality of each choice in a header."""
    for choice in header.lower().split(","):
        value, *parameters = (part.strip() for part in choice.split(";"))
        pairs = dict(parameter.partition("=")[::2] for parameter in parameters)
        try:
            quality = float(pairs.get("q", "1"))
        except ValueError:
            quality = 0.0
        yield value, pairs["version"].strip('"') if "version" in pairs else None, quality
