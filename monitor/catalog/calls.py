"""One call to AWS, as often as it takes: budget, attempts, back-off, and what is counted of it."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import tenacity

from monitor.catalog.budget import Budget
from monitor.catalog.errors import Fault, fault
from monitor.catalog.wire import within
from monitor.fleet.failure import PollCancelledError, PollFailedError, Reason
from monitor.poller.deadline import Deadline

FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 20.0
"""Seconds; each wait is drawn at random below a bound that doubles from the first to the longest."""


class ApiObserver(Protocol):
    """Who wants to know of every attempt."""

    def attempted(self, operation: str, seconds: float) -> None:
        """One request went out and took this long until its answer or its failure."""

    def failed(self, operation: str, code: str) -> None:
        """One attempt failed with an error code of AWS, or with the name of an error below it."""

    def waited(self, seconds: float) -> None:
        """A call waited for its place in the budget."""


class _PassingError(Exception):
    """An attempt failed in a way that may pass."""

    def __init__(self, seen: Fault) -> None:
        super().__init__(seen.message)
        self.fault = seen


class Caller:
    """Makes the calls to one source."""

    def __init__(self, budget: Budget, observer: ApiObserver, attempts: int) -> None:
        """Make up to `attempts` attempts a call, the first included."""
        self._budget = budget
        self._observer = observer
        self._attempts = attempts

    def call(
        self,
        operation: str,
        function: Callable[..., Mapping[str, Any]],
        arguments: Mapping[str, Any],
        deadline: Deadline,
    ) -> Mapping[str, Any]:
        """Call `function`, again where its failure may pass; raise `PollFailedError` with the last failure.

        An answer that `function` finds incomplete is asked for again like any other passing failure.
        """
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=tenacity.wait_random_exponential(multiplier=FIRST_BACKOFF, max=LONGEST_BACKOFF),
            sleep=deadline.wait,
            retry=tenacity.retry_if_exception_type(_PassingError),
            reraise=True,
        )
        try:
            return retrying(self._attempt, operation, function, arguments, deadline)
        except _PassingError as error:
            raise error.fault.error() from error.__cause__

    def _attempt(
        self,
        operation: str,
        function: Callable[..., Mapping[str, Any]],
        arguments: Mapping[str, Any],
        deadline: Deadline,
    ) -> Mapping[str, Any]:
        if (pause := self._budget.take()) > 0:
            self._observer.waited(min(pause, deadline.remaining()))
            deadline.wait(pause)
        deadline.check()
        try:
            with within(deadline):
                return function(**arguments)
        except PollCancelledError:
            raise
        except PollFailedError as error:
            if error.reason is not Reason.INCOMPLETE:
                raise
            self._observer.failed(operation, error.error_code)
            raise _PassingError(Fault(error.reason, error.error_code, error.message, passing=True)) from error
        except Exception as error:  # botocore's parsers raise many kinds on a broken body
            deadline.check()
            seen = fault(error)
            self._observer.failed(operation, seen.code)
            if seen.passing:
                raise _PassingError(seen) from error
            raise seen.error() from error
