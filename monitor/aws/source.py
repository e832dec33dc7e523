"""A source of products: an AWS account and Region, and what is asked of Service Catalog there."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError

from monitor.aws.budget import Budget
from monitor.aws.calls import Caller
from monitor.aws.clients import Clients, connect
from monitor.aws.errors import fault
from monitor.aws.listing import Pages, PageTokens, check_page, checked, read_body
from monitor.aws.products import checked_description, checked_search, detail, matching
from monitor.aws.redaction import sentence
from monitor.aws.roles import ASSUME_ROLE
from monitor.aws.wire import ApiObserver, Wire
from monitor.config.settings import SourceSettings
from monitor.model.deadline import Deadline
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Listing
from monitor.model.products import STACK_SET, ProductDetail

LIST_STACK_INSTANCES = "ListStackInstancesForProvisionedProduct"
DESCRIBE = "DescribeProvisionedProduct"
SEARCH = "SearchProvisionedProducts"
GET_CALLER_IDENTITY = "GetCallerIdentity"
SEARCH_PAGE_SIZE = 100
"""The most that the API allows."""

_FIRST_ERROR_STATUS = 301
"""Below it, botocore reads an answer as a success."""
_CHECKS: Mapping[str, Callable[[Any], object]] = {
    LIST_STACK_INSTANCES: check_page,
    DESCRIBE: checked_description,
    SEARCH: checked_search,
}

Call = Callable[[Any], Mapping[str, Any]]


def operations(settings: SourceSettings) -> Sequence[str]:
    """Return the operations that are called at a source again and again."""
    wanted = [LIST_STACK_INSTANCES, DESCRIBE]
    if settings.discover is not None:
        wanted.append(SEARCH)
    if settings.role_arn is not None:
        wanted.append(ASSUME_ROLE)
    return wanted


@dataclass(frozen=True, slots=True)
class _Connected:
    clients: Clients
    caller: Caller


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

    def describe(self, product_id: str, deadline: Deadline) -> ProductDetail:
        """Return what AWS says of a provisioned product. Raises as `list_stack_instances` does.

        API: DescribeProvisionedProduct.
        """
        language = self._settings.accept_language

        def call(client: Any) -> Mapping[str, Any]:
            return checked_description(client.describe_provisioned_product(Id=product_id, AcceptLanguage=language))

        return detail(self._call(DESCRIBE, call, deadline)["ProvisionedProductDetail"])

    def search(self, deadline: Deadline) -> Sequence[ProductDetail]:
        """Return the StackSets of the account that `discover` is about, sorted by id. Raises as a listing does.

        API: SearchProvisionedProducts at the level of the account, every page.
        """
        if self._settings.discover is None:
            return ()
        tokens = PageTokens()
        found: list[Mapping[str, Any]] = []
        arguments: dict[str, Any] = {
            "AcceptLanguage": self._settings.accept_language,
            "AccessLevelFilter": {"Key": "Account", "Value": "self"},
            "Filters": {"SearchQuery": [f"type:{STACK_SET}"]},
            "PageSize": SEARCH_PAGE_SIZE,
        }

        def call(client: Any) -> Mapping[str, Any]:
            return checked_search(client.search_provisioned_products(**arguments))

        while True:
            page = self._call(SEARCH, call, deadline)
            found.extend(page["ProvisionedProducts"])
            token = tokens.after(page)
            if token is None:
                return matching(found, self._settings.discover)
            arguments["PageToken"] = token

    def caller_identity(self, deadline: Deadline) -> str:
        """Return the ARN of who calls. Raises as a listing does. API: AWS STS, GetCallerIdentity."""
        connected = self._connect()
        ask = connected.clients.make_sts().get_caller_identity
        answer = self._with_credentials(
            connected, lambda: connected.caller.call(GET_CALLER_IDENTITY, ask, deadline, budgeted=False)
        )
        return str(answer.get("Arn", ""))

    def _call(self, operation: str, function: Call, deadline: Deadline) -> Mapping[str, Any]:
        connected = self._connect()
        client = connected.clients.service_catalog
        return self._with_credentials(
            connected, lambda: connected.caller.call(operation, lambda: function(client), deadline)
        )

    def _with_credentials(self, connected: _Connected, call: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Make one call; where AWS does not take the credentials any more, once more with what is found anew."""
        credentials = connected.clients.credentials
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
        """Make the clients on first use: a missing Region or profile then fails a poll, not the daemon."""
        with self._lock:
            if self._connected is None:
                try:
                    clients = connect(self._settings, self._observer, self._wire)
                except Exception as error:  # botocore's own, and whatever a wrong setting leads to
                    raise _unusable(error) from error
                events = clients.service_catalog.meta.events
                for operation, check in _CHECKS.items():
                    events.register(f"before-parse.service-catalog.{operation}", _before_parse(check))
                caller = Caller(self._budget, self._observer, clients.attempts, self._wire.secrets.hide)
                self._connected = _Connected(clients, caller)
            return self._connected


def _before_parse(check: Callable[[Any], object]) -> Callable[..., None]:
    """Look at an answer before botocore does, which makes a success of what it cannot read."""

    def look(response_dict: Mapping[str, Any], **_: Any) -> None:
        if response_dict["status_code"] < _FIRST_ERROR_STATUS:
            check(read_body(response_dict["body"]))

    return look


def _unusable(error: Exception) -> PollFailedError:
    if isinstance(error, BotoCoreError):
        return fault(error).error()
    return PollFailedError(Reason.OTHER, type(error).__name__, sentence(str(error)))
