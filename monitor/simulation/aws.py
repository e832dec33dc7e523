"""A server of moto, extended by the operations of Service Catalog that moto lacks.

moto dispatches an operation to the method with its snake_case name on the service's response class. `install` sets
the missing methods, and fails if a new version of moto has one of them.
"""

import json
import logging
import re
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from moto.servicecatalog.models import ServiceCatalogBackend, servicecatalog_backends
from moto.servicecatalog.responses import ServiceCatalogResponse

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
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
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
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)

    def start(self) -> str:
        """Start to serve, and return the URL for AWS_ENDPOINT_URL."""
        self._server.start()
        host, port = self._server.get_host_and_port()
        return f"http://{host}:{port}"

    def stop(self) -> None:
        """Stop to serve."""
        self._server.stop()


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
