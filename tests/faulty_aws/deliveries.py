"""Ways to send a response that HTTP does not allow, or that take too long. Each is a `Delivery`."""

from tests.faulty_aws.exchange import ClientConnection, Delivery, Response

_MUCH = b" " * 65536
_MANY = 4096


def drip(interval: float, *, headers: bool, length: bool) -> Delivery:
    """Return a delivery of one byte each `interval` seconds.

    Without `headers`, the headers are sent at once. Without `length`, the end of the connection ends the body.
    """

    def deliver(connection: ClientConnection, response: Response) -> None:
        head = response.head() if length else response.head("Connection: close")
        at_once, slowly = (b"", head + response.body) if headers else (head, response.body)
        connection.send(at_once)
        for place in range(len(slowly)):
            connection.send(slowly[place : place + 1])
            connection.pause(interval)
        if not length:
            connection.close()

    return deliver


def delay(seconds: float) -> Delivery:
    """Return a delivery of a correct response after some time."""

    def deliver(connection: ClientConnection, response: Response) -> None:
        connection.pause(seconds)
        connection.send(response.head() + response.body)

    return deliver


def nothing(connection: ClientConnection, _: Response) -> None:
    """Send nothing and keep the connection open."""
    connection.hold()


def headers_only(connection: ClientConnection, response: Response) -> None:
    """Send the headers, then nothing."""
    connection.send(response.head())
    connection.hold()


def half_a_body(connection: ClientConnection, response: Response) -> None:
    """Send half of the body, then nothing."""
    connection.send(response.head() + response.body[: len(response.body) // 2])
    connection.hold()


def truncated_body(connection: ClientConnection, response: Response) -> None:
    """Close the connection after half of the body."""
    connection.send(response.head() + response.body[: len(response.body) // 2])
    connection.close()


def one_byte_missing(connection: ClientConnection, response: Response) -> None:
    """Close the connection one byte before the announced end."""
    connection.send(response.head(f"Content-Length: {len(response.body) + 1}") + response.body)
    connection.close()


def truncated_chunk(connection: ClientConnection, response: Response) -> None:
    """Close the connection within a chunk."""
    chunk = f"{len(response.body):x}\r\n".encode() + response.body[: len(response.body) // 2]
    connection.send(response.head("Transfer-Encoding: chunked") + chunk)
    connection.close()


def truncated_headers(connection: ClientConnection, response: Response) -> None:
    """Close the connection within the headers."""
    connection.send(response.head()[:40])
    connection.close()


def closed(connection: ClientConnection, _: Response) -> None:
    """Close the connection instead of a response."""
    connection.close()


def reset(connection: ClientConnection, _: Response) -> None:
    """Reset the connection instead of a response."""
    connection.reset()


def reset_in_body(connection: ClientConnection, response: Response) -> None:
    """Reset the connection after half of the body."""
    connection.send(response.head() + response.body[: len(response.body) // 2])
    connection.pause(0.02)  # what was sent is lost with a reset that comes too soon after it
    connection.reset()


def not_http(connection: ClientConnection, _: Response) -> None:
    """Send the greeting of a mail server."""
    connection.send(b"220 mail.example.org ESMTP\r\n")
    connection.close()


def invalid_chunk(connection: ClientConnection, response: Response) -> None:
    """Send a chunk without a valid length."""
    connection.send(response.head("Transfer-Encoding: chunked") + b"no length\r\n" + response.body)
    connection.close()


def endless_body(connection: ClientConnection, response: Response) -> None:
    """Send a body that never ends, as fast as the client reads."""
    connection.send(response.head("Connection: close") + response.body)
    while True:
        connection.send(_MUCH)


def endless_chunks(connection: ClientConnection, response: Response) -> None:
    """Send chunks that never end."""
    connection.send(response.head("Transfer-Encoding: chunked"))
    while True:
        connection.send(f"{len(_MUCH):x}\r\n".encode() + _MUCH + b"\r\n")


def endless_headers(connection: ClientConnection, response: Response) -> None:
    """Send headers that never end."""
    connection.send(response.head().removesuffix(b"\r\n"))
    while True:
        connection.send(b"X-More: and more\r\n" * _MANY)


def endless_continues(connection: ClientConnection, _: Response) -> None:
    """Send 100 Continue forever."""
    while True:
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n" * _MANY)


def huge_length(connection: ClientConnection, response: Response) -> None:
    """Announce 4 EiB and send forever."""
    connection.send(response.head(f"Content-Length: {1 << 62}") + response.body)
    while True:
        connection.send(_MUCH)
