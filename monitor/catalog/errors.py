"""AWS' errors, as boto3 raises them, put into the reasons why a poll fails."""

from dataclasses import dataclass

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from monitor.fleet.failure import PollFailedError, Reason

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
    "AuthFailure", "ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "InvalidAccessKeyId",
    "InvalidClientTokenId", "InvalidIdentityToken", "InvalidSignatureException", "InvalidToken",
    "MissingAuthenticationToken", "MissingAuthenticationTokenException", "RequestExpired", "SignatureDoesNotMatch",
    "UnrecognizedClientException",
})  # fmt: skip
_CREDENTIAL_ERRORS = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.ProfileNotFound,
    aws.TokenRetrievalError,
    aws.SSOError,
    aws.UnauthorizedSSOTokenError,
)
_CONNECTION_ERRORS = (aws.ConnectionError, aws.HTTPClientError)
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


def fault(error: Exception) -> Fault:
    """Classify what a boto3 call raised."""
    name = type(error).__name__
    match error:
        case aws.ClientError():
            return _answered(error)
        case aws.ReadTimeoutError() | aws.ConnectTimeoutError():
            return Fault(Reason.TIMEOUT, name, _sentence(error), passing=True)
        case aws.InvalidConfigError() | aws.NoRegionError():
            return Fault(Reason.OTHER, name, _sentence(error), passing=False)
        case _ if isinstance(error, _CREDENTIAL_ERRORS):
            return Fault(Reason.CREDENTIALS, name, _sentence(error), passing=False)
        case _ if isinstance(error, _CONNECTION_ERRORS):
            return Fault(Reason.CONNECTION, name, _sentence(error), passing=True)
        case ResponseParserError() | AttributeError() | UnicodeError() | TypeError() | KeyError() | ValueError():
            # What botocore's parser raises on bodies that are not what the API sends.
            return Fault(Reason.INCOMPLETE, name, "the answer of AWS could not be read", passing=True)
    return Fault(Reason.OTHER, name, _sentence(error), passing=False)


def _answered(error: aws.ClientError) -> Fault:
    body = error.response.get("Error", {})
    http = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = str(body.get("Code") or http)
    message = str(body.get("Message") or "no message")
    if code in _THROTTLED or http == _TOO_MANY_REQUESTS:
        return Fault(Reason.THROTTLED, code, message, passing=True)
    if code in _ACCESS_DENIED:
        return Fault(Reason.ACCESS_DENIED, code, message, passing=False)
    if code == "ResourceNotFoundException":
        return Fault(Reason.NOT_FOUND, code, message, passing=False)
    if code in _CREDENTIALS:
        return Fault(Reason.CREDENTIALS, code, message, passing=False)
    return Fault(Reason.OTHER, code, message, passing=http >= _SERVER_ERROR)


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())
