"""The routes of the pages. Each is rendered in a thread, so that a scrape never waits for one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from monitor.model.paging import CursorError, TransitionFilter
from monitor.poller.protocols import StateError
from monitor.web.pages.console_links import instance_link
from monitor.web.pages.fleet import ROWS, fleet
from monitor.web.pages.instances import wanted_instances
from monitor.web.pages.parameters import Parameters
from monitor.web.pages.product import Cursors, product_page
from monitor.web.pages.responses import page_response
from monitor.web.pages.runbooks import runbook
from monitor.web.pages.static import static_routes
from monitor.web.pages.templates import environment
from monitor.web.queries import DEFAULT_SINCE, ParameterError, UnknownProductError, find_product, product_ids
from monitor.web.scrape import wants_gzip
from monitor.web.views import Views

# Seconds after which the script of a page loads it again: the interval of the polls, within these bounds.
SHORTEST_REFRESH, LONGEST_REFRESH = 5.0, 30.0
INSTANCE_PARAMETERS = ("status", "account", "region")

# What a template is rendered with.
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Rendered:
    html: str
    status: int = 200


class _NotFoundError(Exception):
    """There is no page at this path."""


class Pages:
    """Renders pages from the views of the products and sources."""

    def __init__(
        self,
        views: Views,
        version: str,
        threads: CapacityLimiter,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Render what `views` returns, in as many threads as `threads` allows."""
        self._views = views
        self._clock = clock
        self._environment = environment()
        self._environment.globals["version"] = version
        self._threads = threads

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the pages, and of the files that they load."""
        return [
            self._route("/", self._home),
            self._route("/products/{product}", self._product),
            self._route("/transitions", self._transitions),
            self._route("/sources", self._sources),
            self._route("/runbooks/{name}", self._runbook),
            *static_routes(),
        ]

    def _route(self, path: str, render: Callable[[Request, Parameters, datetime], str]) -> Route:
        def answer(request: Request) -> Response:
            page = self._rendered(request, render)
            compress = wants_gzip(request.headers.get("accept-encoding", ""))
            return page_response(page.html, page.status, compress=compress)

        async def endpoint(request: Request) -> Response:
            return await to_thread.run_sync(answer, request, limiter=self._threads)

        return Route(path, endpoint)

    def _rendered(self, request: Request, render: Callable[[Request, Parameters, datetime], str]) -> _Rendered:
        now = self._clock()
        try:
            return _Rendered(render(request, Parameters(request.query_params), now))
        except (_NotFoundError, UnknownProductError) as error:
            return self._message(request, now, 404, "Not found", str(error))
        except (ParameterError, CursorError) as error:
            return self._message(request, now, 400, "This address is not valid", str(error))
        except StateError as error:
            return self._message(request, now, 503, "The state cannot be read", str(error))

    def _message(self, request: Request, now: datetime, status: int, heading: str, sentence: str) -> _Rendered:
        return _Rendered(self._page(request, now, "message.html", {"heading": heading, "sentence": sentence}), status)

    def _page(self, request: Request, now: datetime, template: str, values: Values) -> str:
        common = {
            "now": now,
            "path": request.url.path,
            "query": request.url.query,
            "instance_link": instance_link,
            "refresh": LONGEST_REFRESH,
        }
        parameters = Parameters(request.query_params)
        return self._environment.get_template(template).render(common | {"parameters": parameters} | dict(values))

    def _home(self, request: Request, parameters: Parameters, now: datetime) -> str:
        views = self._views.products()
        regions = sorted(frozenset[str]().union(*(view.regions for view in views)))
        if any(parameters.all(name) for name in INSTANCE_PARAMETERS):
            page = wanted_instances(views, parameters.instance_filter(), ROWS, parameters.first("cursor"))
            return self._page(request, now, "instances.html", {"instances": page, "regions": regions})
        values = {
            "fleet": fleet(views, parameters.first("cursor")),
            "sources": self._views.sources(),
            "unused": self._views.unused_entries(),
        }
        refresh = _refresh(min((view.interval for view in views), default=LONGEST_REFRESH))
        return self._page(request, now, "fleet.html", values | {"regions": regions, "refresh": refresh})

    def _product(self, request: Request, parameters: Parameters, now: datetime) -> str:
        view = find_product(self._views, request.path_params["product"])
        wanted = parameters.instance_filter()
        cursors = Cursors(parameters.first("cursor"), parameters.first("map_cursor"))
        page = product_page(self._views, view, wanted, cursors, parameters.since(now, DEFAULT_SINCE), now)
        values = {
            "page": page,
            "view": view,
            "regions": sorted(view.regions),
            "refresh": _refresh(view.interval),
            "since": parameters.first("since") or DEFAULT_SINCE,
        }
        return self._page(request, now, "product.html", values)

    def _transitions(self, request: Request, parameters: Parameters, now: datetime) -> str:
        products = {view.product.id: view for view in self._views.products()}
        wanted = TransitionFilter(
            since=parameters.since(now, DEFAULT_SINCE),
            products=product_ids(self._views, parameters.all("product")),
            accounts=frozenset(parameters.all("account")),
            statuses=parameters.transition_statuses(),
        )
        page = self._views.transitions(wanted, ROWS, parameters.first("cursor"))
        values = {"transitions": page, "products": products, "since": parameters.first("since") or DEFAULT_SINCE}
        return self._page(request, now, "transitions.html", values)

    def _sources(self, request: Request, _: Parameters, now: datetime) -> str:
        return self._page(request, now, "sources.html", {"sources": self._views.sources()})

    def _runbook(self, request: Request, _: Parameters, now: datetime) -> str:
        name: str = request.path_params["name"].removesuffix(".md")  # as runbooks link to each other
        if (found := runbook(name)) is None:
            message = f"There is no runbook {name}."
            raise _NotFoundError(message)
        return self._page(request, now, "runbook.html", {"runbook": found})


def _refresh(interval: float) -> float:
    return min(max(interval, SHORTEST_REFRESH), LONGEST_REFRESH)
