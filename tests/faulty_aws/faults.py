"""How the simulated AWS misbehaves: each a value with a name, in groups by what goes wrong.

botocore hides much of this behind a success, so it is all said in bytes: what the answer is, and how it is sent.
"""

import json
from dataclasses import replace
from typing import Any

from tests.faulty_aws.exchange import Delivery, Fault, Line, Request, Response

_HTML = b"<!DOCTYPE html><html><head><title>Sorry</title></head><body><h1>We will be back</h1></body></html>"
_MUCH = b" " * 65536
_MANY = 4096


def body(name: str, content: bytes, *, status: int = 200, content_type: str = "text/html") -> Fault:
    """Return an answer with a body that is not from AWS."""
    return Fault(name, Response(status, content, content_type))


def error(code: str, message: str, *, status: int = 400) -> Fault:
    """Return an error of AWS."""
    return Fault(code, Response(status, json.dumps({"__type": code, "Message": message}).encode()))


def sts_error(code: str, message: str, *, status: int = 403) -> Fault:
    """Return an error of STS, which speaks XML."""
    inner = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    return Fault(code, Response(status, inner.encode(), "text/xml"))


def page(name: str, **members: Any) -> Fault:
    """Return a page some of whose members are others than they should be."""

    def change(_: Request, answer: Response) -> Response:
        return replace(answer, body=json.dumps({**json.loads(answer.body), **members}).encode())

    return Fault(name, change=change)


def item(name: str, *items: Any) -> Fault:
    """Return a page with more items than it should have."""

    def change(_: Request, answer: Response) -> Response:
        read = json.loads(answer.body)
        return replace(answer, body=json.dumps({**read, "StackInstances": [*read["StackInstances"], *items]}).encode())

    return Fault(name, change=change)


def sent(name: str, deliver: Delivery) -> Fault:
    """Return a right answer that is sent wrongly."""
    return Fault(name, deliver=deliver)


def dripping(interval: float = 1.0, *, headers: bool = True, length: bool = True) -> Fault:
    """Return an answer of which one byte comes each `interval` seconds.

    Without `headers` those come at once; without `length` the answer ends with the connection.
    """

    def deliver(line: Line, answer: Response) -> None:
        head = answer.head() if length else answer.head("Connection: close")
        at_once, slowly = (b"", head + answer.body) if headers else (head, answer.body)
        line.send(at_once)
        for place in range(len(slowly)):
            line.send(slowly[place : place + 1])
            line.pause(interval)
        if not length:
            line.close()

    return Fault(f"dripping{'' if headers else ' body'}{'' if length else ' without a length'}", deliver=deliver)


def late(seconds: float) -> Fault:
    """Return a right answer that takes its time."""

    def deliver(line: Line, answer: Response) -> None:
        line.pause(seconds)
        line.send(answer.head() + answer.body)

    return Fault("late", deliver=deliver)


def tokens(name: str, *names: str) -> Fault:
    """Return pages that hand out these tokens in turn, for ever."""

    def change(request: Request, answer: Response) -> Response:
        following = names[request.page % len(names) - 1]
        return replace(answer, body=json.dumps({**json.loads(answer.body), "NextPageToken": following}).encode())

    return Fault(name, change=change)


def _fresh_token(request: Request, _: Response) -> Response:
    return Response(body=json.dumps({"StackInstances": [], "NextPageToken": f"fresh-{request.page}"}).encode())


def _twice(status: str | None) -> Fault:
    def change(_: Request, answer: Response) -> Response:
        read = json.loads(answer.body)
        items = read["StackInstances"]
        again = [{**one, "StackInstanceStatus": status or one["StackInstanceStatus"]} for one in items[:1]]
        return replace(answer, body=json.dumps({**read, "StackInstances": [*items, *again]}).encode())

    return Fault(f"listed twice as {status or 'before'}", change=change)


def _nothing(line: Line, _: Response) -> None:
    line.hold()


def _headers_only(line: Line, answer: Response) -> None:
    line.send(answer.head())
    line.hold()


def _half(line: Line, answer: Response) -> None:
    line.send(answer.head() + answer.body[: len(answer.body) // 2])
    line.hold()


def _cut(line: Line, answer: Response) -> None:
    line.send(answer.head() + answer.body[: len(answer.body) // 2])
    line.close()


def _cut_at_the_end(line: Line, answer: Response) -> None:
    line.send(answer.head(f"Content-Length: {len(answer.body) + 1}") + answer.body)
    line.close()


def _cut_chunk(line: Line, answer: Response) -> None:
    chunk = f"{len(answer.body):x}\r\n".encode() + answer.body[: len(answer.body) // 2]
    line.send(answer.head("Transfer-Encoding: chunked") + chunk)
    line.close()


def _cut_json(_: Request, answer: Response) -> Response:
    return replace(answer, body=answer.body[: len(answer.body) // 2])


def _cut_headers(line: Line, answer: Response) -> None:
    line.send(answer.head()[:40])
    line.close()


def _closed(line: Line, _: Response) -> None:
    line.close()


def _reset(line: Line, _: Response) -> None:
    line.reset()


def _reset_in_body(line: Line, answer: Response) -> None:
    line.send(answer.head() + answer.body[: len(answer.body) // 2])
    line.pause(0.02)  # what was sent is lost with a reset that comes too soon after it
    line.reset()


def _no_http(line: Line, _: Response) -> None:
    line.send(b"220 mail.example.org ESMTP\r\n")
    line.close()


def _wrong_chunk(line: Line, answer: Response) -> None:
    line.send(answer.head("Transfer-Encoding: chunked") + b"no length\r\n" + answer.body)
    line.close()


def _endless(line: Line, answer: Response) -> None:
    line.send(answer.head("Connection: close") + answer.body)
    while True:
        line.send(_MUCH)


def _endless_chunks(line: Line, answer: Response) -> None:
    line.send(answer.head("Transfer-Encoding: chunked"))
    while True:
        line.send(f"{len(_MUCH):x}\r\n".encode() + _MUCH + b"\r\n")


def _endless_headers(line: Line, answer: Response) -> None:
    line.send(answer.head().removesuffix(b"\r\n"))
    while True:
        line.send(b"X-More: and more\r\n" * _MANY)


def _endless_continues(line: Line, _: Response) -> None:
    while True:
        line.send(b"HTTP/1.1 100 Continue\r\n\r\n" * _MANY)


def _huge(line: Line, answer: Response) -> None:
    line.send(answer.head(f"Content-Length: {1 << 62}") + answer.body)
    while True:
        line.send(_MUCH)


BAD_BODIES = (
    body("HTML", _HTML),
    body("garbage", b"\x00\x01\x02 nothing that anybody could read \x7f"),
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
"""Answers of status 200 that are not a page."""

BROKEN_CONNECTIONS = (
    sent("cut body", _cut),
    sent("cut after the last byte", _cut_at_the_end),
    sent("cut chunk", _cut_chunk),
    sent("cut headers", _cut_headers),
    sent("closed", _closed),
    sent("reset", _reset),
    sent("reset in the body", _reset_in_body),
    sent("not HTTP", _no_http),
    sent("wrong chunk", _wrong_chunk),
)
"""Connections that end too soon."""

SILENCE = sent("silence", _nothing)
SILENT_WAITS = (
    SILENCE,
    sent("silence after the headers", _headers_only),
    sent("silence in the body", _half),
)
"""Connections on which nothing happens any more."""


def slow(interval: float = 1.0) -> tuple[Fault, ...]:
    """Return all the answers that drip."""
    return (
        dripping(interval),
        dripping(interval, headers=False),
        dripping(interval, headers=False, length=False),
    )


ENDLESS = (
    sent("endless body", _endless),
    sent("endless chunks", _endless_chunks),
    sent("endless headers", _endless_headers),
    sent("endless continues", _endless_continues),
    sent("huge length", _huge),
)
"""Answers that never end, sent as fast as they are taken."""

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
"""Refusals, of AWS and of what stands before it."""

SAME_TOKEN = tokens("same token", "same")
TOKENS_GO_ROUND = tokens("tokens go round", "A", "B")
FRESH_TOKENS = Fault("fresh tokens for ever", change=_fresh_token)
WRONG_TOKENS = (SAME_TOKEN, TOKENS_GO_ROUND)
"""Pages that lead back to pages before them."""

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
"""Complete pages with something odd in them: a poll is complete all the same."""

FAULTS = {
    fault.name: fault
    for fault in (
        *BAD_BODIES, *BROKEN_CONNECTIONS, *SILENT_WAITS, *slow(), *ENDLESS, *ERRORS,
        *WRONG_TOKENS, FRESH_TOKENS, *ODD_PAGES,
    )
}  # fmt: skip
"""Every one by its name."""
