"""One call to AWS, as often as it takes: budget, attempts, back-off, and what is counted of it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import tenacity

from monitor.aws.aside import within
from monitor.aws.budget import Budget
from monitor.aws.errors import Fault, NoCredentialsFoundError, fault
from monitor.aws.wire import ApiObserver
from monitor.model.deadline import Deadline
from monitor.model.errors import PollCancelledError

FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 20.0
"""Seconds; each wait is drawn at random below a bound that doubles from the first to the longest."""


class _AttemptFailedError(Exception):
    """One attempt failed; the cause is chained."""

    def __init__(self, seen: Fault) -> None:
        super().__init__(seen.message)
        self.fault = seen


class Caller:
    """Makes the calls to one source. Safe to use from many threads."""

    def __init__(self, budget: Budget, observer: ApiObserver, attempts: int, hide: Callable[[str], str]) -> None:
        """Make up to `attempts` attempts a call, the first included; messages go through `hide`."""
        self._budget = budget
        self._observer = observer
        self._attempts = attempts
        self._hide = hide

    def call(
        self,
        operation: str,
        function: Callable[[], Mapping[str, Any]],
        deadline: Deadline,
        *,
        budgeted: bool = True,
    ) -> Mapping[str, Any]:
        """Call `function`, again where its failure may pass; raise `PollFailedError` with the last failure.

        An answer that `function` finds incomplete is asked for again like any other passing failure.
        `budgeted`: it takes its place in the budget.
        """

        def attempt() -> Mapping[str, Any]:
            if budgeted:
                self._wait_for_a_place(deadline)
            return self._attempt(operation, function, deadline)

        try:
            try:
                return attempt()
            except _AttemptFailedError as error:
                return self._again(error, attempt, deadline)
        except _AttemptFailedError as error:
            raise error.fault.error() from error.__cause__

    def _again(
        self, first: _AttemptFailedError, attempt: Callable[[], Mapping[str, Any]], deadline: Deadline
    ) -> Mapping[str, Any]:
        """Go on after a first attempt that failed. tenacity costs more than all the rest: a good call does without."""
        failed = [first]

        def function() -> Mapping[str, Any]:
            if failed:
                raise failed.pop()
            return attempt()

        return tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=tenacity.wait_random_exponential(multiplier=FIRST_BACKOFF, max=LONGEST_BACKOFF),
            sleep=deadline.wait,
            retry=tenacity.retry_if_exception(_may_pass),
            reraise=True,
        )(function)

    def _wait_for_a_place(self, deadline: Deadline) -> None:
        if (pause := self._budget.take()) > 0:
            self._observer.waited(min(pause, deadline.remaining()))
            deadline.wait(pause)

    def _attempt(
        self, operation: str, function: Callable[[], Mapping[str, Any]], deadline: Deadline
    ) -> Mapping[str, Any]:
        deadline.check()
        try:
            with within(deadline):
                return function()
        except PollCancelledError:
            raise
        except Exception as error:  # botocore's parsers raise many kinds on a broken body
            seen = fault(error)
            if not isinstance(error, NoCredentialsFoundError):  # which were counted when they were asked for
                self._observer.failed(operation, seen.code)
            deadline.check()
            raise _AttemptFailedError(replace(seen, message=self._hide(seen.message))) from error


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, _AttemptFailedError) and error.fault.passing
