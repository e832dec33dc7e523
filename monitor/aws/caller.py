"""One call to AWS with its retries: rate limit, attempts, back-off, and what is reported of them."""

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar, cast

import tenacity

from monitor.aws.background import deadline_scope
from monitor.aws.errors import Fault, NoCredentialsFoundError, fault
from monitor.aws.rate_limiter import RateLimiter
from monitor.aws.transport import ApiObserver
from monitor.model.deadline import Deadline
from monitor.model.errors import PollCancelledError, Reason

T = TypeVar("T")

# Seconds. Each wait is random, below a bound that doubles from the first to the longest (full jitter).
FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 20.0
# Failures in a row after which a source counts as down, until it answers again.
OUTAGE_FAILURES = 100
# Attempts a call while the source is down, so that its polls do not occupy the workers until their deadlines.
OUTAGE_ATTEMPTS = 3


class _AttemptFailedError(Exception):
    def __init__(self, seen: Fault) -> None:
        super().__init__(seen.message)
        self.fault = seen


class Caller:
    """Makes the calls to one source. Safe to use from many threads."""

    def __init__(self, limiter: RateLimiter, observer: ApiObserver, hide: Callable[[str], str]) -> None:
        """Take the rate limit of the source; `hide` removes secrets from messages."""
        self._limiter = limiter
        self._observer = observer
        self._hide = hide
        self._lock = threading.Lock()
        # A source is down until its first answer: a wrong endpoint is reported within seconds.
        self._failures = OUTAGE_FAILURES

    def call(
        self,
        operation: str,
        function: Callable[[], T],
        deadline: Deadline,
        *,
        attempts: int | None = None,
    ) -> T:
        """Return the result of `function`, and retry failures that may pass until the deadline.

        `attempts`: at most so many (None: `OUTAGE_ATTEMPTS` while the source is down, else no limit).

        Raises:
            PollFailedError: the last failure, or a timeout if the deadline passes within an attempt.
            PollCancelledError: the deadline was cancelled.
        """

        def give_up(state: tenacity.RetryCallState) -> bool:
            # A retry that cannot begin before the deadline is not waited for: the failure says more than a timeout.
            return state.attempt_number >= (attempts or self._attempts()) or (
                state.upcoming_sleep >= deadline.remaining()
            )

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_pass),
            stop=give_up,
            wait=_seconds_to_wait,
            sleep=deadline.wait,
            reraise=True,
        )
        try:
            result: T = retrying(self._attempt, operation, function, deadline)
        except _AttemptFailedError as error:
            raise error.fault.error() from error.__cause__
        return result

    def _attempts(self) -> float:
        return OUTAGE_ATTEMPTS if self._failures >= OUTAGE_FAILURES else math.inf

    def _attempt(self, operation: str, function: Callable[[], T], deadline: Deadline) -> T:
        if (pause := self._limiter.reserve()) > 0:
            self._observer.waited(min(pause, deadline.remaining()))
            # A higher calls_per_second would not shorten a wait that is longer because AWS throttles.
            (deadline.wait if self._limiter.lowered else deadline.wait_for_budget)(pause)
        deadline.check()
        try:
            with deadline_scope(deadline):
                result = function()
        except PollCancelledError:
            raise
        except Exception as error:  # botocore's parsers raise many kinds on a broken body
            seen = fault(error)
            if not isinstance(error, NoCredentialsFoundError):  # reported when the credentials were requested
                self._observer.failed(operation, seen.code)
            if seen.reason is Reason.THROTTLED:  # the source is not down; it is called less often
                self._limiter.throttled()
                self._count_failures(reset=True)
            elif seen.passing:
                self._count_failures(reset=False)
            deadline.check()
            raise _AttemptFailedError(replace(seen, message=self._hide(seen.message))) from error
        self._count_failures(reset=True)
        return result

    def _count_failures(self, *, reset: bool) -> None:
        with self._lock:
            self._failures = 0 if reset else self._failures + 1


def _seconds_to_wait(state: tenacity.RetryCallState) -> float:
    """Return the seconds until the next attempt: random, but not less than the response asked for."""
    backoff = tenacity.wait_random_exponential(multiplier=FIRST_BACKOFF, max=LONGEST_BACKOFF)
    return max(backoff(state), _fault_of(state).retry_after)


def _fault_of(state: tenacity.RetryCallState) -> Fault:
    error = state.outcome.exception() if state.outcome else None
    return cast("_AttemptFailedError", error).fault


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, _AttemptFailedError) and error.fault.passing
