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

from monitor.web.api_endpoint import ApiEndpoint
from monitor.web.limits import Limits
from monitor.web.pages.routes import Pages
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
    api = ApiEndpoint(views, version, threads)
    site = Starlette(
        routes=[
            *Pages(views, version, threads).routes(),
            Route("/metrics", ScrapeEndpoint(metrics, scrapes), methods=["GET", "HEAD"]),
            _probe("/livez", health.alive, "the scheduler has stopped"),
            _probe("/readyz", health.ready, "some products have not been polled yet"),
            *([_reload(reload)] if reload else []),
        ]
    )
    site.router.redirect_slashes = False  # /metrics/ does not exist

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # No pattern of a Starlette route matches a path with a newline, so a mount would not answer it as the API does.
        await (api if scope["path"].startswith("/api/") else site)(scope, receive, send)

    return app


def _probe(path: str, passes: Callable[[], bool], failure: str) -> Route:
    async def probe(_: Request) -> Response:  # async: Starlette would run it in a thread otherwise
        return PlainTextResponse("ok\n") if passes() else PlainTextResponse(f"{failure}\n", 503)

    return Route(path, probe)


def _reload(reload: Callable[[], str | None]) -> Route:
    async def reload_configuration(_: Request) -> Response:
        problems = await run_in_threadpool(reload)
        return PlainTextResponse(f"{problems}\n", 400) if problems else PlainTextResponse("reloaded\n")

    return Route("/-/reload", reload_configuration, methods=["POST"])
