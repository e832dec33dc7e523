"""An application that is loaded with its first request."""

import asyncio
from collections.abc import Callable

from anyio import CapacityLimiter, to_thread
from starlette.types import ASGIApp, Receive, Scope, Send


class LazyApp:
    """Loads an ASGI application in a thread when the first request comes.

    Importing FastAPI, Jinja2 and what uses them takes 0.15 s of CPU time and 11 MiB. A start does without, and
    so does a monitor that only Prometheus reads.
    """

    def __init__(self, load: Callable[[], ASGIApp], threads: CapacityLimiter) -> None:
        """Call `load` with the first request, in as many threads as `threads` allows."""
        self._load = load
        self._threads = threads
        self._lock = asyncio.Lock()
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        async with self._lock:
            if self._app is None:
                self._app = await to_thread.run_sync(self._load, limiter=self._threads)
        await self._app(scope, receive, send)
