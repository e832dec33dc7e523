"""Requests to an ASGI application without a server."""

import asyncio
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.web.served import Answer


def request(
    app: ASGIApp, path: str = "/metrics", method: str = "GET", headers: Mapping[str, str] | None = None
) -> Answer:
    """Return the answer to one request."""
    return asyncio.run(answer(app, path, method, headers))


async def answer(
    app: ASGIApp,
    path: str = "/metrics",
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    client: str = "192.0.2.1",
) -> Answer:
    """Return the same inside an event loop."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope(path, method, headers, client), receive, send)
    start, *body = sent
    fields = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], fields, b"".join(message["body"] for message in body))


def scope(
    path: str = "/metrics", method: str = "GET", headers: Mapping[str, str] | None = None, client: str = "192.0.2.1"
) -> Scope:
    """Return what a server passes to an application."""
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "client": (client, 40000),
    }


async def empty(_: Scope, __: Receive, send: Send) -> None:
    """Answer with an empty body."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
