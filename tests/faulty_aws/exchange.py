"""Requests and responses as bytes, and the faults that a test plans between them. Frozen values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

JSON = "application/x-amz-json-1.1"


@dataclass(frozen=True, slots=True)
class Request:
    """One request that the server received."""

    operation: str
    """The name of the API operation; `GET /path` for other requests."""
    product_id: str | None = None
    token: str | None = None
    page: int = 1
    """The number of the requested page, derived from the tokens of earlier responses."""
    key_id: str | None = None
    """The access key id of the signature."""
    region: str | None = None
    """The Region of the signature."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """One response."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON

    def head(self, *more: str) -> bytes:
        """Return the status line and the headers; `more` replaces the header with the length of the body."""
        ends = more or (f"Content-Length: {len(self.body)}",)
        lines = (f"HTTP/1.1 {self.status} Simulated", f"Content-Type: {self.content_type}", *ends, "", "")
        return "\r\n".join(lines).encode()


class ClientConnection(Protocol):
    """The connection to the client. Every method raises `OSError` once the client closed it or the server stopped."""

    def send(self, data: bytes) -> None:
        """Send bytes."""

    def pause(self, seconds: float) -> None:
        """Send nothing for some seconds."""

    def hold(self) -> None:
        """Send nothing and keep the connection open."""

    def close(self) -> None:
        """Close the connection."""

    def reset(self) -> None:
        """Reset the connection (RST)."""


Change = Callable[[Request, Response], Response]
Delivery = Callable[[ClientConnection, Response], None]


def send_whole(connection: ClientConnection, response: Response) -> None:
    """Send a response correctly."""
    connection.send(response.head() + response.body)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault."""

    name: str
    response: Response | None = None
    """The response, in place of that of the simulated AWS."""
    change: Change | None = None
    """Changes the response of the simulated AWS."""
    deliver: Delivery = send_whole

    def __str__(self) -> str:
        """Return the name."""
        return self.name


@dataclass(frozen=True, slots=True)
class Plan:
    """When a fault happens: to matching requests, after the first `skip`, `times` times (None: until it is cleared)."""

    fault: Fault
    operation: str | None = None
    product_id: str | None = None
    page: int | None = None
    key_id: str | None = None
    skip: int = 0
    times: int | None = 1

    def matches(self, request: Request) -> bool:
        """Return whether the plan applies to a request."""
        wanted = (self.operation, self.product_id, self.page, self.key_id)
        found = (request.operation, request.product_id, request.page, request.key_id)
        return all(want is None or want == have for want, have in zip(wanted, found, strict=True))
