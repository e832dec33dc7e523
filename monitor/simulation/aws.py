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
    """Forget every product of every account and Region."""
    servicecatalog_backends.reset()


def install() -> None:
    """Set what is missing; doing it twice does no harm. Raise `RuntimeError` where moto has it by itself."""
    for operation in OPERATIONS:
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
        present = getattr(ServiceCatalogResponse, name, None)
        if hasattr(ServiceCatalogBackend, name) or (present and not hasattr(present, "simulated")):
            message = f"moto has {operation} by itself now: take the simulation's own one out"
            raise RuntimeError(message)
        if present is None:
            setattr(ServiceCatalogResponse, name, _method(operation))


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


def _of(backend: ServiceCatalogBackend) -> StackSets:
    """Return the state beside moto's own; made when it is asked for, since moto's reset empties `__dict__`."""
    made = StackSets(backend.account_id, backend.region_name)
    found: StackSets = backend.__dict__.setdefault("stack_sets", made)
    return found


def _method(operation: str) -> Callable[[Any], ActionResult]:
    def method(self: ServiceCatalogResponse) -> ActionResult:
        return ActionResult(perform(operation, _of(self.servicecatalog_backend), json.loads(self.body)))

    method.simulated = True  # type: ignore[attr-defined] # what tells it from one of moto's own
    return method
