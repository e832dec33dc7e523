"""One call to AWS with its retries: rate limit, attempts, back-off, and what is reported of them."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar, cast

import tenacity

from monitor.aws.background import deadline_scope
from monitor.aws.errors import Fault, NoCredentialsFoundError, fault
from monitor.aws.observer import ApiObserver
from monitor.aws.rate_limiter import RateLimiter
from monitor.model.deadline import Deadline
from monitor.model.errors import PollCancelledError, Reason

T = TypeVar("T")

FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 20.0
"""Seconds. Each wait is random, below a bound that doubles from the first to the longest (full jitter)."""
UNREACHED_ATTEMPTS = 3
"""Attempts at a source that has never answered: a wrong endpoint or no network is reported at once, not after the
whole deadline of a poll."""
RETRY_QUOTA = 100
"""Retries of all polls of a source while nothing succeeds, as in botocore's standard mode. During an outage this bounds
the requests, and later polls fail at their first attempt instead of occupying the workers until their deadlines."""
_UNREACHED = frozenset({Reason.CONNECTION, Reason.TIMEOUT, Reason.CREDENTIALS})


class _AttemptFailedError(Exception):
    """One attempt failed; the cause is chained."""

    def __init__(self, seen: Fault) -> None:
        super().__init__(seen.message)
        self.fault = seen


class Caller:
    """Makes the calls to one source. Safe to use from many threads."""

    def __init__(
        self, limiter: RateLimiter, observer: ApiObserver, attempts: int | None, hide: Callable[[str], str]
    ) -> None:
        """Make up to `attempts` attempts a call (None: until the deadline). `hide` removes secrets from messages."""
        self._limiter = limiter
        self._observer = observer
        self._attempts = attempts
        self._hide = hide
        self._lock = threading.Lock()
        self._answered = False
        self._quota = RETRY_QUOTA
        self._reported_rate = limiter.configured

    def call(self, operation: str, function: Callable[[], T], deadline: Deadline, *, limited: bool = True) -> T:
        """Return the result of `function`, and retry failures that may pass until the deadline.

        `limited`: each attempt counts against the calls per second of the source.

        Raises:
            PollFailedError: the last failure, or a timeout if the deadline passes within an attempt.
            PollCancelledError: the deadline was cancelled.
        """

        def attempt() -> T:
            if limited:
                self._wait_for_slot(deadline)
            return self._attempt(operation, function, deadline)

        def give_up(state: tenacity.RetryCallState) -> bool:
            seen = _fault_of(state)
            return (
                self._attempts_used(seen, state.attempt_number)
                # The failure says more than a timeout would.
                or state.upcoming_sleep >= deadline.remaining()
                or not self._take_retry(seen)
            )

        try:
            return tenacity.Retrying(
                retry=tenacity.retry_if_exception(_may_pass),
                stop=give_up,
                wait=_seconds_to_wait,
                sleep=deadline.wait,
                reraise=True,
            )(attempt)
        except _AttemptFailedError as error:
            raise error.fault.error() from error.__cause__

    def _attempts_used(self, seen: Fault, attempts: int) -> bool:
        if self._attempts is not None:
            return attempts >= self._attempts
        return not self._answered and seen.reason in _UNREACHED and attempts >= UNREACHED_ATTEMPTS

    def _take_retry(self, seen: Fault) -> bool:
        if seen.reason is Reason.THROTTLED:  # the rate limit slows these down
            return True
        with self._lock:
            if not self._quota:
                return False
            self._quota -= 1
            return True

    def _wait_for_slot(self, deadline: Deadline) -> None:
        pause = self._limiter.reserve()
        self._report_rate()
        if pause > 0:
            self._observer.waited(min(pause, deadline.remaining()))
            deadline.wait(pause)

    def _report_rate(self) -> None:
        with self._lock:  # the rates arrive in the order in which they were read
            rate = self._limiter.calls_per_second
            if rate != self._reported_rate:
                self._reported_rate = rate
                self._observer.rate_limited(rate, self._limiter.configured)

    def _attempt(self, operation: str, function: Callable[[], T], deadline: Deadline) -> T:
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
            deadline.check()
            self._answered = self._answered or seen.reason not in _UNREACHED
            if seen.reason is Reason.THROTTLED:
                self._limiter.throttled()
                self._report_rate()
            raise _AttemptFailedError(replace(seen, message=self._hide(seen.message))) from error
        self._answered = True
        if self._quota < RETRY_QUOTA:
            with self._lock:
                self._quota = min(RETRY_QUOTA, self._quota + 1)
        return result


def _seconds_to_wait(state: tenacity.RetryCallState) -> float:
    """Return the seconds until the next attempt: random, but not less than the response asked for."""
    backoff = tenacity.wait_random_exponential(multiplier=FIRST_BACKOFF, max=LONGEST_BACKOFF)
    return max(backoff(state), _fault_of(state).retry_after)


def _fault_of(state: tenacity.RetryCallState) -> Fault:
    error = state.outcome.exception() if state.outcome else None
    return cast("_AttemptFailedError", error).fault


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, _AttemptFailedError) and error.fault.passing
