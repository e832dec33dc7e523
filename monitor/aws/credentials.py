"""The credentials of a source: found by botocore's own chain, and kept fresh on a thread beside the polls.

botocore refreshes temporary credentials in the middle of a request, and from ten minutes before their end
on it gives up where that fails, though they are still good. Here a request is signed with what is there for
as long as it is good, and waits, no longer than its deadline, only where there is nothing.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from monitor.aws.aside import Aside, current_deadline, within
from monitor.aws.errors import Fault, NoCredentialsFoundError, RoleRefusedError, fault
from monitor.aws.redaction import sentence
from monitor.aws.wire import ApiObserver
from monitor.model.deadline import Deadline
from monitor.model.errors import PollFailedError, Reason

if TYPE_CHECKING:
    from botocore.credentials import Credentials, ReadOnlyCredentials
    from botocore.session import Session

    from monitor.aws.roles import AssumedRole

GET_CREDENTIALS = "GetCredentials"
"""The `operation` that failures count under, whatever it is that hands the credentials out."""
EARLY_SECONDS = 900.0
"""Before their end, as botocore does."""
RETRY_SECONDS = 30.0
"""Between two tries while what is there is still good."""
FETCH_SECONDS = 60.0
"""For one try."""


def _without_traceback(record: logging.LogRecord) -> bool:
    """Leave out the error of a refresh that failed: STS may tell back what it was sent."""
    record.exc_info = None
    return True


logging.getLogger("botocore.credentials").addFilter(_without_traceback)


class KeptCredentials:
    """Stands in botocore's session for the provider of credentials, and for the credentials. Safe for many threads."""

    method = "kept"
    """What botocore calls the way in which credentials were found."""

    def __init__(
        self,
        session: "Callable[[], Session | AssumedRole]",
        observer: ApiObserver,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Find credentials in a new session each time: it reads the environment and the shared files anew."""
        self._session = session
        self._observer = observer
        self._clock = clock
        self._lock = threading.Lock()
        self._found: Credentials | None = None
        self._frozen: ReadOnlyCredentials | None = None
        self._fetch: Aside[ReadOnlyCredentials] | None = None
        self._fetch_deadline = Deadline(FETCH_SECONDS, clock)
        self._next_try = clock()

    @property
    def held(self) -> "Credentials | None":
        """What is there, good or not; None where nothing was found yet."""
        with self._lock:
            return self._found

    def forget(self, held: "Credentials | None") -> None:
        """Find credentials anew for the next request, because AWS did not take `held`."""
        with self._lock:
            if self._found is held:
                self._found = self._frozen = None

    def load_credentials(self) -> "KeptCredentials":
        """Be the provider that botocore asks for the credentials of a session."""
        return self

    def get_deferred_property(self, _: str) -> Callable[[], None]:
        """Know no account: the endpoints that have one in their name are not those of Service Catalog."""
        return lambda: None

    def get_frozen_credentials(self) -> "ReadOnlyCredentials":
        """Return what to sign with; raise `NoCredentialsFoundError`, or what the deadline of this thread raises."""
        with self._lock:
            good = self._frozen if _last(self._found, 0.0) else None
            fetch = self._fetch
            if fetch is not None:
                self._fetch_deadline.enforce()
            elif good is None or (not _last(self._found, EARLY_SECONDS) and self._clock() >= self._next_try):
                self._fetch_deadline = Deadline(FETCH_SECONDS, self._clock)
                self._fetch = fetch = Aside(self._refresh)
        if good is not None or fetch is None:
            return cast("ReadOnlyCredentials", good)
        return fetch.wait(current_deadline() or Deadline(FETCH_SECONDS))

    def _refresh(self) -> "ReadOnlyCredentials":
        with self._lock:
            before, deadline = self._found, self._fetch_deadline
        found, frozen = before, None
        try:
            with within(deadline):
                found = before or self._session().get_credentials()
                if found is None:
                    raise NoCredentialsError  # noqa: TRY301 - handled like any other way in which there are none
                frozen = (_as_found(found) if before is None else None) or found.get_frozen_credentials()
                return frozen
        except RoleRefusedError as error:
            self._observer.failed(GET_CREDENTIALS, error.fault.code)
            raise
        except NoCredentialsFoundError:  # those that a role is assumed with; counted where they were looked for
            raise
        except Exception as error:
            seen = _explained(error)
            self._observer.failed(GET_CREDENTIALS, seen.code)
            raise NoCredentialsFoundError(seen) from error
        finally:
            with self._lock:
                self._fetch = None
                self._next_try = self._clock() + RETRY_SECONDS
                if frozen is not None and self._found is before:  # else it was forgotten meanwhile
                    self._found, self._frozen = found, frozen


def _last(found: "Credentials | None", seconds: float) -> bool:
    """Say whether credentials are good for so many seconds more."""
    if isinstance(found, RefreshableCredentials):
        return not found.refresh_needed(refresh_in=seconds)  # type: ignore[arg-type]
    return found is not None


def _as_found(found: "Credentials") -> "ReadOnlyCredentials | None":
    """Return credentials that were just found and are good; botocore would refresh them at once where they end soon."""
    return getattr(found, "_frozen_credentials", None) if _last(found, 0.0) else None


def _explained(error: Exception) -> Fault:
    """Classify a failure to get credentials, which has more shapes than the failure of a call."""
    seen = fault(error)
    match error:
        case PollFailedError(reason=Reason.TIMEOUT):
            return replace(seen, message=f"there was no answer within {FETCH_SECONDS:g} s")
        case BotoCoreError() | ClientError() | PollFailedError():
            return seen
    return replace(seen, message=sentence(f"{seen.code}: {error}"))
