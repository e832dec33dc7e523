"""The credentials of a source: found by botocore's own chain, and renewed on a background thread.

botocore renews temporary credentials within a request, on the thread that sends it: each request waits for an STS
that does not answer, although the credentials are still valid. From ten minutes before their end, a failed renewal
also fails the request. Here a request is signed with the credentials at hand for as long as they are valid.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import TypeVar

from botocore.credentials import Credentials, ReadOnlyCredentials, RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from monitor.aws.background import current_deadline, deadline_scope, result_of, run_in_thread
from monitor.aws.errors import Fault, NoCredentialsFoundError, RoleRefusedError, fault
from monitor.aws.redaction import sentence
from monitor.aws.transport import ApiObserver
from monitor.model.deadline import Deadline
from monitor.model.errors import PollFailedError, Reason

T = TypeVar("T")

# The `operation` label of failures, wherever the credentials come from.
GET_CREDENTIALS = "GetCredentials"
# Before their end, credentials are renewed; as in botocore.
EARLY_SECONDS = 900.0
# For one attempt, and between the beginnings of two while the credentials at hand are still valid.
FETCH_SECONDS = 60.0
_NO_ANSWER = Fault(
    Reason.CREDENTIALS, "DeadlineExceeded", f"there was no answer within {FETCH_SECONDS:g} s", passing=False
)


def _drop_traceback(record: logging.LogRecord) -> bool:
    # botocore logs a failed renewal with its exception, and STS may repeat the secrets that it received in it.
    record.exc_info = None
    return True


logging.getLogger("botocore.credentials").addFilter(_drop_traceback)


class CredentialCache:
    """Takes the place of botocore's credential provider and of its credentials. Safe to use from many threads."""

    method = "stackset-monitor"
    """The name of this provider (part of the interface of a provider)."""

    def __init__(
        self,
        find: Callable[[], Credentials | None],
        observer: ApiObserver,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take a function that finds new credentials, and returns None if there are none."""
        self._find = find
        self._observer = observer
        self._clock = clock
        self._lock = threading.Lock()
        self._found: Credentials | None = None
        self._frozen: ReadOnlyCredentials | None = None
        self._fetch: Future[ReadOnlyCredentials] = Future()
        self._fetch.cancel()  # no attempt is running
        self._fetch_deadline = Deadline(0.0, clock)
        self._hung: list[Future[ReadOnlyCredentials]] = []
        self._next_fetch = clock()

    def load_credentials(self) -> "CredentialCache":
        """Return the credentials of a session (interface of a provider)."""
        return self

    def get_deferred_property(self, _: str) -> Callable[[], None]:
        """Return no account id (interface of credentials): no endpoint of Service Catalog contains it."""
        return lambda: None

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return what to sign a request with.

        Raises:
            NoCredentialsFoundError: there are no valid credentials.
            PollFailedError, PollCancelledError: the deadline of this thread passed or was cancelled.
        """
        with self._lock:
            now = self._clock()
            valid = self._frozen if _valid_for(self._found, 0.0) else None
            can_wait = valid is not None or not self._fetch.done()
            if not _valid_for(self._found, EARLY_SECONDS) and (now >= self._next_fetch or not can_wait):
                self._begin_fetch(now)
            fetch, fetch_deadline = self._fetch, self._fetch_deadline
        if valid is not None:
            return valid
        try:
            return result_of(fetch, current_deadline(), fetch_deadline.remaining())
        except TimeoutError:
            raise NoCredentialsFoundError(_NO_ANSWER) from None

    @property
    def held(self) -> Credentials | None:
        """The credentials at hand, valid or not; None if none were found yet."""
        with self._lock:
            return self._found

    def forget(self, held: Credentials | None) -> None:
        """Find credentials again for the next request, because AWS did not accept `held`."""
        with self._lock:
            if self._found is held:
                self._found = self._frozen = None

    def renew_if_rejected(self, call: Callable[[], T]) -> T:
        """Return the result of `call`. If AWS does not accept the credentials, find them again and call once more."""
        if (held := self.held) is not None:
            try:
                return call()
            except Exception as error:
                if fault(error).reason is not Reason.CREDENTIALS:
                    raise
            self.forget(held)
        try:
            return call()
        except Exception as error:
            if fault(error).reason is Reason.CREDENTIALS:
                self.forget(self.held)  # the next poll finds them again, without a restart
            raise

    def _begin_fetch(self, now: float) -> None:
        if not self._fetch.done():
            # A `credential_process` that hangs: botocore waits for it without a timeout. It cannot be ended from
            # here, so the time between two attempts doubles with the threads and processes that are left behind.
            self._observer.failed(GET_CREDENTIALS, _NO_ANSWER.code)
            self._hung.append(self._fetch)
        self._hung = [fetch for fetch in self._hung if not fetch.done()]
        self._next_fetch = now + FETCH_SECONDS * 2 ** len(self._hung)
        held, deadline = self._found, Deadline(FETCH_SECONDS, self._clock)
        self._fetch_deadline = deadline
        self._fetch = run_in_thread(lambda: self._fetch_credentials(held, deadline))

    def _fetch_credentials(self, held: Credentials | None, deadline: Deadline) -> ReadOnlyCredentials:
        try:
            with deadline_scope(deadline):
                found = self._find()
                if found is None:
                    raise NoCredentialsError  # noqa: TRY301 - handled like any other failure to find credentials
                frozen = found.get_frozen_credentials()
        except RoleRefusedError as error:
            self._observer.failed(GET_CREDENTIALS, error.fault.code)
            raise
        except NoCredentialsFoundError:  # those that a role is assumed with, reported by their own cache
            raise
        except Exception as error:
            seen = _classify(error)
            self._observer.failed(GET_CREDENTIALS, seen.code)
            raise NoCredentialsFoundError(seen) from error
        with self._lock:
            if self._found is held:  # it was not forgotten meanwhile
                self._found, self._frozen = found, frozen
        return frozen


def _valid_for(found: Credentials | None, seconds: float) -> bool:
    if isinstance(found, RefreshableCredentials):
        return not found.refresh_needed(refresh_in=seconds)  # type: ignore[arg-type]
    return found is not None


def _classify(error: Exception) -> Fault:
    # A `credential_process` or a plugin raises more kinds of exceptions than a call.
    seen = fault(error)
    match error:
        case PollFailedError(reason=Reason.TIMEOUT):
            return _NO_ANSWER
        case BotoCoreError() | ClientError() | PollFailedError():
            return seen
    return replace(seen, message=sentence(f"{seen.code}: {error}"))
