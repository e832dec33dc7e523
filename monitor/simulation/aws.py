"""moto taught what it lacks: ListStackInstancesForProvisionedProduct.

moto finds operations by their snake_case name on its backend and response classes, in `mock_aws` and in
its server alike. What is missing there is set here; the day moto has it, `install` says so and fails.
"""

import base64
import json
import logging
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from moto.servicecatalog.models import ServiceCatalogBackend, servicecatalog_backends
from moto.servicecatalog.responses import ServiceCatalogResponse

from monitor.simulation.exchange import Answer, Request
from monitor.simulation.stack_sets import NotAStackSetError, NotThereError, StackSets

LARGEST_PAGE = 20
ACCOUNT = "123456789012"
"""The account that moto puts callers in who did not assume a role."""
REGION = "eu-west-1"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "simulated",
    "AWS_SECRET_ACCESS_KEY": "simulated",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}

OPERATION = "ListStackInstancesForProvisionedProduct"
_OPERATION = "list_stack_instances_for_provisioned_product"


def stack_sets(account: str = ACCOUNT, region: str = REGION) -> StackSets:
    """Return the simulated products of an account and Region."""
    return _of(servicecatalog_backends[account][region])


def forget() -> None:
    """Forget every product of every account and Region."""
    servicecatalog_backends.reset()


def install() -> None:
    """Set the missing operations; doing it twice does no harm. Raise `RuntimeError` where moto has them itself."""
    for owner, function in (
        (ServiceCatalogBackend, _backend_operation),
        (ServiceCatalogResponse, _response_operation),
    ):
        present = getattr(owner, _OPERATION, None)
        if present is None:
            setattr(owner, _OPERATION, function)
        elif present is not function:
            message = f"moto has {_OPERATION} by itself now: take the simulation's own one out"
            raise RuntimeError(message)


class SimulatedAws:
    """The server, on a free port of loopback."""

    def __init__(self) -> None:
        """Install what moto lacks; nothing is served yet."""
        install()
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it writes a line for each request
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)

    def start(self) -> str:
        """Serve, and return the URL, which is what AWS_ENDPOINT_URL wants."""
        self._server.start()
        host, port = self._server.get_host_and_port()
        return f"http://{host}:{port}"

    def stop(self) -> None:
        """Serve no more."""
        self._server.stop()


def answer(request: Request) -> Answer:
    """Answer in this process, without moto's server: an upstream for a server that misbehaves, and a quick one."""
    install()
    if request.operation != OPERATION:
        return Answer(400, json.dumps({"__type": "UnknownOperationException"}).encode())
    try:
        members = _list(servicecatalog_backends[ACCOUNT][request.region or REGION], json.loads(request.body))
    except JsonRESTError as error:
        return Answer(400, json.dumps({"__type": error.error_type, "Message": error.message}).encode())
    return Answer(body=json.dumps({name: value for name, value in members.items() if value is not None}).encode())


def _of(backend: ServiceCatalogBackend) -> StackSets:
    """Return the state beside moto's own; made when it is asked for, since moto's reset empties `__dict__`."""
    found: StackSets = backend.__dict__.setdefault("stack_sets", StackSets())
    return found


def _backend_operation(
    self: ServiceCatalogBackend, product_id: str, token: str | None, size: int
) -> tuple[list[dict[str, str]], str | None]:
    mine = _of(self)
    if mine.throttled:
        raise JsonRESTError("ThrottlingException", "Rate exceeded")
    if not 0 <= size <= LARGEST_PAGE:
        raise JsonRESTError("InvalidParametersException", f"PageSize must be at most {LARGEST_PAGE}")
    try:
        after = None if token is None else base64.urlsafe_b64decode(token).decode()
        items, following = mine.page(product_id, after, size or LARGEST_PAGE)
    except NotThereError as error:
        raise JsonRESTError("ResourceNotFoundException", f"Provisioned product {product_id} not found.") from error
    except NotAStackSetError as error:
        message = f"Provisioned product {product_id} is not of type CFN_STACKSET."
        raise JsonRESTError("InvalidParametersException", message) from error
    except ValueError as error:
        raise JsonRESTError("InvalidParametersException", "The page token is not valid.") from error
    return items, None if following is None else base64.urlsafe_b64encode(following.encode()).decode()


def _response_operation(self: ServiceCatalogResponse) -> ActionResult:
    return ActionResult(_list(self.servicecatalog_backend, json.loads(self.body)))


def _list(backend: ServiceCatalogBackend, parameters: dict[str, Any]) -> dict[str, Any]:
    items, token = getattr(backend, _OPERATION)(
        parameters["ProvisionedProductId"], parameters.get("PageToken"), int(parameters.get("PageSize", LARGEST_PAGE))
    )
    return {"StackInstances": items, "NextPageToken": token}
