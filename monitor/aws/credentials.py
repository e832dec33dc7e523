"""The credentials of a source: found by botocore's own chain, and renewed on a background thread.

botocore renews temporary credentials within a request, on the thread that sends it: each request waits for an STS
that does not answer, although the credentials are still valid. From ten minutes before their end, a failed renewal
also fails the request. Here a request is signed with the credentials at hand for as long as they are valid.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from botocore.credentials import Credentials, ReadOnlyCredentials, RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from monitor.aws.background import BackgroundCall, current_deadline, deadline_scope
from monitor.aws.errors import Fault, NoCredentialsFoundError, RoleRefusedError, fault
from monitor.aws.observer import ApiObserver
from monitor.aws.redaction import sentence
from monitor.model.deadline import Deadline
from monitor.model.errors import PollFailedError, Reason

GET_CREDENTIALS = "GetCredentials"
"""The `operation` label of failures, wherever the credentials come from."""
EARLY_SECONDS = 900.0
"""Before their end, credentials are renewed; as in botocore."""
RETRY_SECONDS = 30.0
"""Between two attempts while the credentials at hand are still valid."""
FETCH_SECONDS = 60.0
"""For one attempt."""
_NO_ANSWER = Fault(
    Reason.CREDENTIALS, "DeadlineExceeded", f"there was no answer within {FETCH_SECONDS:g} s", passing=False
)


class CredentialProvider(Protocol):
    """A botocore session, or what stands in for one."""

    def get_credentials(self) -> Credentials | None:
        """Return credentials, None if there are none."""


def _drop_traceback(record: logging.LogRecord) -> bool:
    """Remove the exception of a failed renewal from botocore's log: STS may repeat the secrets that it received."""
    record.exc_info = None
    return True


logging.getLogger("botocore.credentials").addFilter(_drop_traceback)


class CredentialCache:
    """Takes the place of botocore's credential provider and of its credentials. Safe to use from many threads."""

    method = "stackset-monitor"
    """The name of this provider (part of the interface of a provider)."""

    def __init__(
        self,
        provider: Callable[[], CredentialProvider],
        observer: ApiObserver,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Find credentials with a new provider each time: a new session reads environment and files again."""
        self._provider = provider
        self._observer = observer
        self._clock = clock
        self._lock = threading.Lock()
        self._found: Credentials | None = None
        self._frozen: ReadOnlyCredentials | None = None
        self._fetch: BackgroundCall[ReadOnlyCredentials] | None = None
        self._fetch_end = self._next_fetch = clock()
        self._hung: list[BackgroundCall[ReadOnlyCredentials]] = []

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
            self._give_up_hung_fetch(now)
            valid = self._frozen if _valid_for(self._found, 0.0) else None
            due = now >= self._next_fetch
            if self._fetch is None and (
                (due and not _valid_for(self._found, EARLY_SECONDS)) or (valid is None and not self._hung)
            ):
                self._fetch_end = now + FETCH_SECONDS
                held, deadline = self._found, Deadline(FETCH_SECONDS, self._clock)
                self._fetch = BackgroundCall(lambda: self._find(held, deadline))
            fetch, timeout = self._fetch, self._fetch_end - now
        if valid is not None:
            return valid
        if fetch is None:
            raise NoCredentialsFoundError(_NO_ANSWER)
        try:
            return fetch.wait(current_deadline() or Deadline(FETCH_SECONDS), timeout)
        except TimeoutError:
            raise NoCredentialsFoundError(_NO_ANSWER) from None

    def _give_up_hung_fetch(self, now: float) -> None:
        """Allow another attempt if a `credential_process` hangs.

        botocore waits for it without a timeout, and each attempt leaves a thread and a process behind. So the time
        between two attempts doubles with the number of those.
        """
        self._hung = [fetch for fetch in self._hung if not fetch.done]
        if self._fetch is not None and (self._fetch.done or now >= self._fetch_end):
            if not self._fetch.done:
                self._observer.failed(GET_CREDENTIALS, _NO_ANSWER.code)
                self._hung.append(self._fetch)
                self._next_fetch = now + RETRY_SECONDS * 2 ** len(self._hung)
            self._fetch = None

    def _find(self, held: Credentials | None, deadline: Deadline) -> ReadOnlyCredentials:
        found, frozen = None, None
        try:
            with deadline_scope(deadline):
                found = self._provider().get_credentials()
                if found is None:
                    raise NoCredentialsError  # noqa: TRY301 - handled like any other failure to find credentials
                frozen = _freeze(found)
                return frozen
        except RoleRefusedError as error:
            self._observer.failed(GET_CREDENTIALS, error.fault.code)
            raise
        except NoCredentialsFoundError:  # those that a role is assumed with, reported by their own cache
            raise
        except Exception as error:
            seen = _classify(error)
            self._observer.failed(GET_CREDENTIALS, seen.code)
            raise NoCredentialsFoundError(seen) from error
        finally:
            with self._lock:
                self._next_fetch = self._clock() + RETRY_SECONDS
                if frozen is not None and self._found is held:  # it was not forgotten meanwhile
                    self._found, self._frozen = found, frozen


def _valid_for(found: Credentials | None, seconds: float) -> bool:
    """Return whether credentials are valid for so many seconds more."""
    if isinstance(found, RefreshableCredentials):
        return not found.refresh_needed(refresh_in=seconds)  # type: ignore[arg-type]
    return found is not None


def _freeze(found: Credentials) -> ReadOnlyCredentials:
    """Return credentials that were just found.

    `get_frozen_credentials` would request them a second time if they end within 15 minutes.
    """
    frozen: ReadOnlyCredentials | None = getattr(found, "_frozen_credentials", None)
    return frozen if frozen is not None and _valid_for(found, 0.0) else found.get_frozen_credentials()


def _classify(error: Exception) -> Fault:
    """Classify a failure to get credentials, which has more kinds of exceptions than a call."""
    seen = fault(error)
    match error:
        case PollFailedError(reason=Reason.TIMEOUT):
            return _NO_ANSWER
        case BotoCoreError() | ClientError() | PollFailedError():
            return seen
    return replace(seen, message=sentence(f"{seen.code}: {error}"))
