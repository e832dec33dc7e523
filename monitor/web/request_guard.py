"""ASGI middleware that refuses requests before the application sees them: size, rate, origin and password.

The probes `/livez` and `/readyz` require no password, since a kubelet cannot send one, and reveal nothing. They use TLS
like every other path: with `client_auth_type: RequireAndVerifyClientCert`, use a `tcpSocket` or `exec` probe.
"""

from email.utils import formatdate

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.web.basic_auth import BasicAuth, TooManyChecksError
from monitor.web.limits import HEADER_BYTES, URL_BYTES
from monitor.web.web_config import AccessPolicy, WebConfigReloader

PROBES = ("/livez", "/readyz")
SAFE_METHODS = ("GET", "HEAD")
CHALLENGE = {"WWW-Authenticate": 'Basic realm="stackset-monitor", charset="UTF-8"'}
CLOSE = {"Connection": "close"}
RETRY = {"Retry-After": "1"}


class RequestGuard:
    """Passes the requests that the access policy in force allows to an application."""

    def __init__(self, app: ASGIApp, web_config: WebConfigReloader) -> None:
        """Guard an application."""
        self._app = app
        self._web_config = web_config
        self._basic_auth = BasicAuth()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        policy = self._web_config.policy

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = formatdate(usegmt=True).encode()
                message["headers"] = [(b"date", date), *message["headers"], *policy.headers]
            await send(message)

        refusal = _malformed(scope) or _cross_site(scope)
        if refusal is None and scope["path"] not in PROBES:
            refusal = await self._refused(scope, policy)
        await (refusal or self._app)(scope, receive, send_with_headers)

    async def _refused(self, scope: Scope, policy: AccessPolicy) -> Response | None:
        if policy.rate_limit is not None and not policy.rate_limit.take():
            return _refusal(scope, 429, "Too Many Requests", RETRY)
        if not policy.users:
            return None
        client = scope.get("client")
        try:
            authorization = Headers(scope=scope).get("authorization", "").encode("latin-1")
            allowed = await self._basic_auth.allows(authorization, policy.users, client[0] if client else "")
        except TooManyChecksError:
            return _refusal(scope, 503, "Service Unavailable: too many passwords are being checked", RETRY)
        return None if allowed else _refusal(scope, 401, "Unauthorized", CHALLENGE)


def _malformed(scope: Scope) -> Response | None:
    """Refuse a long URL, long headers, and any body, since no path reads one. The rest of the request is not read."""
    if len(scope["raw_path"]) + len(scope["query_string"]) > URL_BYTES:
        return _refusal(scope, 414, "URI Too Long", CLOSE)
    if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_BYTES:
        return _refusal(scope, 431, "Request Header Fields Too Large", CLOSE)
    headers = Headers(scope=scope)
    if "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
        return _refusal(scope, 413, "Content Too Large: a request has no body here", CLOSE)
    return None


def _cross_site(scope: Scope) -> Response | None:
    """Refuse a request of a web page that would change something.

    A browser adds stored credentials to the requests of any page. It sends `Origin` with each POST (Fetch standard,
    section 3.2), also after DNS rebinding, where `Host` and origin agree. curl and the config-reloader do not send it.
    Firefox before 70 sends no `Origin` with a form, but like every browser the languages of its user, which a page
    cannot remove; `*` is what fetch of Node.js sends.
    """
    if scope["method"] in SAFE_METHODS:
        return None
    headers = Headers(scope=scope)
    if not ("origin" in headers or "sec-fetch-site" in headers or headers.get("accept-language", "*") != "*"):
        return None
    return _refusal(scope, 403, "Forbidden: web pages may not do this; use curl -X POST", CLOSE)


def _refusal(scope: Scope, status: int, text: str, headers: dict[str, str]) -> Response:
    """Return an error as the requested path returns others."""
    if scope["path"].startswith("/api/"):
        return JSONResponse({"error": text}, status, headers)
    return PlainTextResponse(f"{status} {text}\n", status, headers)
