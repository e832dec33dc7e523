"""The classification of the errors of boto3."""

from typing import Any

import pytest
from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from monitor.aws.errors import Fault, NoCredentialsFoundError, fault
from monitor.model.errors import PollFailedError, Reason

URL = "https://servicecatalog.eu-west-1.amazonaws.com/"


def answered(code: Any, message: Any = "a message", http: int = 400) -> aws.ClientError:
    """Return an error response of AWS."""
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": http}}
    return aws.ClientError(response, "ListStackInstancesForProvisionedProduct")


@pytest.mark.parametrize(
    ("code", "http", "reason", "passing"),
    [
        ("ThrottlingException", 400, Reason.THROTTLED, True),
        ("Throttling", 400, Reason.THROTTLED, True),
        ("TooManyRequestsException", 400, Reason.THROTTLED, True),
        ("RequestLimitExceeded", 503, Reason.THROTTLED, True),
        ("AnythingElse", 429, Reason.THROTTLED, True),
        ("AccessDeniedException", 400, Reason.ACCESS_DENIED, False),
        ("AccessDenied", 403, Reason.ACCESS_DENIED, False),
        ("UnauthorizedOperation", 403, Reason.ACCESS_DENIED, False),
        ("ResourceNotFoundException", 400, Reason.NOT_FOUND, False),
        ("ExpiredTokenException", 400, Reason.CREDENTIALS, False),
        ("ExpiredToken", 403, Reason.CREDENTIALS, False),
        ("UnrecognizedClientException", 400, Reason.CREDENTIALS, False),
        ("InvalidSignatureException", 400, Reason.CREDENTIALS, False),
        ("InvalidClientTokenId", 403, Reason.CREDENTIALS, False),
        ("IDPCommunicationError", 400, Reason.CREDENTIALS, True),
        ("InvalidParametersException", 400, Reason.OTHER, False),
        ("RequestTimeout", 408, Reason.OTHER, True),
        ("InternalServerException", 500, Reason.OTHER, True),
        ("ServiceUnavailableException", 503, Reason.OTHER, True),
        ("SomethingNew", 400, Reason.OTHER, False),
    ],
)
def test_an_error_response_is_classified_by_its_code(code: str, http: int, reason: Reason, passing: bool) -> None:
    """Code and message are those of AWS."""
    assert fault(answered(code, http=http)) == Fault(reason, code, "a message", passing)


@pytest.mark.parametrize("code", ["", None, "500", "<html>", "x" * 65, "two words", "9Lives", 7, "naïve"])
def test_without_a_valid_code_the_status_is_the_code(code: object) -> None:
    """A proxy must not choose the value of a label."""
    assert fault(answered(code, "<h1>500</h1>", 500)) == Fault(
        Reason.OTHER, "500", "the response was HTTP status 500 without an AWS error code", passing=True
    )


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("RequestExpired", "Request has expired."),
        ("RequestTimeTooSkewed", "The difference is too large."),
        ("InvalidSignatureException", "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z"),
        ("SignatureDoesNotMatch", "Signature not yet current: 20260101T000000Z is still later than 20251231T235000Z"),
    ],
)
def test_a_wrong_clock_is_named(code: str, message: str) -> None:
    """The reason is that of credentials, because AWS does not accept the signature."""
    assert fault(answered(code, message)) == Fault(
        Reason.CREDENTIALS, code, f"the clock of this machine differs from that of AWS: {message}", passing=False
    )


@pytest.mark.parametrize("message", ["", None])
def test_an_error_without_a_message_has_its_code_as_message(message: str | None) -> None:
    """A message is never empty."""
    assert fault(answered("SomethingNew", message)).message == "SomethingNew, without a message"


def test_an_empty_error_response_is_classified() -> None:
    """Its code is the status 0."""
    assert fault(aws.ClientError({}, "Any")) == Fault(
        Reason.OTHER, "0", "the response was HTTP status 0 without an AWS error code", passing=False
    )


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            aws.ReadTimeoutError(endpoint_url=URL),
            Fault(Reason.TIMEOUT, "ReadTimeoutError", f'Read timeout on endpoint URL: "{URL}"', passing=True),
        ),
        (
            aws.ConnectTimeoutError(endpoint_url=URL),
            Fault(Reason.TIMEOUT, "ConnectTimeoutError", f'Connect timeout on endpoint URL: "{URL}"', passing=True),
        ),
        (
            aws.EndpointConnectionError(endpoint_url=URL),
            Fault(
                Reason.CONNECTION,
                "EndpointConnectionError",
                f'Could not connect to the endpoint URL: "{URL}"',
                passing=True,
            ),
        ),
        (
            aws.SSLError(endpoint_url=URL, error=OSError("certificate verify failed")),
            Fault(
                Reason.CONNECTION,
                "SSLError",
                f"SSL validation failed for {URL} certificate verify failed",
                passing=True,
            ),
        ),
        (
            aws.HTTPClientError(error=OSError("what else")),
            Fault(
                Reason.CONNECTION,
                "HTTPClientError",
                "An HTTP Client raised an unhandled exception: what else",
                passing=True,
            ),
        ),
        (
            aws.ProxyConnectionError(proxy_url="http://proxy:3128"),
            Fault(
                Reason.CONNECTION,
                "ProxyConnectionError",
                'Failed to connect to proxy URL: "http://proxy:3128"',
                passing=True,
            ),
        ),
        (
            aws.NoCredentialsError(),
            Fault(Reason.CREDENTIALS, "NoCredentialsError", "Unable to locate credentials", passing=False),
        ),
        (
            aws.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
            Fault(
                Reason.CREDENTIALS,
                "PartialCredentialsError",
                "Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY",
                passing=False,
            ),
        ),
        (
            aws.ProfileNotFound(profile="hub"),
            Fault(Reason.CREDENTIALS, "ProfileNotFound", "The config profile (hub) could not be found", passing=False),
        ),
        (aws.NoRegionError(), Fault(Reason.OTHER, "NoRegionError", "You must specify a region.", passing=False)),
        (
            aws.InvalidRegionError(region_name="-"),
            Fault(
                Reason.OTHER,
                "InvalidRegionError",
                "Provided region_name '-' doesn't match a supported format.",
                passing=False,
            ),
        ),
        (RuntimeError(), Fault(Reason.OTHER, "RuntimeError", "RuntimeError", passing=False)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_exception_without_a_response_is_classified_by_its_type(error: Exception, expected: Fault) -> None:
    """Its code is the name of the type."""
    assert fault(error) == expected


@pytest.mark.parametrize(
    "error",
    [
        ResponseParserError("no XML"),
        AttributeError("'str' object has no attribute 'get'"),
        TypeError("argument of type 'int' is not iterable"),
        KeyError("Code"),
        IndexError(),
        ValueError(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        OverflowError(),
        RecursionError(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_exception_of_the_parser_is_an_incomplete_response(error: Exception) -> None:
    """The message does not show internals of botocore."""
    assert fault(error) == Fault(
        Reason.INCOMPLETE, type(error).__name__, "the response of AWS could not be read", passing=True
    )


@pytest.mark.parametrize("reason", Reason)
def test_a_poll_failure_keeps_its_reason(reason: Reason) -> None:
    """Only an incomplete response may pass."""
    failed = PollFailedError(reason, "Code", "a message")
    assert fault(failed) == Fault(reason, "Code", "a message", passing=reason is Reason.INCOMPLETE)


def test_missing_credentials_have_the_reason_credentials() -> None:
    """The code is that of the failed attempt to get them."""
    seen = Fault(Reason.THROTTLED, "Throttling", "Rate exceeded", passing=True)
    expected = Fault(Reason.CREDENTIALS, "Throttling", "no credentials: Rate exceeded", passing=True)
    assert fault(NoCredentialsFoundError(seen)) == expected


def test_a_fault_becomes_the_error_that_ends_the_poll() -> None:
    """Reason, code and message are the same."""
    error = Fault(Reason.THROTTLED, "Throttling", "Rate exceeded", passing=True).error()
    assert (error.reason, error.error_code, error.message, str(error)) == (
        Reason.THROTTLED,
        "Throttling",
        "Rate exceeded",
        "Rate exceeded",
    )
