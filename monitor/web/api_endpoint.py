"""`/api/...`: loads the API with its first request."""

import asyncio

from anyio import CapacityLimiter, to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.web.views import Views

HEADERS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]


class ApiEndpoint:
    """The ASGI application below `/api`.

    Importing FastAPI and building its routes takes 0.1 to 0.2 s and 8 MiB: a start, and a monitor that nothing but
    Prometheus reads, do without.
    """

    def __init__(self, views: Views, version: str, threads: CapacityLimiter) -> None:
        """Answer from `views`, in as many threads as `threads` allows."""
        self._views = views
        self._version = version
        self._threads = threads
        self._lock = asyncio.Lock()
        self._api: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. A HEAD request is answered as a GET request: the server does not send the body."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        async with self._lock:
            if self._api is None:
                self._api = await to_thread.run_sync(self._load, limiter=self._threads)
        await self._api({**scope, "method": "GET"} if scope["method"] == "HEAD" else scope, receive, send_with_headers)

    def _load(self) -> ASGIApp:
        from monitor.web.api.app import create_api  # noqa: PLC0415

        return create_api(self._views, self._version, self._threads)
