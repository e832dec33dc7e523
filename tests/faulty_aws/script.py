"""What the server plans to do with each request, and which requests it received."""

import http
import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.client import HTTPMessage
from urllib.parse import parse_qs

from tests.faulty_aws.exchange import Fault, Plan, Request, Response

Upstream = Callable[[Request], Response]
"""Returns the correct response to a request."""

MAX_RECORDED = 100_000
_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]*/([^/]*)/")


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One received request, and the name of the fault that it met."""

    at: float
    """Seconds of the monotonic clock."""
    operation: str
    product_id: str | None
    page: int
    key_id: str | None
    fault: str | None


class Script:
    """The plans, the received requests, and the page that each token leads to."""

    def __init__(self, upstream: Upstream) -> None:
        """Start without plans."""
        self._upstream = upstream
        self._lock = threading.Lock()
        self._plans: list[tuple[Plan, list[int]]] = []
        self._seen: deque[RecordedRequest] = deque(maxlen=MAX_RECORDED)
        self._tokens: dict[str, tuple[int, str | None]] = {}
        """The page of each token, and the token of that page at the upstream."""

    @property
    def seen(self) -> tuple[RecordedRequest, ...]:
        """The received requests in order."""
        with self._lock:
            return tuple(self._seen)

    def plan(self, *plans: Plan) -> None:
        """Add plans."""
        with self._lock:
            self._plans.extend((plan, [0]) for plan in plans)

    def clear(self) -> None:
        """Remove all plans and the recorded requests."""
        with self._lock:
            self._plans.clear()
            self._seen.clear()
            self._tokens.clear()

    def respond(self, request: Request) -> tuple[Fault | None, Response]:
        """Return the response to a request, and the fault that changes how it is sent."""
        with self._lock:
            page, known = self._tokens.get(request.token or "", (1, request.token))
            request = replace(request, page=page)
            fault = self._fault(request)
            self._seen.append(
                RecordedRequest(
                    time.monotonic(),
                    request.operation,
                    request.product_id,
                    page,
                    request.key_id,
                    fault.name if fault else None,
                )
            )
        if fault is not None and fault.response is not None:
            return fault, fault.response
        asked = request if known == request.token else replace(request, body=_with_token(request.body, known))
        response = self._upstream(asked)
        given = _token(response)
        if fault is not None and fault.change is not None and response.status == http.HTTPStatus.OK:
            response = fault.change(request, response)
        if (token := _token(response)) is not None:
            with self._lock:
                # A token that a fault invented leads to the page after that of this request.
                self._tokens.setdefault(token, (page + 1, given if token == given else known))
                if len(self._tokens) > MAX_RECORDED:
                    del self._tokens[next(iter(self._tokens))]
        return fault, response

    def _fault(self, request: Request) -> Fault | None:
        for plan, count in self._plans:
            if not plan.matches(request):
                continue
            if plan.times is not None and count[0] >= plan.skip + plan.times:
                continue
            count[0] += 1
            if count[0] > plan.skip:
                return plan.fault
        return None


def parse_request(method: str, path: str, headers: HTTPMessage, body: bytes) -> Request:
    """Return a request from the parts that were read."""
    target = headers.get("X-Amz-Target", "").rpartition(".")[2]
    form = parse_qs(body.decode("latin-1")) if "form" in headers.get("Content-Type", "") else {}
    members = _members(body) if target else {}
    signed = _CREDENTIAL.search(headers.get("Authorization", ""))
    return Request(
        operation=target or form.get("Action", [f"{method} {path}"])[0],
        product_id=members.get("ProvisionedProductId"),
        token=members.get("PageToken"),
        key_id=signed[1] if signed else None,
        region=signed[2] if signed else None,
        headers=tuple(headers.items()),
        body=body,
    )


def _members(body: bytes) -> dict[str, str]:
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _token(response: Response) -> str | None:
    token = _members(response.body).get("NextPageToken")
    return token if isinstance(token, str) else None


def _with_token(body: bytes, token: str | None) -> bytes:
    members = {name: value for name, value in _members(body).items() if name != "PageToken"}
    return json.dumps(members if token is None else {**members, "PageToken": token}).encode()
