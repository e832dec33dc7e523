"""A source of products: one AWS account and Region, and the Service Catalog operations that are called there."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError

from monitor.aws.caller import Caller
from monitor.aws.clients import Clients, create_clients
from monitor.aws.errors import fault
from monitor.aws.listing import ListingBuilder, Page, PageTokens, check_page
from monitor.aws.observer import ApiObserver
from monitor.aws.products import SearchPage, check_description, check_search, matching
from monitor.aws.rate_limiter import RateLimiter
from monitor.aws.redaction import sentence
from monitor.aws.responses import ANSWER, check_responses
from monitor.aws.roles import ASSUME_ROLE
from monitor.aws.transport import Transport
from monitor.config.settings import SourceSettings
from monitor.model.deadline import Deadline
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Listing
from monitor.model.products import STACK_SET, ProductDetail, ProductSearch

LIST_STACK_INSTANCES = "ListStackInstancesForProvisionedProduct"
DESCRIBE = "DescribeProvisionedProduct"
SEARCH = "SearchProvisionedProducts"
GET_CALLER_IDENTITY = "GetCallerIdentity"
SEARCH_PAGE_SIZE = 100
"""The maximum of the API."""

T = TypeVar("T")


def operations(settings: SourceSettings) -> Sequence[str]:
    """Return the operations that a source calls again and again."""
    called = [LIST_STACK_INSTANCES, DESCRIBE]
    if settings.discover is not None:
        called.append(SEARCH)
    if settings.role_arn is not None:
        called.append(ASSUME_ROLE)
    return called


@dataclass(frozen=True, slots=True)
class _Connection:
    clients: Clients
    caller: Caller


class Source:
    """One AWS account and Region that products are read from. Safe to use from many threads.

    The methods that call AWS raise `PollFailedError` if they cannot return a complete and well-formed result, and
    `PollCancelledError` if the deadline was cancelled.
    """

    def __init__(self, settings: SourceSettings, observer: ApiObserver, connections: int) -> None:
        """Use up to `connections` connections; no request is sent yet."""
        self._settings = settings
        self._observer = observer
        self._limiter = RateLimiter(settings.calls_per_second)
        self._transport = Transport(observer, connections)
        observer.rate_limited(settings.calls_per_second, settings.calls_per_second)
        self._lock = threading.Lock()
        self._connection: _Connection | None = None

    @property
    def calls_per_second(self) -> float:
        """The configured budget of all calls to this source."""
        return self._settings.calls_per_second

    def list_stack_instances(
        self, product_id: str, deadline: Deadline, on_page: Callable[[int, int], None] | None = None
    ) -> Listing:
        """Return all stack instances of a provisioned product.

        `on_page` is called after each page with the number of pages and of instances so far.
        API: ListStackInstancesForProvisionedProduct.
        """
        listing = ListingBuilder()
        arguments = {
            "ProvisionedProductId": product_id,
            "PageSize": self._settings.page_size,
            "AcceptLanguage": self._settings.accept_language,
        }

        def list_page(client: Any) -> Page:
            page: Page = client.list_stack_instances_for_provisioned_product(**arguments)[ANSWER]
            return page

        while True:
            token = listing.add(self._call(LIST_STACK_INSTANCES, list_page, deadline))
            if on_page:
                on_page(listing.pages, listing.instances)
            if token is None:
                return listing.listing()
            arguments["PageToken"] = token

    def describe(self, product_id: str, deadline: Deadline) -> ProductDetail:
        """Return the name, type and status of a provisioned product. API: DescribeProvisionedProduct."""
        arguments = {"Id": product_id, "AcceptLanguage": self._settings.accept_language}

        def describe(client: Any) -> ProductDetail:
            detail: ProductDetail = client.describe_provisioned_product(**arguments)[ANSWER]
            return detail

        return self._call(DESCRIBE, describe, deadline)

    def search(self, deadline: Deadline) -> ProductSearch:
        """Return the StackSet products of the account that match `discover`.

        API: SearchProvisionedProducts at the level of the account, all pages.
        """
        if self._settings.discover is None:
            return ProductSearch(())
        tokens = PageTokens()
        found: list[Mapping[str, Any]] = []
        invalid_items = 0
        arguments: dict[str, Any] = {
            "AcceptLanguage": self._settings.accept_language,
            "AccessLevelFilter": {"Key": "Account", "Value": "self"},
            "Filters": {"SearchQuery": [f"type:{STACK_SET}"]},
            "PageSize": SEARCH_PAGE_SIZE,
        }

        def search_page(client: Any) -> SearchPage:
            page: SearchPage = client.search_provisioned_products(**arguments)[ANSWER]
            return page

        while True:
            page = self._call(SEARCH, search_page, deadline)
            found.extend(page.items)
            invalid_items += page.invalid_items
            token = tokens.add(page.next_token)
            if token is None:
                return ProductSearch(matching(found, self._settings.discover), invalid_items)
            arguments["PageToken"] = token

    def caller_identity(self, deadline: Deadline) -> str:
        """Return the ARN of the principal that calls. API: AWS STS, GetCallerIdentity."""
        connection = self._connect()
        get_caller_identity = connection.clients.create_sts().get_caller_identity
        response = self._with_credentials(
            connection,
            lambda: connection.caller.call(GET_CALLER_IDENTITY, get_caller_identity, deadline, limited=False),
        )
        return str(response.get("Arn", ""))

    def _call(self, operation: str, function: Callable[[Any], T], deadline: Deadline) -> T:
        connection = self._connect()
        request = partial(function, connection.clients.service_catalog)
        return self._with_credentials(connection, lambda: connection.caller.call(operation, request, deadline))

    def _with_credentials(self, connection: _Connection, call: Callable[[], T]) -> T:
        """Make one call; if AWS does not accept the credentials, find them again and try once more."""
        credentials = connection.clients.credentials
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
                credentials.forget(credentials.held)  # the next poll finds them again, without a restart
            raise

    def _connect(self) -> _Connection:
        """Create the clients on first use: a missing Region or profile then fails a poll, not the daemon."""
        with self._lock:
            if self._connection is None:
                try:
                    clients = create_clients(self._settings, self._observer, self._transport)
                except BotoCoreError as error:
                    raise fault(error).error() from error
                except Exception as error:  # a wrong setting can lead to any exception
                    raise PollFailedError(Reason.OTHER, type(error).__name__, sentence(str(error))) from error
                checks: dict[str, Callable[[Any], object]] = {
                    LIST_STACK_INSTANCES: partial(check_page, page_size=self._settings.page_size),
                    DESCRIBE: check_description,
                    SEARCH: check_search,
                }
                check_responses(clients.service_catalog.meta.events, checks)
                caller = Caller(self._limiter, self._observer, clients.attempts, self._transport.secrets.redact)
                self._connection = _Connection(clients, caller)
            return self._connection
