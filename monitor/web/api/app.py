"""The routes of the API, and its errors."""

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Query
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.model.paging import CursorError, TransitionFilter, instances, paginate
from monitor.model.views import by_id, totals
from monitor.poller.protocols import StateError
from monitor.web.api.models import Error, InstanceList, Product, ProductList, SourceList, TransitionList
from monitor.web.api.parameters import (
    FleetInstanceParameters,
    InstanceParameters,
    Paging,
    Parameters,
    TransitionParameters,
    explain,
)
from monitor.web.queries import (
    ParameterError,
    UnknownProductError,
    find_product,
    find_products,
    parse_since,
    product_ids,
)
from monitor.web.views import Views

OPENAPI = "/api/openapi.json"
HANDLED = (
    RequestValidationError,
    ParameterError,
    CursorError,
    UnknownProductError,
    StateError,
    HTTPException,
    Exception,
)

_HEADERS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]

Responses = dict[int | str, dict[str, Any]]
_BAD_PARAMETER: Responses = {400: {"model": Error, "description": "A parameter is wrong; the error names it."}}
_NOT_FOUND: Responses = {404: {"model": Error, "description": "There is no such product."}}
_NO_STATE: Responses = {503: {"model": Error, "description": "The stored transitions cannot be read now."}}


class Api:
    """Answers requests from the views of the products and sources."""

    def __init__(
        self, views: Views, threads: CapacityLimiter, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Read `views` and write JSON in as many threads as `threads` allows, so that no scrape waits for it."""
        self._views = views
        self._threads = threads
        self._now = now

    async def products(self, parameters: Annotated[Paging, Query()]) -> Response:
        """List the monitored products by ID, with the totals of all products."""

        def result() -> ProductList:
            views = self._views.products()
            page = paginate(views, by_id, parameters.limit, parameters.cursor)
            return ProductList.model_validate({"totals": totals(views), "products": page.items, "cursor": page.cursor})

        return await self._answer(result)

    async def product(self, product: str, _: Annotated[Parameters, Query()]) -> Response:
        """Return a product by its ID, or by its name if no other product has that."""
        return await self._answer(lambda: Product.model_validate(find_product(self._views, product)))

    async def product_instances(self, product: str, parameters: Annotated[InstanceParameters, Query()]) -> Response:
        """List the stack instances of a product by account and Region."""

        def result() -> InstanceList:
            view = find_product(self._views, product)
            page = instances([view], parameters.filter(), parameters.limit, parameters.cursor)
            return InstanceList.model_validate({"instances": page.items, "cursor": page.cursor})

        return await self._answer(result)

    async def instances(self, parameters: Annotated[FleetInstanceParameters, Query()]) -> Response:
        """List the stack instances of all products by product ID, account and Region.

        While pages are read, an instance that exists throughout is returned exactly once.
        """

        def result() -> InstanceList:
            views = find_products(self._views, parameters.product)
            page = instances(views, parameters.filter(), parameters.limit, parameters.cursor)
            return InstanceList.model_validate({"instances": page.items, "cursor": page.cursor})

        return await self._answer(result)

    async def transitions(self, parameters: Annotated[TransitionParameters, Query()]) -> Response:
        """List the stored transitions of stack instances, the newest first.

        They include those of products that are not monitored any more, by the ID of the product.
        """

        def result() -> TransitionList:
            wanted = TransitionFilter(
                parse_since(parameters.since, self._now()),
                product_ids(self._views, parameters.product),
                frozenset(parameters.account),
                parameters.statuses(),
            )
            page = self._views.transitions(wanted, parameters.limit, parameters.cursor)
            return TransitionList.model_validate({"transitions": page.items, "cursor": page.cursor})

        return await self._answer(result)

    async def sources(self, parameters: Annotated[Paging, Query()]) -> Response:
        """List the sources by name, with their use of the budget, their searches and failures."""

        def result() -> SourceList:
            sources = self._views.sources()
            page = paginate(sources, lambda view: (view.name,), parameters.limit, parameters.cursor)
            return SourceList.model_validate({"sources": page.items, "cursor": page.cursor})

        return await self._answer(result)

    async def _answer(self, result: Callable[[], BaseModel]) -> Response:
        """Return a result as JSON. FastAPI would write it on the event loop: 1,000 instances take milliseconds."""
        json = await to_thread.run_sync(lambda: result().model_dump_json().encode(), limiter=self._threads)
        return Response(json, media_type="application/json")


def create_api(views: Views, version: str, threads: CapacityLimiter) -> ASGIApp:
    """Return the application of all paths below `/api`."""
    app = FastAPI(
        title="stackset-monitor",
        version=version,
        description="The stack instances of AWS Service Catalog products, as of the last poll of each. Read-only.",
        openapi_url=OPENAPI,
        docs_url=None,  # Swagger UI and ReDoc load their scripts from other hosts
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    api = Api(views, threads)
    for path, endpoint, model, responses in (
        ("/products", api.products, ProductList, {}),
        ("/products/{product}", api.product, Product, _NOT_FOUND),
        ("/products/{product}/instances", api.product_instances, InstanceList, _NOT_FOUND),
        ("/instances", api.instances, InstanceList, _NOT_FOUND),
        ("/transitions", api.transitions, TransitionList, _NO_STATE),
        ("/sources", api.sources, SourceList, {}),
    ):
        app.add_api_route(
            f"/api/v1{path}",
            endpoint,
            response_model=model,
            responses={**_BAD_PARAMETER, **responses, "default": {"model": Error, "description": "Another error."}},
        )
    for error in HANDLED:
        app.add_exception_handler(error, _error)

    async def with_headers(scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a HEAD request as a GET request: the server does not send the body."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        await app({**scope, "method": "GET"} if scope["method"] == "HEAD" else scope, receive, send_with_headers)

    return with_headers


async def _error(_: Request, error: Exception) -> Response:
    headers = None
    match error:
        case RequestValidationError():
            status, sentence = HTTPStatus.BAD_REQUEST, explain(error.errors())
        case ParameterError():
            status, sentence = HTTPStatus.BAD_REQUEST, str(error)
        case CursorError():
            status, sentence = HTTPStatus.BAD_REQUEST, f"cursor: {error}"
        case UnknownProductError():
            status, sentence = HTTPStatus.NOT_FOUND, str(error)
        case StateError():
            status, sentence = HTTPStatus.SERVICE_UNAVAILABLE, str(error)
        case HTTPException(status_code=HTTPStatus.NOT_FOUND):
            status, sentence = HTTPStatus.NOT_FOUND, f"there is nothing at this path; {OPENAPI} describes the API"
        case HTTPException(status_code=HTTPStatus.METHOD_NOT_ALLOWED):
            status, sentence, headers = HTTPStatus.METHOD_NOT_ALLOWED, "the API is read-only: use GET", error.headers
        case HTTPException():
            status, sentence, headers = HTTPStatus(error.status_code), error.detail, error.headers
        case _:
            status, sentence = HTTPStatus.INTERNAL_SERVER_ERROR, "a defect of the monitor; its log has the details"
    return JSONResponse({"error": sentence}, status, headers)
