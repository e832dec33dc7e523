"""Why a poll failed, or did not take place."""

from enum import StrEnum


class Reason(StrEnum):
    """The `reason` label of `servicecatalog_poll_failures_total` and of the event `poll.failed`."""

    THROTTLED = "throttled"
    ACCESS_DENIED = "access_denied"
    NOT_FOUND = "not_found"
    CREDENTIALS = "credentials"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    INCOMPLETE = "incomplete"
    OTHER = "other"


class SkipReason(StrEnum):
    """The `reason` label of `servicecatalog_polls_skipped_total`."""

    OVERRUN = "overrun"
    """The poll before it was still waiting or running."""
    MISFIRE = "misfire"
    """The process did not run when the poll was due."""


class PollFailedError(Exception):
    """A poll that ended without a complete listing; the cause is chained.

    `error_code` is the error code of AWS, or the name of the underlying error. The message is one sentence for
    people and never contains a credential.
    """

    def __init__(self, reason: Reason, error_code: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.error_code = error_code
        self.message = message


class PollCancelledError(Exception):
    """The monitor stops, or the product was removed: the poll neither completed nor failed, and left no trace."""
