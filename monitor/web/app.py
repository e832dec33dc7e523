"""The routes."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.web.aside import aside
from monitor.web.delivery import DELIVERY, Deliver
from monitor.web.limits import Limits
from monitor.web.negotiation import OPENMETRICS, TEXT, wants_gzip, wants_openmetrics
from monitor.web.page import page

METRICS = "/metrics"
PROBES = ("/livez", "/readyz")
METHODS = ("GET", "HEAD")
CHUNK_BYTES = 1 << 17
"""Pieces are joined to at least this size before they are sent: few calls, and little memory for each client,
since a client that takes nothing holds two of them."""


class Exposition(Protocol):
    """A whole answer to a scrape, in pieces."""

    @property
    def length(self) -> int:
        """Bytes of the text."""

    @property
    def gzip_length(self) -> int:
        """Bytes of the gzip stream."""

    def text(self) -> Iterator[bytes]:
        """Return the text."""

    def gzip(self) -> Iterator[bytes]:
        """Return the gzip stream."""


class Board(Protocol):
    """Where the metrics come from."""

    def exposition(self, *, openmetrics: bool) -> Exposition:
        """Return everything there is to show."""


class Health(Protocol):
    """What the probes ask for."""

    def alive(self) -> bool:
        """Say whether the scheduler ticks."""

    def ready(self) -> bool:
        """Say whether every product is shown, from the state or after its first poll."""


class Metrics:
    """`/metrics` as a bare ASGI application: the bytes are there already, and go out as they are."""

    def __init__(self, board: Board, at_once: int) -> None:
        """Send at most `at_once` expositions at the same time."""
        self._board = board
        self._at_once = at_once
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one scrape."""
        if self._under_way >= self._at_once:
            busy = PlainTextResponse("too many scrapes at once\n", 503, {"Retry-After": "1"})
            await busy(scope, receive, send)
            return
        self._under_way += 1
        try:
            await self._answer(scope, send)
        finally:
            self._under_way -= 1

    async def _answer(self, scope: Scope, send: Send) -> None:
        accept, accept_encoding = header(scope, b"accept"), header(scope, b"accept-encoding")
        openmetrics, packed = wants_openmetrics(accept), wants_gzip(accept_encoding)
        shown = self._board.exposition(openmetrics=openmetrics)
        length, pieces = (shown.gzip_length, shown.gzip()) if packed else (shown.length, shown.text())
        headers = [
            (b"content-type", (OPENMETRICS if openmetrics else TEXT).encode()),
            (b"content-length", str(length).encode()),
            (b"vary", b"Accept, Accept-Encoding"),
        ]
        if packed:
            headers.append((b"content-encoding", b"gzip"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        delivery: Deliver | None = scope.get("extensions", {}).get(DELIVERY)
        if scope["method"] == "HEAD":
            pass
        elif delivery:
            await delivery(pieces, length)
        else:
            for chunk in _chunks(pieces):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await asyncio.sleep(0)  # others have their turn; and it is noticed when the client has gone
        await send({"type": "http.response.body", "body": b""})


def application(
    board: Board,
    health: Health,
    *,
    version: str,
    scrapes: int = Limits().scrapes,
    reload: Callable[[], str | None] | None = None,
) -> ASGIApp:
    """Return the whole site: anything else is a 404, other methods are a 405; too many scrapes at once are a 503.

    POST /-/reload calls `reload`, which returns what is wrong with the configuration; without it there is no such page.
    """

    def probe(good: Callable[[], bool], bad: str) -> Callable[[Request], Response]:
        def endpoint(_: Request) -> Response:
            return PlainTextResponse("ok\n") if good() else PlainTextResponse(f"{bad}\n", 503)

        return endpoint

    async def front(_: Request) -> Response:
        return HTMLResponse(page(version))

    def wrapped(endpoint: Callable[[Request], Response]) -> Callable[[Request], object]:
        async def call(request: Request) -> Response:  # async: Starlette would put it on a thread otherwise
            return endpoint(request)

        return call

    async def reloaded(_: Request) -> Response:
        problems = await aside(reload, "reload") if reload else None
        return PlainTextResponse(f"{problems}\n", 400) if problems else PlainTextResponse("reloaded\n")

    metrics = Metrics(board, scrapes)
    app = Starlette(
        routes=[
            Route(METRICS, metrics, methods=METHODS),
            Route("/livez", wrapped(probe(health.alive, "the scheduler does not tick"))),
            Route("/readyz", wrapped(probe(health.ready, "some products were not polled yet"))),
            Route("/", front),
            *([Route("/-/reload", reloaded, methods=["POST"])] if reload else []),
        ],
        exception_handlers={HTTPException: _plain},
    )
    app.router.redirect_slashes = False  # /metrics/ is anything else

    async def site(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == METRICS and scope["method"] in METHODS:  # past the routing: it takes longer than a scrape
            await metrics(scope, receive, send)
        else:
            await app(scope, receive, send)

    return site


async def _plain(_: Request, error: Exception) -> Response:
    """Say an HTTP error in one line of text."""
    if not isinstance(error, HTTPException):
        raise error
    return PlainTextResponse(f"{error.status_code} {error.detail}\n", error.status_code, error.headers)


def header(scope: Scope, name: bytes) -> str:
    """Return a header's values, joined as RFC 9110 lets several lines of one name be joined."""
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)


def _chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= CHUNK_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
