"""What every request has to pass before it is answered.

The probes `/livez` and `/readyz` ask for no password, since a kubelet cannot send one; they reveal nothing. But
they are under TLS like everything else, and where `client_auth_type` is RequireAndVerifyClientCert, a kubelet
does not get through: use a `tcpSocket` or `exec` probe there.
"""

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.web.access import Access, Entrance
from monitor.web.app import PROBES, header
from monitor.web.limits import HEAD_BYTES, TARGET_BYTES
from monitor.web.users import BusyError

CHALLENGE = {"WWW-Authenticate": 'Basic realm="stackset-monitor", charset="UTF-8"'}
CLOSE = {"Connection": "close"}


class Guard:
    """Refuses what is too large, too often or by nobody, and lets the rest through to an application."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """Guard an application by what the web configuration says at the moment of a request."""
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        entrance = self._access.now

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *entrance.headers]
            await send(message)

        refusal = _too_large(scope)
        if refusal is None and scope["path"] not in PROBES:
            refusal = await _not_welcome(scope, entrance)
        await (refusal or self._app)(scope, receive, send_with_headers)


def _too_large(scope: Scope) -> Response | None:
    """Refuse a long URL, many headers, and any body: nothing here reads one."""
    if len(scope["raw_path"]) + len(scope["query_string"]) > TARGET_BYTES:
        return PlainTextResponse("the URL is too long\n", 414, CLOSE)
    if sum(len(name) + len(value) for name, value in scope["headers"]) > HEAD_BYTES:
        return PlainTextResponse("the headers are too long\n", 431, CLOSE)
    if header(scope, b"transfer-encoding") or header(scope, b"content-length") not in ("", "0"):
        return PlainTextResponse("a request has no body here\n", 413, CLOSE)
    return None


async def _not_welcome(scope: Scope, entrance: Entrance) -> Response | None:
    if entrance.bucket is not None and not entrance.bucket.take():
        return PlainTextResponse("too many requests\n", 429, {"Retry-After": "1"})
    if entrance.users is None:
        return None
    try:
        admitted = await entrance.users.admit(header(scope, b"authorization").encode("latin-1"))
    except BusyError:
        return PlainTextResponse("too many passwords to check at once\n", 503, {"Retry-After": "1"})
    return None if admitted else PlainTextResponse("who are you?\n", 401, CHALLENGE)
