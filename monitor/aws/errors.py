"""AWS' errors, as boto3 raises them, put into the reasons why a poll fails."""

import re
from dataclasses import dataclass, replace

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from monitor.aws.redaction import sentence
from monitor.model.errors import PollFailedError, Reason

_THROTTLED = frozenset({
    "BandwidthLimitExceeded", "EC2ThrottledException", "LimitExceededException", "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException",
    "SlowDown", "ThrottledException", "Throttling", "ThrottlingException", "TooManyRequestsException",
    "TransactionInProgressException",
})  # fmt: skip
_ACCESS_DENIED = frozenset({
    "AccessDenied", "AccessDeniedException", "NotAuthorized", "OptInRequired", "UnauthorizedOperation",
})  # fmt: skip
_CREDENTIALS = frozenset({
    "AuthFailure", "ExpiredToken", "ExpiredTokenException", "IDPCommunicationError", "IncompleteSignature",
    "IncompleteSignatureException", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidIdentityToken",
    "InvalidSignatureException", "InvalidToken", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
    "RequestExpired", "SignatureDoesNotMatch", "UnrecognizedClientException",
})  # fmt: skip
_PASSING = frozenset({"IDPCommunicationError", "RequestTimeout", "RequestTimeoutException"})
_BELOW: tuple[tuple[tuple[type[Exception], ...], Reason, bool], ...] = (
    # The first that fits: which errors below AWS' own count as what, and whether they may pass.
    ((aws.ReadTimeoutError, aws.ConnectTimeoutError), Reason.TIMEOUT, True),
    (
        (
            aws.NoCredentialsError,
            aws.PartialCredentialsError,
            aws.CredentialRetrievalError,
            aws.ProfileNotFound,
            aws.TokenRetrievalError,
            aws.SSOError,
            aws.LoginError,
        ),
        Reason.CREDENTIALS,
        False,
    ),
    ((aws.ConnectionError, aws.HTTPClientError), Reason.CONNECTION, True),
)
# What botocore's parser raises on bodies that are not what the API sends.
_PARSER_ERRORS = (
    ResponseParserError, AttributeError, TypeError, LookupError, ValueError, ArithmeticError, RecursionError,
)  # fmt: skip
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
_SERVER_ERROR = 500
_TOO_MANY_REQUESTS = 429


@dataclass(frozen=True, slots=True)
class Fault:
    """One failed attempt: what it counts as, and whether the same call may go well a moment later."""

    reason: Reason
    code: str
    message: str
    passing: bool

    def error(self) -> PollFailedError:
        """Return the error that ends the poll."""
        return PollFailedError(self.reason, self.code, self.message)


class NoCredentialsFoundError(Exception):
    """There are no credentials to sign a request with; raised inside a call, so that none goes out."""

    def __init__(self, seen: Fault) -> None:
        """Tell what went wrong when they were to be had."""
        self.fault = replace(seen, reason=Reason.CREDENTIALS, message=f"no credentials: {seen.message}")
        super().__init__(self.fault.message)


class RoleRefusedError(NoCredentialsFoundError):
    """The role cannot be assumed with the credentials that there are."""

    def __init__(self, seen: Fault) -> None:
        """Tell what STS said. Where it is the permission that is missing, that is the reason."""
        super().__init__(seen)
        reason = seen.reason if seen.reason is Reason.ACCESS_DENIED else Reason.CREDENTIALS
        self.fault = replace(seen, reason=reason)


def fault(error: Exception) -> Fault:
    """Classify what a boto3 call raised."""
    name = type(error).__name__
    match error:
        case NoCredentialsFoundError():
            return error.fault
        case PollFailedError():
            return Fault(error.reason, error.error_code, error.message, passing=error.reason is Reason.INCOMPLETE)
        case aws.ClientError():
            return _answered(error)
    for kinds, reason, passing in _BELOW:
        if isinstance(error, kinds):
            return Fault(reason, name, sentence(str(error)), passing=passing)
    if isinstance(error, _PARSER_ERRORS) and not isinstance(error, aws.BotoCoreError):
        return Fault(Reason.INCOMPLETE, name, "the answer of AWS could not be read", passing=True)
    return Fault(Reason.OTHER, name, sentence(str(error)) or name, passing=False)


def _answered(error: aws.ClientError) -> Fault:
    body = error.response.get("Error", {})
    http = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code, message = str(body.get("Code") or ""), sentence(str(body.get("Message") or ""))
    if not _CODE.fullmatch(code):  # a proxy or a load balancer: not a word of AWS
        code, message = str(http), f"the answer was HTTP status {http} and no error of AWS"
    message = message or f"{code}, without a message"
    if code in _THROTTLED or http == _TOO_MANY_REQUESTS:
        return Fault(Reason.THROTTLED, code, message, passing=True)
    if code in _ACCESS_DENIED:
        return Fault(Reason.ACCESS_DENIED, code, message, passing=False)
    if code == "ResourceNotFoundException":
        return Fault(Reason.NOT_FOUND, code, message, passing=False)
    passing = http >= _SERVER_ERROR or code in _PASSING
    return Fault(Reason.CREDENTIALS if code in _CREDENTIALS else Reason.OTHER, code, message, passing=passing)
