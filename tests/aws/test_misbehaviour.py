"""Each fault of the faulty AWS, and the result of the real client."""

import os
import socket
from urllib.parse import urlsplit

import pytest

from monitor.aws.source import LIST_STACK_INSTANCES, Source
from monitor.model.errors import Reason
from monitor.model.instances import Anomaly, Listing, Status
from tests.aws.polls import PRODUCT, failure, listed
from tests.conftest import Aws
from tests.faulty_aws import faults
from tests.faulty_aws.exchange import Fault, Plan
from tests.faulty_aws.server import FaultyAws
from tests.making import EU
from tests.support import Observer

FLEET = {(f"{account:012d}", EU): Status.CURRENT for account in range(25)}
TWO_PAGES = Listing(FLEET, 2, {})
ATTEMPTS = 3

_NOT_JSON = (Reason.INCOMPLETE, "NotJSON", "the response is not JSON")
_NO_LIST = (Reason.INCOMPLETE, "NotAListing", "the response has no list of stack instances")
_NO_ITEM = (Reason.INCOMPLETE, "NotAListing", "the list contains something that is not a stack instance")
_BAD_TOKEN = (Reason.INCOMPLETE, "BadPageToken", "the page token is not a string")
_CUT = (Reason.INCOMPLETE, "CutAnswer", "the connection was closed before the end of the response")
_CLOSED = (
    Reason.CONNECTION,
    "ConnectionClosedError",
    'Connection was closed before we received a valid response from endpoint URL: "URL/".',
)
_TOO_LARGE = (Reason.INCOMPLETE, "AnswerTooLarge", "the response has more than 1048576 bytes")

FAILURES: dict[str, tuple[Reason, str, str]] = {
    "HTML": _NOT_JSON,
    "garbage": _NOT_JSON,
    "empty body": _NOT_JSON,
    "empty object": _NO_LIST,
    "array": _NO_LIST,
    "null": _NO_LIST,
    "number": _NO_LIST,
    "invalid UTF-8": _NOT_JSON,
    "UTF-16": _NOT_JSON,
    "deeply nested": _NOT_JSON,
    "no content": _NOT_JSON,
    "cut JSON": _NOT_JSON,
    "no list": _NO_LIST,
    "list is null": _NO_LIST,
    "list is an object": _NO_LIST,
    "list is a string": _NO_LIST,
    "list is a number": _NO_LIST,
    "list is false": _NO_LIST,
    "item is a string": _NO_ITEM,
    "item is a list": _NO_ITEM,
    "token is a number": _BAD_TOKEN,
    "token is an object": _BAD_TOKEN,
    "token is true": _BAD_TOKEN,
    "cut body": _CUT,
    "cut after the last byte": _CUT,
    "cut chunk": _CLOSED,
    "cut headers": _NOT_JSON,
    "closed": _CLOSED,
    "reset": _CLOSED,
    "reset in the body": _CLOSED,
    "not HTTP": _CLOSED,
    "wrong chunk": _CLOSED,
    "endless body": _TOO_LARGE,
    "endless chunks": _TOO_LARGE,
    "endless headers": _CLOSED,
    "endless continues": _TOO_LARGE,
    "huge length": _TOO_LARGE,
    "ThrottlingException": (Reason.THROTTLED, "ThrottlingException", "Rate exceeded"),
    "too many requests": (Reason.THROTTLED, "429", "the response was HTTP status 429 without an AWS error code"),
    "InternalServerException": (Reason.OTHER, "InternalServerException", "An internal error occurred."),
    "HTML 500": (Reason.OTHER, "500", "the response was HTTP status 500 without an AWS error code"),
    "HTML 503": (Reason.OTHER, "503", "the response was HTTP status 503 without an AWS error code"),
}
"""What may pass, and is asked for again."""

REFUSALS: dict[str, tuple[Reason, str, str]] = {
    "AccessDeniedException": (
        Reason.ACCESS_DENIED,
        "AccessDeniedException",
        (
            "User: arn:aws:sts::123456789012:assumed-role/stackset-monitor/session is not authorized to perform:"
            " servicecatalog:ListStackInstancesForProvisionedProduct"
        ),
    ),
    "ResourceNotFoundException": (
        Reason.NOT_FOUND,
        "ResourceNotFoundException",
        "Provisioned product not found.",
    ),
    "ExpiredTokenException": (
        Reason.CREDENTIALS,
        "ExpiredTokenException",
        "The security token included in the request is expired",
    ),
    "UnrecognizedClientException": (
        Reason.CREDENTIALS,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
    "HTML 403": (Reason.OTHER, "403", "the response was HTTP status 403 without an AWS error code"),
    "redirect": (Reason.OTHER, "302", "the response was HTTP status 302 without an AWS error code"),
}
"""What does not pass by itself, and is not asked for again."""

ELSEWHERE = {
    *(fault.name for group in (faults.SILENT_WAITS, faults.WRONG_TOKENS, faults.ODD_PAGES) for fault in group),
    faults.FRESH_TOKENS.name,
    *(fault.name for fault in faults.slow()),
}
"""Below, or in test_interruption.py."""


@pytest.fixture(autouse=True)
def fleet(aws: Aws) -> None:
    """Add one product of two pages."""
    aws.stack_sets.add_product(PRODUCT, "baseline")
    for account, region in FLEET:
        aws.stack_sets.set(PRODUCT, account, region, "CURRENT")


def test_every_fault_has_an_expectation() -> None:
    """A new fault needs a test."""
    assert {*FAILURES, *REFUSALS, *ELSEWHERE} == set(faults.FAULTS)


@pytest.mark.parametrize("name", FAILURES)
def test_a_lasting_failure_is_a_failed_poll_after_all_attempts(
    name: str, source: Source, faulty: FaultyAws, observer: Observer
) -> None:
    """Three requests, each counted with its error, then a failed poll; the next one is complete."""
    reason, code, message = FAILURES[name]
    faulty.plan(Plan(faults.FAULTS[name], times=None))
    assert failure(source) == (reason, code, message)
    assert len(faulty.requests) == ATTEMPTS
    assert observer.attempts == {LIST_STACK_INSTANCES: ATTEMPTS}
    assert observer.errors == {(LIST_STACK_INSTANCES, code): ATTEMPTS}
    faulty.clear()
    assert listed(source) == TWO_PAGES


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_that_passes_does_not_fail_the_poll(name: str, source: Source, faulty: FaultyAws) -> None:
    """The page that failed is requested again, and the listing is complete."""
    faulty.plan(Plan(faults.FAULTS[name], page=2))
    assert listed(source) == TWO_PAGES
    assert [(seen.page, seen.fault) for seen in faulty.requests] == [(1, None), (2, name), (2, None)]


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_a_failed_poll_after_one_request(
    name: str, source: Source, faulty: FaultyAws, observer: Observer
) -> None:
    """AWS would refuse a retry, too."""
    reason, code, message = REFUSALS[name]
    faulty.plan(Plan(faults.FAULTS[name], times=None))
    assert failure(source) == (reason, code, message)
    assert len(faulty.requests) == 1
    assert observer.errors == {(LIST_STACK_INSTANCES, code): 1}
    faulty.clear()
    assert listed(source) == TWO_PAGES


@pytest.mark.parametrize("name", ["HTML", "reset", "ThrottlingException", "AccessDeniedException"])
def test_a_failure_on_a_later_page_is_a_failed_poll(name: str, source: Source, faulty: FaultyAws) -> None:
    """An incomplete listing is not accepted."""
    faulty.plan(Plan(faults.FAULTS[name], page=2, times=None))
    assert failure(source) == {**FAILURES, **REFUSALS}[name]
    assert [seen.page for seen in faulty.requests] == ([1, 2, 2, 2] if name in FAILURES else [1, 2])


@pytest.mark.parametrize(("fault", "requests"), [(faults.SAME_TOKEN, 2), (faults.REPEATED_TOKENS, 3)], ids=str)
def test_a_repeated_page_token_is_a_failed_poll(fault: Fault, requests: int, source: Source, faulty: FaultyAws) -> None:
    """The first repeated page token ends the poll, without a retry."""
    faulty.plan(Plan(fault, times=None))
    assert failure(source) == (
        Reason.INCOMPLETE,
        "RepeatedPageToken",
        f"page {requests} has the page token of an earlier page",
    )
    assert len(faulty.requests) == requests


def test_an_endless_listing_ends_with_the_deadline(source: Source, faulty: FaultyAws) -> None:
    """Each page is empty and has a new token."""
    faulty.plan(Plan(faults.FRESH_TOKENS, times=None))
    assert failure(source, seconds=0.3) == (
        Reason.TIMEOUT,
        "DeadlineExceeded",
        "the poll was not complete after 0.3 s",
    )


def test_an_empty_page_with_a_token_is_not_the_end(source: Source, faulty: FaultyAws) -> None:
    """The next page is read."""
    faulty.plan(Plan(faults.EMPTY_PAGE))
    assert listed(source) == Listing(FLEET, 3, {})


@pytest.mark.parametrize(
    ("fault", "changed", "anomalies", "unknown"),
    [
        (faults.TWICE, {}, {Anomaly.DUPLICATE: 1}, frozenset()),
        (faults.TWICE_INOPERABLE, {(f"{20:012d}", EU): Status.INOPERABLE}, {Anomaly.DUPLICATE: 1}, frozenset()),
        (
            faults.UNKNOWN_STATUS,
            {("999999999999", EU): Status.UNKNOWN},
            {Anomaly.UNKNOWN_STATUS: 1},
            frozenset({"QUARANTINED"}),
        ),
        (faults.INVALID_ITEMS, {}, {Anomaly.INVALID_ITEM: 8}, frozenset()),
    ],
    ids=["twice", "twice, once INOPERABLE", "unknown status", "invalid items"],
)
def test_an_odd_page_is_part_of_a_complete_listing(
    fault: Fault,
    changed: dict[tuple[str, str], Status],
    anomalies: dict[Anomaly, int],
    unknown: frozenset[str],
    source: Source,
    faulty: FaultyAws,
) -> None:
    """Invalid items are counted, and of two statuses the more severe one counts."""
    faulty.plan(Plan(fault, page=2))
    assert listed(source) == Listing({**FLEET, **changed}, 2, anomalies, unknown)


def test_the_message_names_a_product_of_another_type(source: Source, aws: Aws, faulty: FaultyAws) -> None:
    """The message is that of AWS, after one request."""
    aws.stack_sets.add_product("pp-bbbbbbbbbbbbb", "a plain stack", stack_set=False)
    assert failure(source, "pp-bbbbbbbbbbbbb") == (
        Reason.OTHER,
        "InvalidParametersException",
        "Provisioned product pp-bbbbbbbbbbbbb is not of type CFN_STACKSET.",
    )
    assert len(faulty.requests) == 1


def test_a_product_that_is_gone_is_not_found(source: Source, aws: Aws) -> None:
    """The reason is `not_found`, so that its series are removed."""
    aws.stack_sets.remove_product(PRODUCT)
    assert failure(source) == (
        Reason.NOT_FOUND,
        "ResourceNotFoundException",
        f"Provisioned product {PRODUCT} not found.",
    )


def test_the_next_poll_connects_again(source: Source, faulty: FaultyAws, observer: Observer) -> None:
    """A refused connection is a failed poll, and recovery needs no restart."""
    faulty.refuse()
    assert failure(source) == (
        Reason.CONNECTION,
        "EndpointConnectionError",
        'Could not connect to the endpoint URL: "URL/"',
    )
    assert observer.errors == {(LIST_STACK_INSTANCES, "EndpointConnectionError"): ATTEMPTS}
    faulty.accept()
    assert listed(source) == TWO_PAGES


def test_the_next_poll_looks_the_name_up_again(
    faulty: FaultyAws, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed lookup is a failed poll, and recovery needs no restart."""
    working = socket.getaddrinfo
    port = urlsplit(os.environ["AWS_ENDPOINT_URL"]).port
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://servicecatalog.example:{port}")
    monkeypatch.setattr(socket, "getaddrinfo", _unresolved)
    assert failure(source) == (
        Reason.CONNECTION,
        "EndpointConnectionError",
        f'Could not connect to the endpoint URL: "http://servicecatalog.example:{port}/"',
    )
    assert faulty.requests == ()
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *rest, **more: working("127.0.0.1", *rest, **more))
    assert listed(source) == TWO_PAGES


def _unresolved(*_: object, **__: object) -> None:
    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
