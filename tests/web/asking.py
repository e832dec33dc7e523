"""An ASGI application asked without a server."""

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.web.serving import Answer


def ask(app: ASGIApp, path: str = "/metrics", method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
    """Return the answer to one request."""
    return asyncio.run(answer(app, path, method, headers))


async def answer(
    app: ASGIApp, path: str = "/metrics", method: str = "GET", headers: Mapping[str, str] | None = None
) -> Answer:
    """Return the same where an event loop runs already."""
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    way, _, query = path.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": way,
        "raw_path": way.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
    }
    await app(scope, receive, send)
    start, *body = sent
    fields = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], fields, b"".join(message["body"] for message in body))


async def nothing(_: Scope, __: Receive, send: Send) -> None:
    """Be an application that answers with nothing."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
