"""One poll under way, and what it has found so far."""

from dataclasses import dataclass, replace

from monitor.config.settings import MonitoredProduct
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Product
from monitor.model.products import Description, ProductDetail
from monitor.poller.product_state import ProductState
from monitor.poller.protocols import Catalog
from monitor.poller.timeouts import HEADROOM, STALLED, explain_timeout, poll_timeout


@dataclass(slots=True)
class PollRun:
    """A poll from its start to its result. Belongs to the thread that polls. Times are of the monotonic clock."""

    monitored: MonitoredProduct
    catalog: Catalog
    state: ProductState
    poll_id: str
    timeout: float
    started_at: float
    responded_at: float
    """When the last response came in."""
    calls: int = 0
    """Calls that AWS answered so far: the description and every page of every listing."""
    description: Description | None = None
    undescribed: PollFailedError | None = None
    """Why the product could not be described."""

    def responded(self, now: float) -> None:
        """Count a call that AWS answered."""
        self.calls += 1
        self.responded_at = now

    def explain(self, error: PollFailedError, now: float) -> PollFailedError:
        """Return the error; if the poll ran out of time while pages came in, with what the product needs.

        A default timeout is longer for the next poll then.
        """
        timed_out = error.reason is Reason.TIMEOUT and now - self.started_at >= self.timeout
        if not timed_out or now - self.responded_at > STALLED * self.timeout:
            return error
        self.state.needed_seconds = HEADROOM * self.timeout
        message = explain_timeout(
            self.monitored,
            self.timeout,
            poll_timeout(self.monitored, self.state.needed_seconds),
            self.calls,
            len(self.state.snapshot.states) if self.state.snapshot else 0,
            self.catalog.calls_per_second,
        )
        return PollFailedError(error.reason, error.error_code, message)


def with_aws_name(monitored: MonitoredProduct, detail: ProductDetail | None) -> MonitoredProduct:
    """Return the product under the name that AWS gives it, if the configuration has none and AWS's is known."""
    if not monitored.own_name or detail is None or detail.name == monitored.product.name:
        return monitored
    return replace(monitored, product=Product(monitored.product.id, detail.name))
