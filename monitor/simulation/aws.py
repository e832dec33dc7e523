"""A server of moto, extended by the operations of Service Catalog that moto lacks.

moto dispatches an operation to the method with its snake_case name on the service's response class. `install` sets
the missing methods, and fails if a new version of moto has one of them.
"""

import json
import logging
import re
import threading
from collections.abc import Callable
from typing import Any

from flask import Flask
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import convert_to_flask_response
from moto.moto_server.werkzeug_app import (
    BackendRequest,
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.servicecatalog.models import ServiceCatalogBackend, servicecatalog_backends
from moto.servicecatalog.responses import ServiceCatalogResponse
from werkzeug.serving import make_server

from monitor.simulation import cloudformation
from monitor.simulation.operations import OPERATIONS, perform
from monitor.simulation.stack_sets import ACCOUNT, REGION, StackSets

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "simulated",
    "AWS_SECRET_ACCESS_KEY": "simulated",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def stack_sets(account: str = ACCOUNT, region: str = REGION) -> StackSets:
    """Return the simulated products of an account and Region."""
    return _of(servicecatalog_backends[account][region])


def reset() -> None:
    """Remove all products of all accounts and Regions."""
    servicecatalog_backends.reset()


def install() -> None:
    """Add the missing operations to moto; calling it twice is harmless.

    Raises: `RuntimeError` if moto has one of them.
    """
    for operation in OPERATIONS:
        name = _snake_case(operation)
        present = getattr(ServiceCatalogResponse, name, None)
        if hasattr(ServiceCatalogBackend, name) or (present and not hasattr(present, "simulated")):
            message = f"this version of moto has {operation}: remove it from monitor/simulation/operations.py"
            raise RuntimeError(message)
        if present is None:
            setattr(ServiceCatalogResponse, name, _method(operation))


class SimulatedAws:
    """The server, on a free port of the loopback interface."""

    def __init__(self) -> None:
        """Create a server that does not listen yet."""
        install()
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs a line for each request
        application = DomainDispatcherApplication(_create_application)
        self._server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="simulated-aws", daemon=True)

    def start(self) -> str:
        """Start to serve, and return the URL for AWS_ENDPOINT_URL."""
        self._thread.start()
        return f"http://127.0.0.1:{self._server.port}"

    def stop(self) -> None:
        """Stop to serve."""
        self._server.shutdown()
        self._thread.join()


def _of(backend: ServiceCatalogBackend) -> StackSets:
    # Created on first use, because moto's reset clears `__dict__`.
    new = StackSets(backend.account_id, backend.region_name)
    products: StackSets = backend.__dict__.setdefault("stack_sets", new)
    return products


def _method(operation: str) -> Callable[[Any], ActionResult]:
    def method(self: ServiceCatalogResponse) -> ActionResult:
        return ActionResult(perform(operation, _of(self.servicecatalog_backend), json.loads(self.body)))

    method.simulated = True  # type: ignore[attr-defined] # distinguishes it from a method of moto
    return method


def _snake_case(operation: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()


class CloudFormation(BaseResponse):
    """CloudFormation with the operations of `cloudformation.OPERATIONS`: moto parses requests and writes the XML.

    It takes the place of moto's own CloudFormation, whose stack instances are always CURRENT, have no reason and come
    without filters and pages, and which needs 100 MB of packages.
    """

    def __init__(self) -> None:
        super().__init__(service_name="cloudformation")
        self.automated_parameter_parsing = True


def _create_application(service: Any) -> Flask:
    if service != "cloudformation":
        return create_backend_app(service)
    application = Flask("cloudformation")
    application.request_class = BackendRequest
    application.add_url_rule("/", view_func=convert_to_flask_response(CloudFormation.dispatch), methods=["POST"])
    return application


def _cloudformation_method(operation: str) -> Callable[[Any], ActionResult | tuple[str, dict[str, Any]]]:
    def method(self: CloudFormation) -> ActionResult | tuple[str, dict[str, Any]]:
        products = stack_sets(self.current_account, self.region)
        try:
            return ActionResult(cloudformation.perform(operation, products, self.params))
        except cloudformation.CloudFormationError as error:
            return error.xml(), {"status": 400, "Content-Type": "text/xml"}

    return method


for _operation in cloudformation.OPERATIONS:
    setattr(CloudFormation, _snake_case(_operation), _cloudformation_method(_operation))
