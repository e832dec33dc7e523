"""Requests that are refused before the application sees them."""

import asyncio
import base64
from pathlib import Path

import bcrypt
import pytest

from monitor.web import basic_auth
from monitor.web.app import application
from monitor.web.limits import HEADER_BYTES, URL_BYTES
from monitor.web.request_guard import RequestGuard
from monitor.web.web_config import WebConfigReloader
from tests.web.asgi import answer, request
from tests.web.certificates import WebFolder
from tests.web.fake_views import FakeViews
from tests.web.served import FakeHealth, FakeMetrics

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
USERS = f"basic_auth_users: {{prometheus: {HASH}}}\n"
PASSWORD = {"Authorization": "Basic " + base64.b64encode(b"prometheus:secret").decode()}
WRONG = {"Authorization": "Basic " + base64.b64encode(b"prometheus:guessed").decode()}


def guarded(path: Path | None = None) -> RequestGuard:
    """Return the web application behind the guard."""
    app = application(FakeMetrics(), FakeHealth(), FakeViews(), version="1.2.3", reload=lambda: None)
    return RequestGuard(app, WebConfigReloader(path))


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/" + "x" * (URL_BYTES - 1), {}, 404),
        ("/" + "x" * URL_BYTES, {}, 414),
        ("/metrics?" + "x" * URL_BYTES, {}, 414),
        ("/metrics", {"X": "x" * (HEADER_BYTES - 1)}, 200),
        ("/metrics", {"X": "x" * HEADER_BYTES}, 431),
        ("/metrics", {"Content-Length": "0"}, 200),
        ("/metrics", {"Content-Length": "1"}, 413),
        ("/metrics", {"Transfer-Encoding": "chunked"}, 413),
    ],
)
def test_large_requests_are_refused(path: str, headers: dict[str, str], status: int) -> None:
    """A long URL, long headers and any body are refused, and the connection ends, since the rest is not read."""
    got = request(guarded(), path, headers=headers)
    assert got.status == status
    assert got.headers.get("connection") == ("close" if status > 404 else None)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.org"},
        {"Origin": "null"},
        {"Origin": "http://monitor.example:9935", "Host": "monitor.example:9935"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Accept-Language": "en-US,en;q=0.5", "Content-Type": "application/x-www-form-urlencoded"},
    ],
)
def test_a_web_page_cannot_reload(headers: dict[str, str], web: WebFolder) -> None:
    """A POST by a browser is refused, even with stored credentials."""
    guard = guarded(web.write(USERS))
    got = request(guard, "/-/reload", "POST", {**headers, **PASSWORD})
    assert (got.status, got.body) == (403, b"403 Forbidden: web pages may not do this; use curl -X POST\n")
    assert request(guard, "/", "GET", {**headers, **PASSWORD}).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "*/*", "User-Agent": "curl/8.5.0"},
        {"Content-Length": "0", "Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Length": "0", "User-Agent": "Go-http-client/1.1", "Accept-Encoding": "gzip"},
        {"Accept-Language": "*", "Sec-Fetch-Mode": "cors", "User-Agent": "node"},
    ],
    ids=["curl -X POST", "curl -d ''", "config-reloader", "Node.js"],
)
def test_a_program_can_reload(headers: dict[str, str], web: WebFolder) -> None:
    """What is no browser needs the password only."""
    assert request(guarded(web.write(USERS)), "/-/reload", "POST", {**headers, **PASSWORD}).body == b"reloaded\n"


def test_a_password_is_required(web: WebFolder) -> None:
    """Without the password of a user, every path but the probes answers 401 and asks for one."""
    guard = guarded(web.write(USERS))
    refused = request(guard)
    assert (refused.status, refused.body) == (401, b"401 Unauthorized\n")
    assert refused.headers["www-authenticate"] == 'Basic realm="stackset-monitor", charset="UTF-8"'
    for path in ("/metrics", "/", "/nowhere", "/livez/", "//livez"):
        assert [request(guard, path).status, request(guard, path, headers=WRONG).status] == [401, 401], path
    assert request(guard, headers=PASSWORD).status == 200
    assert request(guard, "/nowhere", headers=PASSWORD).status == 404


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_the_probes_require_no_password(path: str, web: WebFolder) -> None:
    """The probes answer whatever credentials are sent, and do not count towards the rate limit."""
    guard = guarded(web.write(USERS + "rate_limit: {interval: 1h, burst: 1}"))
    for headers in ({}, WRONG, PASSWORD):
        assert request(guard, path, headers=headers).body == b"ok\n"
    assert request(guard, headers=PASSWORD).status == 200


def test_the_rate_limit(web: WebFolder) -> None:
    """Above the rate limit a request is answered with 429, and its password is not checked."""
    guard = guarded(web.write(USERS + "rate_limit: {interval: 1h, burst: 2}"))
    assert [request(guard, headers=PASSWORD).status, request(guard).status] == [200, 401]
    over = request(guard, headers=PASSWORD)
    assert (over.status, over.headers["retry-after"], over.body) == (429, "1", b"429 Too Many Requests\n")


def test_too_many_passwords_at_once(web: WebFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """If too many passwords of one client wait to be checked, the next one is answered with 503; other clients wait."""
    monkeypatch.setattr(basic_auth, "QUEUED_PER_CLIENT", 1)
    guard = guarded(web.write(USERS))

    async def run() -> list[int]:
        clients = ("192.0.2.1", "192.0.2.1", "192.0.2.2")
        answers = await asyncio.gather(*(answer(guard, headers=WRONG, client=client) for client in clients))
        return [got.status for got in answers]

    assert asyncio.run(run()) == [401, 503, 401]


def test_the_headers_of_the_web_configuration(web: WebFolder) -> None:
    """`http_server_config.headers` are part of every response, including refusals."""
    text = "http_server_config: {headers: {X-Frame-Options: deny, Strict-Transport-Security: max-age=60}}\n"
    guard = guarded(web.write(text + USERS))
    for got in (request(guard), request(guard, headers=PASSWORD), request(guard, "/livez")):
        assert (got.headers["x-frame-options"], got.headers["strict-transport-security"]) == ("deny", "max-age=60")
