"""Follow the rollout of one product to its end."""

import time
from collections.abc import Callable
from typing import TypeVar

from monitor.cli.aws import ADVICE, CALL_SECONDS
from monitor.cli.tasks import run_tasks
from monitor.model.deadline import Deadline
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Listing
from monitor.model.products import IN_ROLLOUT, STACK_SET, ProductDetail
from monitor.poller.protocols import Catalog

# AWS does not document that a rollout that was just requested is visible at once. If none is seen, its absence is
# confirmed after this many seconds.
SETTLE_SECONDS = 5.0
# Between two calls of DescribeProvisionedProduct: a twentieth of the time that the rollout has taken so far, so the
# end of a rollout of ten minutes is noticed after half a minute.
SHORTEST, LONGEST, SHARE = 5.0, 60.0, 20
# A listing costs a call for each 20 instances. It is made for progress only if the last one took less than a tenth of
# the time since then.
LISTING_SHARE = 10
NOT_A_STACK_SET = "NotAStackSet"

T = TypeVar("T")


class RolloutTimeoutError(Exception):
    """The rollout had not ended in time."""


class RolloutWaiter:
    """Describes and lists one product until its rollout has ended."""

    def __init__(
        self,
        catalog: Catalog,
        product_id: str,
        timeout: float,
        *,
        on_progress: Callable[[ProductDetail, Listing | None], None],
        on_failure: Callable[[PollFailedError], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Wait for at most `timeout` seconds; report what is seen, and the failures after which it goes on."""
        self._catalog = catalog
        self._product_id = product_id
        self._on_progress = on_progress
        self._on_failure = on_failure
        self._clock = clock
        self._sleep = sleep
        self._begin = clock()
        self._end = self._begin + timeout
        self._answered = False
        self._listing: Listing | None = None
        self._next_listing = self._begin

    def wait(self) -> tuple[ProductDetail, Listing]:
        """Return the product after its rollout, and its instances as they were listed after it.

        Raises:
            RolloutTimeoutError: the rollout had not ended in time.
            PollFailedError: AWS does not know the product, it is no StackSet, or the first call was refused for its
                permissions or credentials. Other failures are reported, and the call is made again.
        """
        was_changing = False
        while True:
            try:
                detail = self._describe()
                if detail.status in IN_ROLLOUT:
                    was_changing = True
                    if self._clock() >= self._next_listing:
                        self._list()
                    self._on_progress(detail, self._listing)
                elif (listing := self._confirmed(detail, was_changing=was_changing)) is not None:
                    return detail, listing
            except PollFailedError as error:
                self._check(error)
                self._on_failure(error)
            self._pause(min(LONGEST, max(SHORTEST, (self._clock() - self._begin) / SHARE)))

    def _confirmed(self, before: ProductDetail, *, was_changing: bool) -> Listing | None:
        """List the product between two descriptions without a rollout; None if one began meanwhile."""
        listing = self._list()
        if not was_changing:
            self._pause(SETTLE_SECONDS)
        return listing if self._describe() == before else None

    def _describe(self) -> ProductDetail:
        detail = self._call(CALL_SECONDS, lambda deadline: self._catalog.describe(self._product_id, deadline))
        if detail.type != STACK_SET:
            message = f"the product is of type {detail.type}, and only those of type {STACK_SET} have stack instances"
            raise PollFailedError(Reason.OTHER, NOT_A_STACK_SET, message)
        return detail

    def _list(self) -> Listing:
        begin = self._clock()
        self._listing = self._call(
            self._end - begin, lambda deadline: self._catalog.list_stack_instances(self._product_id, deadline)
        )
        self._next_listing = self._clock() + LISTING_SHARE * (self._clock() - begin)
        return self._listing

    def _call(self, seconds: float, call: Callable[[Deadline], T]) -> T:
        """Call AWS in a thread that Ctrl-C does not wait for."""
        if (remaining := self._end - self._clock()) <= 0:
            raise RolloutTimeoutError
        (result,) = run_tasks(1, [(min(seconds, remaining), call)])
        if isinstance(result, PollFailedError):
            raise result
        self._answered = True
        return result

    def _pause(self, seconds: float) -> None:
        if (remaining := self._end - self._clock()) <= 0:
            raise RolloutTimeoutError
        self._sleep(min(seconds, remaining))

    def _check(self, error: PollFailedError) -> None:
        """Raise an error that waiting does not cure."""
        refused = error.reason in (Reason.ACCESS_DENIED, Reason.CREDENTIALS) or error.error_code in ADVICE
        if error.reason is Reason.NOT_FOUND or error.error_code == NOT_A_STACK_SET or (refused and not self._answered):
            raise error
