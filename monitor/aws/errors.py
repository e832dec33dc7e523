"""Classifies the errors of boto3 by the reason for which a poll fails."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from monitor.aws.redaction import sentence
from monitor.aws.responses import ERROR_CODE
from monitor.model.errors import PollFailedError, Reason

# Error codes that mean throttling, as in botocore's retry modes. helm/alerts.yaml has the same list.
THROTTLING_CODES = frozenset({
    "BandwidthLimitExceeded", "EC2ThrottledException", "LimitExceededException", "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException",
    "SlowDown", "ThrottledException", "Throttling", "ThrottlingException", "TooManyRequestsException",
    "TransactionInProgressException",
})  # fmt: skip
_ACCESS_DENIED = frozenset({
    "AccessDenied", "AccessDeniedException", "NotAuthorized", "OptInRequired", "UnauthorizedOperation",
})  # fmt: skip
_NOT_FOUND = frozenset({"OperationNotFoundException", "ResourceNotFoundException", "StackSetNotFoundException"})
_CREDENTIALS = frozenset({
    "AuthFailure", "ExpiredToken", "ExpiredTokenException", "IDPCommunicationError", "IncompleteSignature",
    "IncompleteSignatureException", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidIdentityToken",
    "InvalidSignatureException", "InvalidToken", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
    "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch", "UnrecognizedClientException",
})  # fmt: skip
_PASSING = frozenset({"IDPCommunicationError", "RequestTimeout", "RequestTimeoutException"})
_CLOCK_CODES = frozenset({"RequestExpired", "RequestTimeTooSkewed"})
_CLOCK_MESSAGE = re.compile("signature (expired|not yet current)", re.IGNORECASE)
_SERVER_ERROR = 500
_TOO_MANY_REQUESTS = 429
# Headers that say when to retry, and their unit in seconds.
_RETRY_HEADERS = {"x-amz-retry-after": 0.001, "retry-after": 1.0}
_MAXIMUM_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Fault:
    """A failed attempt, classified."""

    reason: Reason
    code: str
    message: str
    passing: bool
    """Whether the same call may succeed a moment later."""
    retry_after: float = 0.0
    """Seconds to wait before the next attempt, as the response says."""

    def error(self) -> PollFailedError:
        """Return the error that ends the poll."""
        return PollFailedError(self.reason, self.code, self.message)


class NoCredentialsFoundError(Exception):
    """There are no credentials to sign a request with, so it is not sent."""

    def __init__(self, seen: Fault) -> None:
        """Take the failure of the attempt to get them."""
        self.fault = replace(seen, reason=Reason.CREDENTIALS, message=f"no credentials: {seen.message}")
        super().__init__(self.fault.message)


class RoleRefusedError(NoCredentialsFoundError):
    """The role cannot be assumed with the available credentials."""

    def __init__(self, seen: Fault) -> None:
        """Take the failure of AssumeRole. Without the permission for it, the reason is `access_denied`."""
        super().__init__(seen)
        reason = seen.reason if seen.reason is Reason.ACCESS_DENIED else Reason.CREDENTIALS
        self.fault = replace(seen, reason=reason)


def fault(error: Exception) -> Fault:
    """Classify an exception of a boto3 call."""
    name, message = type(error).__name__, sentence(str(error)) or type(error).__name__
    match error:
        case NoCredentialsFoundError():
            return error.fault
        case PollFailedError():
            return Fault(error.reason, error.error_code, error.message, passing=error.reason is Reason.INCOMPLETE)
        case aws.ClientError():
            return _error_response(error)
        case aws.ReadTimeoutError() | aws.ConnectTimeoutError():
            return Fault(Reason.TIMEOUT, name, message, passing=True)
        case aws.ConnectionError() | aws.HTTPClientError():
            return Fault(Reason.CONNECTION, name, message, passing=True)
        case (
            aws.NoCredentialsError()
            | aws.PartialCredentialsError()
            | aws.CredentialRetrievalError()
            | aws.ProfileNotFound()
            | aws.TokenRetrievalError()
            | aws.SSOError()
            | aws.LoginError()
        ):
            return Fault(Reason.CREDENTIALS, name, message, passing=False)
        case aws.BotoCoreError():  # some are a ValueError, too
            pass
        case (
            # What botocore's parser raises for the body of an STS response that is not what the API sends.
            ResponseParserError()
            | AttributeError()
            | TypeError()
            | LookupError()
            | ValueError()
            | ArithmeticError()
            | RecursionError()
        ):
            return Fault(Reason.INCOMPLETE, name, "the response of AWS could not be read", passing=True)
    return Fault(Reason.OTHER, name, message, passing=False)


def _error_response(error: aws.ClientError) -> Fault:
    body, metadata = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode", 0)
    code, message = str(body.get("Code") or ""), sentence(str(body.get("Message") or ""))
    if not ERROR_CODE.fullmatch(code):  # from a proxy or a load balancer, not from AWS
        code, message = str(status), f"the response was HTTP status {status} without an AWS error code"
    message = message or f"{code}, without a message"
    if code in _CLOCK_CODES or _CLOCK_MESSAGE.search(message):
        message = sentence(f"the clock of this machine differs from that of AWS: {message}")
    retry_after = _retry_after(metadata.get("HTTPHeaders", {}))
    if code in THROTTLING_CODES or status == _TOO_MANY_REQUESTS:
        return Fault(Reason.THROTTLED, code, message, passing=True, retry_after=retry_after)
    if code in _ACCESS_DENIED:
        return Fault(Reason.ACCESS_DENIED, code, message, passing=False)
    if code in _NOT_FOUND:
        return Fault(Reason.NOT_FOUND, code, message, passing=False)
    reason = Reason.CREDENTIALS if code in _CREDENTIALS else Reason.OTHER
    return Fault(reason, code, message, passing=status >= _SERVER_ERROR or code in _PASSING, retry_after=retry_after)


def _retry_after(headers: Mapping[str, str]) -> float:
    for name, unit in _RETRY_HEADERS.items():
        value = headers.get(name, "")
        if value.isdecimal() and len(value) <= _MAXIMUM_DIGITS:
            return int(value) * unit
    return 0.0
