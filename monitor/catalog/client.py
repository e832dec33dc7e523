"""A source of products: one boto3 client, and the listing of a product through it."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from monitor import __version__
from monitor.catalog.budget import Budget
from monitor.catalog.calls import ApiObserver, Caller
from monitor.catalog.errors import fault
from monitor.catalog.listing import Pages, checked
from monitor.catalog.wire import CONNECT_TIMEOUT, READ_TIMEOUT, Wire
from monitor.configuration.settings import SourceSettings
from monitor.fleet.instances import Listing
from monitor.poller.deadline import Deadline

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

LIST_STACK_INSTANCES = "ListStackInstancesForProvisionedProduct"
OPERATIONS = (LIST_STACK_INSTANCES,)
"""Every operation of Service Catalog that is called."""
DEFAULT_ATTEMPTS = 3
"""Attempts a call where neither AWS_MAX_ATTEMPTS nor the AWS configuration file says: botocore's own default."""


class Source:
    """One AWS account and Region that products are read from. Safe to use from many threads."""

    def __init__(self, settings: SourceSettings, observer: ApiObserver, connections: int) -> None:
        """Reach the source over up to `connections` connections; nothing is called yet."""
        self._settings = settings
        self._observer = observer
        self._connections = connections
        self._budget = Budget(settings.calls_per_second)
        self._lock = threading.Lock()
        self._client: Any = None
        self._caller: Caller | None = None

    def list_stack_instances(
        self, product_id: str, deadline: Deadline, on_page: Callable[[int, int], None] | None = None
    ) -> Listing:
        """List all stack instances of a provisioned product, every page.

        `on_page` is told the pages and instances so far. Raises `PollFailedError` where any page is
        missing, and `PollCancelledError` when the monitor stops. API: ListStackInstancesForProvisionedProduct.
        """
        client, caller = self._connect()
        pages = Pages()
        arguments = {
            "ProvisionedProductId": product_id,
            "PageSize": self._settings.page_size,
            "AcceptLanguage": self._settings.accept_language,
        }

        def page(**arguments: Any) -> Mapping[str, Any]:
            return checked(client.list_stack_instances_for_provisioned_product(**arguments))

        while True:
            token = pages.add(caller.call(LIST_STACK_INSTANCES, page, arguments, deadline))
            if on_page:
                on_page(pages.count, len(pages))
            if token is None:
                return pages.listing()
            arguments["PageToken"] = token

    def _connect(self) -> tuple[Any, Caller]:
        """Make the client on first use: a missing Region or profile then fails a poll, not the daemon."""
        with self._lock:
            if self._client is None or self._caller is None:
                try:
                    self._client, attempts = self._make_client()
                except BotoCoreError as error:
                    raise fault(error).error() from error
                self._caller = Caller(self._budget, self._observer, attempts)
            return self._client, self._caller

    def _make_client(self) -> tuple[Any, int]:
        session = Session(region_name=self._settings.region)
        client = session.client(
            "servicecatalog",
            config=Config(
                # One attempt: the attempts are made in calls.py, where a wait ends with the deadline.
                retries={"total_max_attempts": 1, "mode": "standard"},
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=READ_TIMEOUT,
                user_agent_extra=f"stackset-monitor/{__version__}",
            ),
        )
        core = session._session  # noqa: SLF001 - boto3 has no public way to botocore's settings
        wire = Wire(
            client.meta.endpoint_url,
            ca_bundle=core.get_config_variable("ca_bundle"),
            connections=self._connections,
        )
        observer = self._observer

        def send(request: "AWSPreparedRequest", event_name: str, **_: Any) -> "AWSResponse":
            begun = time.monotonic()
            try:
                return wire.send(request)
            finally:
                observer.attempted(event_name.rpartition(".")[2], time.monotonic() - begun)

        client.meta.events.register_first("before-send.service-catalog", send)
        return client, int(core.get_config_variable("max_attempts") or DEFAULT_ATTEMPTS)
