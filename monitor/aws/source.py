"""A source of products: one AWS account and Region, and the Service Catalog operations that are called there."""

import hashlib
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError

from monitor.aws.caller import Caller
from monitor.aws.clients import Clients, create_clients
from monitor.aws.details import CALLS_PER_SECOND as DETAILS_CALLS_PER_SECOND
from monitor.aws.details import OPERATIONS, DetailsReader, stack_set_name
from monitor.aws.errors import fault
from monitor.aws.listing import ListingBuilder, check_page
from monitor.aws.products import SEARCH_PAGE_SIZE, check_description, check_record, check_search, matching, physical_ids
from monitor.aws.rate_limiter import RateLimiter
from monitor.aws.redaction import sentence
from monitor.aws.responses import ANSWER, check_responses, incomplete
from monitor.aws.roles import ASSUME_ROLE
from monitor.aws.transport import ApiObserver, Transport
from monitor.config.settings import SourceSettings
from monitor.model.deadline import Deadline
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Listing
from monitor.model.products import STACK_SET, ProductDetail, ProductSearch

LIST_STACK_INSTANCES = "ListStackInstancesForProvisionedProduct"
DESCRIBE = "DescribeProvisionedProduct"
DESCRIBE_RECORD = "DescribeRecord"
SEARCH = "SearchProvisionedProducts"
GET_CALLER_IDENTITY = "GetCallerIdentity"
# A denied DescribeRecord is called again after this time: a permission that is added is used without a restart.
DENIED_SECONDS = 900.0


def operations(settings: SourceSettings) -> Sequence[str]:
    """Return the operations that a source calls again and again."""
    called = [LIST_STACK_INSTANCES, DESCRIBE, DESCRIBE_RECORD]
    if settings.discover is not None or settings.details:
        called.append(SEARCH)
    if settings.details:
        called += OPERATIONS
    if settings.role_arn is not None:
        called.append(ASSUME_ROLE)
    return called


class Source:
    """One AWS account and Region that products are read from. Safe to use from many threads.

    The methods that call AWS raise `PollFailedError` if they cannot return a complete and well-formed result, and
    `PollCancelledError` if the deadline was cancelled.
    """

    def __init__(self, settings: SourceSettings, observer: ApiObserver, connections: int) -> None:
        """Use up to `connections` connections; no request is sent yet."""
        self._settings = settings
        self._observer = observer
        self._transport = Transport(observer, connections)
        limiter = RateLimiter(
            settings.calls_per_second,
            on_change=lambda rate: observer.rate_limited(rate, settings.calls_per_second),
        )
        self._caller = Caller(limiter, observer, self._transport.secrets.redact)
        self._lock = threading.Lock()
        self._clients: Clients | None = None
        self._physical_ids: dict[str, str] = {}
        # By product: the record of the failed provisioning, its errors, and when they are read again.
        self._record_errors: dict[str, tuple[str, tuple[str, ...], float]] = {}
        self._details = None
        if settings.details:
            caller = Caller(RateLimiter(DETAILS_CALLS_PER_SECOND), observer, self._transport.secrets.redact)
            self._details = DetailsReader(self._connect, caller, limiter, self._stack_set_name)

    @property
    def calls_per_second(self) -> float:
        """The configured budget of all calls to this source."""
        return self._settings.calls_per_second

    @property
    def page_size(self) -> int:
        """The stack instances that a page has at most."""
        return self._settings.page_size

    @property
    def details(self) -> DetailsReader | None:
        """What reads details from CloudFormation; None if the source has no `details`."""
        return self._details

    def list_stack_instances(
        self, product_id: str, deadline: Deadline, on_page: Callable[[int, int], None] | None = None
    ) -> Listing:
        """Return all stack instances of a provisioned product.

        `on_page` is called after each page with the number of pages and of instances so far.
        API: ListStackInstancesForProvisionedProduct.
        """
        listing = ListingBuilder()
        arguments = {"ProvisionedProductId": product_id, "PageSize": self._settings.page_size}
        for page in self._pages(LIST_STACK_INSTANCES, arguments, deadline):
            listing.add(page)
            if on_page:
                on_page(listing.pages, listing.instances)
        return listing.listing()

    def describe(self, product_id: str, deadline: Deadline) -> ProductDetail:
        """Return the name, type and status of a provisioned product, and why its last provisioning failed.

        API: DescribeProvisionedProduct. DescribeRecord once for each failed provisioning; if it is denied, again after
        `DENIED_SECONDS`.
        """
        detail: ProductDetail
        detail, record = self._call(DESCRIBE, {"Id": product_id}, deadline)
        if not record:
            return detail
        known, errors, until = self._record_errors.get(product_id, ("", (), 0.0))
        if known != record or monotonic() >= until:
            try:
                errors, until = self._call(DESCRIBE_RECORD, {"Id": record}, deadline, attempts=1), math.inf
            except PollFailedError as error:
                # Counted in servicecatalog_api_errors_total; the product can be polled without it.
                if error.reason is not Reason.ACCESS_DENIED:
                    return detail
                errors, until = (), monotonic() + DENIED_SECONDS
            self._record_errors[product_id] = record, errors, until
        return replace(detail, errors=errors)

    def search(self, deadline: Deadline) -> ProductSearch:
        """Return the StackSet products of the account that match `discover`.

        API: SearchProvisionedProducts at the level of the account, all pages.
        """
        if self._settings.discover is None:
            return ProductSearch(())
        found: dict[str, ProductDetail] = {}
        invalid_items = 0
        arguments = {
            "AccessLevelFilter": {"Key": "Account", "Value": "self"},
            "Filters": {"SearchQuery": [f"type:{STACK_SET}"]},
            "PageSize": SEARCH_PAGE_SIZE,
        }
        for page in self._pages(SEARCH, arguments, deadline):
            found |= matching(page.items, self._settings.discover)
            self._physical_ids |= physical_ids(page.items)
            invalid_items += page.invalid_items
        return ProductSearch(tuple(found[product_id] for product_id in sorted(found)), invalid_items)

    def caller_identity(self, deadline: Deadline) -> str:
        """Return the ARN of the principal that calls. API: AWS STS, GetCallerIdentity."""
        clients = self._connect()
        request = clients.create_sts().get_caller_identity
        response = clients.credentials.renew_if_rejected(
            lambda: self._caller.call(GET_CALLER_IDENTITY, request, deadline, attempts=clients.attempts)
        )
        return str(response.get("Arn", ""))

    def _stack_set_name(self, product_id: str, account: str, deadline: Deadline) -> str:
        """Return what CloudFormation calls the stack set of a product; it is looked up once."""
        # Without a physical id and an account there is no name: the permission for one may have been added since.
        if not self._physical_ids.get(product_id) and (product_id not in self._physical_ids or not account):
            arguments = {
                "AccessLevelFilter": {"Key": "Account", "Value": "self"},
                "Filters": {"SearchQuery": [f"id:{product_id}"]},
            }
            found = {product_id: ""}
            try:
                found |= physical_ids(self._call(SEARCH, arguments, deadline, attempts=1).items)
            except PollFailedError as error:
                if error.reason is not Reason.ACCESS_DENIED:  # the permission is only needed for `discover`
                    raise
            self._physical_ids |= found
        return stack_set_name(self._physical_ids[product_id], account, product_id)

    def _pages(self, operation: str, arguments: Mapping[str, Any], deadline: Deadline) -> Iterator[Any]:
        """Yield the checked pages of an operation.

        Raises:
            PollFailedError: among others, a page token was seen before (incomplete).
        """
        seen: set[bytes] = set()
        token = None
        while True:
            page = self._call(operation, arguments if token is None else {**arguments, "PageToken": token}, deadline)
            yield page
            token = page.next_token
            if token is None:
                return
            # A token may have 2,024 characters, and an endless listing thousands of tokens.
            digest = hashlib.blake2b(token.encode(errors="surrogatepass"), digest_size=16).digest()
            if digest in seen:
                raise incomplete("RepeatedPageToken", f"page {len(seen) + 1} has the page token of an earlier page")
            seen.add(digest)

    def _call(
        self, operation: str, arguments: Mapping[str, Any], deadline: Deadline, attempts: int | None = None
    ) -> Any:
        clients = self._connect()
        method = getattr(clients.service_catalog, xform_name(operation))
        request = partial(method, AcceptLanguage=self._settings.accept_language, **arguments)
        response = clients.credentials.renew_if_rejected(
            lambda: self._caller.call(operation, request, deadline, attempts=attempts or clients.attempts)
        )
        return response[ANSWER]

    def _connect(self) -> Clients:
        # On first use, and not at the start: a missing Region or profile then fails a poll, not the daemon.
        with self._lock:
            if self._clients is None:
                try:
                    clients = create_clients(self._settings, self._observer, self._transport)
                except BotoCoreError as error:
                    raise fault(error).error() from error
                except Exception as error:  # a wrong setting can lead to any exception
                    raise PollFailedError(Reason.OTHER, type(error).__name__, sentence(str(error))) from error
                checks: dict[str, Callable[[Any], object]] = {
                    LIST_STACK_INSTANCES: partial(check_page, page_size=self._settings.page_size),
                    DESCRIBE: check_description,
                    DESCRIBE_RECORD: check_record,
                    SEARCH: check_search,
                }
                check_responses(clients.service_catalog.meta.events, checks)
                self._clients = clients
            return self._clients
