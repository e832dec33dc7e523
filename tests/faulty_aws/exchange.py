"""Requests and answers in bytes, and what can be planned to go wrong between them. Frozen values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

JSON = "application/x-amz-json-1.1"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came in."""

    operation: str
    """As AWS calls it; `GET /path` where it is no call of an API."""
    product_id: str | None = None
    token: str | None = None
    page: int = 1
    """Which page it asks for, seen from the tokens that were handed out."""
    key_id: str | None = None
    """Whose signature it has."""
    region: str | None = None
    """For which Region it is signed."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON

    def head(self, *more: str) -> bytes:
        """Return the status line and the headers, with the length of the body unless `more` says how it ends."""
        ends = more or (f"Content-Length: {len(self.body)}",)
        lines = (f"HTTP/1.1 {self.status} Simulated", f"Content-Type: {self.content_type}", *ends, "", "")
        return "\r\n".join(lines).encode()


class Line(Protocol):
    """The way back to the client. Everything on it ends when the client hangs up or the server stops."""

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""

    def pause(self, seconds: float) -> None:
        """Send nothing for a while."""

    def hold(self) -> None:
        """Send nothing any more, and keep the connection open."""

    def close(self) -> None:
        """Close the connection in order."""

    def reset(self) -> None:
        """Break the connection off (RST)."""


Change = Callable[[Request, Response], Response]
Delivery = Callable[[Line, Response], None]


def whole(line: Line, answer: Response) -> None:
    """Send an answer as it should be sent."""
    line.send(answer.head() + answer.body)


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to go wrong."""

    name: str
    answer: Response | None = None
    """Instead of what the simulated AWS says."""
    change: Change | None = None
    """What becomes of what it says."""
    deliver: Delivery = whole

    def __str__(self) -> str:
        """Return the name."""
        return self.name


@dataclass(frozen=True, slots=True)
class Plan:
    """When a fault happens: to requests that fit, after `skip` of them, `times` times; None is until it is cleared."""

    fault: Fault
    operation: str | None = None
    product_id: str | None = None
    page: int | None = None
    key_id: str | None = None
    skip: int = 0
    times: int | None = 1

    def fits(self, request: Request) -> bool:
        """Say whether the plan is about a request."""
        wanted = (self.operation, self.product_id, self.page, self.key_id)
        found = (request.operation, request.product_id, request.page, request.key_id)
        return all(want is None or want == have for want, have in zip(wanted, found, strict=True))
