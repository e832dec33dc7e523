"""The routes."""

from collections.abc import Callable
from typing import Protocol

from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.web.lazy_app import LazyApp
from monitor.web.limits import Limits
from monitor.web.scrape import MetricsSource, ScrapeEndpoint
from monitor.web.views import Views

# Pages and responses of the API that are made at the same time. Python runs one thread at a time: with two, scrapes
# beside 8 clients of the API took 37 ms instead of 8 ms, and not more requests were answered.
_THREADS = 1


class Health(Protocol):
    """What the probes ask."""

    def alive(self) -> bool:
        """Say whether the scheduler runs."""

    def ready(self) -> bool:
        """Say whether each product has its stored snapshot or its first poll."""


def application(
    metrics: MetricsSource,
    health: Health,
    views: Views,
    *,
    version: str,
    scrapes: int = Limits().scrapes,
    reload: Callable[[], str | None] | None = None,
) -> ASGIApp:
    """Return the web application, which sends at most so many `scrapes` at the same time.

    POST /-/reload calls `reload` in a thread, which returns the problems of the configuration. Without `reload`, there
    is no such path.
    """
    threads = CapacityLimiter(_THREADS)
    routes = [
        Route("/metrics", ScrapeEndpoint(metrics, scrapes), methods=["GET", "HEAD"]),
        _probe("/livez", health.alive, "the scheduler has stopped"),
        _probe("/readyz", health.ready, "some products have not been polled yet"),
        *([_reload(reload)] if reload else []),
    ]
    own, operations = {route.path for route in routes}, Starlette(routes=routes)
    api = LazyApp(lambda: _api(views, version, threads), threads)
    pages = LazyApp(lambda: _pages(views, version, threads), threads)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # Not a mount: no pattern of Starlette matches a path with a newline, which the API answers with JSON.
        path = scope["path"]
        await (operations if path in own else api if path.startswith("/api/") else pages)(scope, receive, send)

    return app


def _api(views: Views, version: str, threads: CapacityLimiter) -> ASGIApp:
    from monitor.web.api.app import create_api  # noqa: PLC0415 - see LazyApp

    return create_api(views, version, threads)


def _pages(views: Views, version: str, threads: CapacityLimiter) -> ASGIApp:
    from monitor.web.pages.routes import Pages  # noqa: PLC0415 - see LazyApp

    pages = Starlette(routes=Pages(views, version, threads).routes())
    pages.router.redirect_slashes = False  # /sources/ does not exist
    return pages


def _probe(path: str, passes: Callable[[], bool], failure: str) -> Route:
    async def probe(_: Request) -> Response:  # async: Starlette would run it in a thread otherwise
        return PlainTextResponse("ok\n") if passes() else PlainTextResponse(f"{failure}\n", 503)

    return Route(path, probe)


def _reload(reload: Callable[[], str | None]) -> Route:
    async def reload_configuration(_: Request) -> Response:
        problems = await run_in_threadpool(reload)
        return PlainTextResponse(f"{problems}\n", 400) if problems else PlainTextResponse("reloaded\n")

    return Route("/-/reload", reload_configuration, methods=["POST"])
