"""The routes."""

from collections.abc import Callable
from html import escape
from typing import Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from monitor.web.limits import Limits
from monitor.web.scrape import MetricsSource, ScrapeEndpoint
from monitor.web.views import Views

_HOME = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>stackset-monitor</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 40rem; padding: 0 1rem }}</style>
<h1>stackset-monitor</h1>
<p>Version {version}</p>
<p>Monitors the stack instances of AWS Service Catalog products that are deployed as CloudFormation StackSets.</p>
<ul>
<li><a href="/metrics">/metrics</a>: metrics for Prometheus</li>
<li><a href="/readyz">/readyz</a>: readiness: each product has its stored snapshot or its first poll</li>
<li><a href="/livez">/livez</a>: liveness: the scheduler runs</li>
</ul>
</html>
"""


class Health(Protocol):
    """What the probes ask."""

    def alive(self) -> bool:
        """Say whether the scheduler runs."""

    def ready(self) -> bool:
        """Say whether each product has its stored snapshot or its first poll."""


def application(
    metrics: MetricsSource,
    health: Health,
    views: Views,  # noqa: ARG001 - for the pages and the API
    *,
    version: str,
    scrapes: int = Limits().scrapes,
    reload: Callable[[], str | None] | None = None,
) -> ASGIApp:
    """Return the web application, which sends at most so many `scrapes` at the same time.

    POST /-/reload calls `reload` in a thread, which returns the problems of the configuration. Without `reload`, there
    is no such path.
    """
    home = HTMLResponse(_HOME.format(version=escape(version)))
    app = Starlette(
        routes=[
            Route("/", home, methods=["GET", "HEAD"]),
            Route("/metrics", ScrapeEndpoint(metrics, scrapes), methods=["GET", "HEAD"]),
            _probe("/livez", health.alive, "the scheduler has stopped"),
            _probe("/readyz", health.ready, "some products have not been polled yet"),
            *([_reload(reload)] if reload else []),
        ]
    )
    app.router.redirect_slashes = False  # /metrics/ does not exist
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
