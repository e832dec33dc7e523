"""A source of products: one boto3 client, and the listing of a product through it."""

import functools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import botocore.session
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.loaders import Loader, create_loader

from monitor import __version__
from monitor.catalog.budget import Budget
from monitor.catalog.calls import Caller
from monitor.catalog.credentials import KeptCredentials
from monitor.catalog.errors import fault
from monitor.catalog.listing import Pages, check_body, checked
from monitor.catalog.redaction import sentence
from monitor.catalog.wire import CONNECT_TIMEOUT, READ_TIMEOUT, ApiObserver, Wire
from monitor.configuration.settings import SourceSettings
from monitor.fleet.failure import PollFailedError, Reason
from monitor.fleet.instances import Listing
from monitor.poller.deadline import Deadline

LIST_STACK_INSTANCES = "ListStackInstancesForProvisionedProduct"
OPERATIONS = (LIST_STACK_INSTANCES,)
"""Every operation of Service Catalog that is called."""
DEFAULT_ATTEMPTS = 3
"""Attempts a call where neither AWS_MAX_ATTEMPTS nor the AWS configuration file says: botocore's own default."""
_FIRST_ERROR_STATUS = 301
"""Below it, botocore reads an answer as a success."""


@dataclass(frozen=True, slots=True)
class _Connected:
    client: Any
    caller: Caller
    credentials: KeptCredentials


class Source:
    """One AWS account and Region that products are read from. Safe to use from many threads."""

    def __init__(self, settings: SourceSettings, observer: ApiObserver, connections: int) -> None:
        """Reach the source over up to `connections` connections; nothing is called yet."""
        self._settings = settings
        self._observer = observer
        self._budget = Budget(settings.calls_per_second)
        self._wire = Wire(observer, connections)
        self._lock = threading.Lock()
        self._connected: _Connected | None = None

    def list_stack_instances(
        self, product_id: str, deadline: Deadline, on_page: Callable[[int, int], None] | None = None
    ) -> Listing:
        """List all stack instances of a provisioned product, every page.

        `on_page` is told the pages and instances so far. Raises `PollFailedError` where any page is
        missing, and `PollCancelledError` when the monitor stops. API: ListStackInstancesForProvisionedProduct.
        """
        pages = Pages()
        arguments = {
            "ProvisionedProductId": product_id,
            "PageSize": self._settings.page_size,
            "AcceptLanguage": self._settings.accept_language,
        }

        def page(client: Any) -> Mapping[str, Any]:
            return checked(client.list_stack_instances_for_provisioned_product(**arguments))

        while True:
            token = pages.add(self._call(LIST_STACK_INSTANCES, page, deadline))
            if on_page:
                on_page(pages.count, len(pages))
            if token is None:
                return pages.listing()
            arguments["PageToken"] = token

    def _call(
        self, operation: str, function: Callable[[Any], Mapping[str, Any]], deadline: Deadline
    ) -> Mapping[str, Any]:
        """Make one call; where AWS does not take the credentials any more, once more with what is found anew."""
        connected = self._connect()
        credentials = connected.credentials

        def call() -> Mapping[str, Any]:
            return connected.caller.call(operation, lambda: function(connected.client), deadline)

        if (held := credentials.held) is not None:
            try:
                return call()
            except PollFailedError as error:
                if error.reason is not Reason.CREDENTIALS:
                    raise
                credentials.forget(held)
        try:
            return call()
        except PollFailedError as error:
            if error.reason is Reason.CREDENTIALS:
                credentials.forget(credentials.held)  # the next poll looks for them anew, without a restart
            raise

    def _connect(self) -> _Connected:
        """Make the client on first use: a missing Region or profile then fails a poll, not the daemon."""
        with self._lock:
            if self._connected is None:
                try:
                    self._connected = self._make_client()
                except Exception as error:  # botocore's own, and whatever a wrong setting leads to
                    raise _unusable(error) from error
            return self._connected

    def _make_client(self) -> _Connected:
        core = self._session()
        credentials = KeptCredentials(self._session, self._observer)
        core.register_component("credential_provider", credentials)
        client = Session(botocore_session=core).client("servicecatalog")
        client.meta.events.register(f"before-parse.service-catalog.{LIST_STACK_INSTANCES}", _check)
        attempts = int(core.get_config_variable("max_attempts") or DEFAULT_ATTEMPTS)
        caller = Caller(self._budget, self._observer, attempts, self._wire.secrets.hide)
        return _Connected(client, caller, credentials)

    def _session(self) -> botocore.session.Session:
        """Return a new session, whose clients send over our wire, also those that get credentials."""
        session = botocore.session.get_session()
        if self._settings.region is not None:
            session.set_config_variable("region", self._settings.region)
        session.set_default_client_config(
            Config(
                # One attempt: the attempts are made in calls.py, where a wait ends with the deadline.
                retries={"total_max_attempts": 1, "mode": "standard"},
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=READ_TIMEOUT,
                user_agent_extra=f"stackset-monitor/{__version__}",
            )
        )
        session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
        self._wire.serve(session)
        return session


@functools.cache
def _loader(data_path: str | None) -> Loader:
    """Read the descriptions of the APIs once for all sources: 9 MB and 0.1 s for each of them otherwise."""
    return create_loader(data_path)


def _unusable(error: Exception) -> PollFailedError:
    if isinstance(error, BotoCoreError):
        return fault(error).error()
    return PollFailedError(Reason.OTHER, type(error).__name__, sentence(str(error)))


def _check(response_dict: Mapping[str, Any], **_: Any) -> None:
    if response_dict["status_code"] < _FIRST_ERROR_STATUS:
        check_body(response_dict["body"])
