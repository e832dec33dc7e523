"""The faults of the simulated AWS, each a value with a name, in groups.

botocore returns many of them as a success, so they are defined as bytes: the response, and how it is sent.
"""

import json
from dataclasses import replace
from typing import Any

from tests.faulty_aws import deliveries
from tests.faulty_aws.exchange import Delivery, Fault, Request, Response

_HTML = b"<!DOCTYPE html><html><head><title>Sorry</title></head><body><h1>We will be back</h1></body></html>"


def body(name: str, content: bytes, *, status: int = 200, content_type: str = "text/html") -> Fault:
    """Return a response with a body that AWS would not send."""
    return Fault(name, Response(status, content, content_type))


def error(code: str, message: str, *, status: int = 400) -> Fault:
    """Return an error response of Service Catalog."""
    return Fault(code, Response(status, json.dumps({"__type": code, "Message": message}).encode()))


def sts_error(code: str, message: str, *, status: int = 403) -> Fault:
    """Return an error response of STS, which uses XML."""
    inner = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    return Fault(code, Response(status, inner.encode(), "text/xml"))


def page(name: str, **members: Any) -> Fault:
    """Return a page with some members replaced."""

    def change(_: Request, response: Response) -> Response:
        return replace(response, body=json.dumps({**json.loads(response.body), **members}).encode())

    return Fault(name, change=change)


def item(name: str, *items: Any) -> Fault:
    """Return a page with additional items."""

    def change(_: Request, response: Response) -> Response:
        read = json.loads(response.body)
        return replace(
            response, body=json.dumps({**read, "StackInstances": [*read["StackInstances"], *items]}).encode()
        )

    return Fault(name, change=change)


def sent(name: str, deliver: Delivery) -> Fault:
    """Return a correct response that is sent in a wrong way."""
    return Fault(name, deliver=deliver)


def dripping(interval: float = 1.0, *, headers: bool = True, length: bool = True) -> Fault:
    """Return a correct response of which one byte is sent each `interval` seconds, see `deliveries.drip`."""
    name = f"dripping{'' if headers else ' body'}{'' if length else ' without a length'}"
    return Fault(name, deliver=deliveries.drip(interval, headers=headers, length=length))


def late(seconds: float) -> Fault:
    """Return a correct response that is sent after some time."""
    return Fault("late", deliver=deliveries.delay(seconds))


def tokens(name: str, *names: str) -> Fault:
    """Return pages that have these tokens in turn, forever."""

    def change(request: Request, response: Response) -> Response:
        following = names[request.page % len(names) - 1]
        return replace(response, body=json.dumps({**json.loads(response.body), "NextPageToken": following}).encode())

    return Fault(name, change=change)


def _fresh_token(request: Request, _: Response) -> Response:
    return Response(body=json.dumps({"StackInstances": [], "NextPageToken": f"fresh-{request.page}"}).encode())


def _twice(status: str | None) -> Fault:
    def change(_: Request, response: Response) -> Response:
        read = json.loads(response.body)
        items = read["StackInstances"]
        again = [{**one, "StackInstanceStatus": status or one["StackInstanceStatus"]} for one in items[:1]]
        return replace(response, body=json.dumps({**read, "StackInstances": [*items, *again]}).encode())

    return Fault(f"listed twice as {status or 'before'}", change=change)


def _cut_json(_: Request, response: Response) -> Response:
    return replace(response, body=response.body[: len(response.body) // 2])


BAD_BODIES = (
    body("HTML", _HTML),
    body("garbage", b"\x00\x01\x02 not JSON \x7f"),
    body("empty body", b""),
    body("empty object", b"{}"),
    body("array", b"[]"),
    body("null", b"null"),
    body("number", b"42"),
    body("invalid UTF-8", b'{"StackInstances": [{"Account": "\xff\xfe\xc3\x28"}]}'),
    body("UTF-16", '{"StackInstances": []}'.encode("utf-16")),
    body("deeply nested", b'{"StackInstances": ' + b"[" * 100_000),
    body("no content", b"", status=204),
    Fault("cut JSON", change=_cut_json),
    Fault("no list", Response(body=b'{"NextPageToken": null}')),
    page("list is null", StackInstances=None),
    page("list is an object", StackInstances={}),
    page("list is a string", StackInstances=""),
    page("list is a number", StackInstances=0),
    page("list is false", StackInstances=False),
    item("item is a string", "CURRENT"),
    item("item is a list", ["111111111111", "eu-west-1"]),
    page("token is a number", NextPageToken=7),
    page("token is an object", NextPageToken={"page": 2}),
    page("token is true", NextPageToken=True),
)
"""Responses with status 200 that are not a page."""

BROKEN_CONNECTIONS = (
    sent("cut body", deliveries.truncated_body),
    sent("cut after the last byte", deliveries.one_byte_missing),
    sent("cut chunk", deliveries.truncated_chunk),
    sent("cut headers", deliveries.truncated_headers),
    sent("closed", deliveries.closed),
    sent("reset", deliveries.reset),
    sent("reset in the body", deliveries.reset_in_body),
    sent("not HTTP", deliveries.not_http),
    sent("wrong chunk", deliveries.invalid_chunk),
)
"""Connections that end too early, and bytes that are not HTTP."""

SILENCE = sent("silence", deliveries.nothing)
SILENT_WAITS = (
    SILENCE,
    sent("silence after the headers", deliveries.headers_only),
    sent("silence in the body", deliveries.half_a_body),
)
"""Connections on which nothing is sent any more."""


def slow(interval: float = 1.0) -> tuple[Fault, ...]:
    """Return all faults that send one byte at a time."""
    return (
        dripping(interval),
        dripping(interval, headers=False),
        dripping(interval, headers=False, length=False),
    )


ENDLESS = (
    sent("endless body", deliveries.endless_body),
    sent("endless chunks", deliveries.endless_chunks),
    sent("endless headers", deliveries.endless_headers),
    sent("endless continues", deliveries.endless_continues),
    sent("huge length", deliveries.huge_length),
)
"""Responses that never end, sent as fast as the client reads."""

THROTTLED = error("ThrottlingException", "Rate exceeded")
ACCESS_DENIED = error(
    "AccessDeniedException",
    "User: arn:aws:sts::123456789012:assumed-role/stackset-monitor/session is not authorized to perform:"
    " servicecatalog:ListStackInstancesForProvisionedProduct",
)
EXPIRED_TOKEN = error("ExpiredTokenException", "The security token included in the request is expired")
UNRECOGNIZED_CLIENT = error(
    "UnrecognizedClientException", "The security token included in the request is invalid.", status=403
)
NOT_FOUND = error("ResourceNotFoundException", "Provisioned product not found.")
INTERNAL_ERROR = error("InternalServerException", "An internal error occurred.", status=500)
ERRORS = (
    THROTTLED,
    body("too many requests", b"", status=429),
    ACCESS_DENIED,
    EXPIRED_TOKEN,
    UNRECOGNIZED_CLIENT,
    NOT_FOUND,
    INTERNAL_ERROR,
    body("HTML 500", _HTML, status=500),
    body("HTML 503", _HTML, status=503),
    body("HTML 403", _HTML, status=403),
    body("redirect", _HTML, status=302),
)
"""Error responses of AWS, and of proxies in front of it."""

SAME_TOKEN = tokens("same token", "same")
REPEATED_TOKENS = tokens("repeated tokens", "A", "B")
FRESH_TOKENS = Fault("fresh tokens forever", change=_fresh_token)
WRONG_TOKENS = (SAME_TOKEN, REPEATED_TOKENS)
"""Page tokens that lead back to an earlier page."""

EMPTY_PAGE = page("empty page with a token", StackInstances=[], NextPageToken="go-on")
TWICE = _twice(None)
TWICE_INOPERABLE = _twice("INOPERABLE")
UNKNOWN_STATUS = item(
    "unknown status", {"Account": "999999999999", "Region": "eu-west-1", "StackInstanceStatus": "QUARANTINED"}
)
INVALID_ITEMS = item(
    "invalid items",
    None,
    {},
    {"Account": "", "Region": "eu-west-1", "StackInstanceStatus": "CURRENT"},
    {"Account": "999999999999", "StackInstanceStatus": "CURRENT"},
    {"Region": "eu-west-1", "StackInstanceStatus": "CURRENT"},
    {"Account": 999999999999, "Region": "eu-west-1", "StackInstanceStatus": "CURRENT"},
    {"Account": "999999999999", "Region": ["eu-west-1"], "StackInstanceStatus": "CURRENT"},
    {"Account": "9999\ud800", "Region": "eu-west-1", "StackInstanceStatus": "CURRENT"},
)
ODD_PAGES = (EMPTY_PAGE, TWICE, TWICE_INOPERABLE, UNKNOWN_STATUS, INVALID_ITEMS)
"""Pages with an irregularity that does not make the listing incomplete."""

FAULTS = {
    fault.name: fault
    for fault in (
        *BAD_BODIES, *BROKEN_CONNECTIONS, *SILENT_WAITS, *slow(), *ENDLESS, *ERRORS,
        *WRONG_TOKENS, FRESH_TOKENS, *ODD_PAGES,
    )
}  # fmt: skip
"""All faults by name."""
