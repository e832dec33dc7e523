"""What a request has to pass before it is answered."""

import asyncio
import base64

import bcrypt
import pytest

from monitor.web import users
from monitor.web.access import Access
from monitor.web.app import application
from monitor.web.guard import Guard
from monitor.web.limits import HEAD_BYTES, TARGET_BYTES
from tests.web.asking import answer, ask
from tests.web.certificates import WebFolder
from tests.web.serving import FakeBoard, FakeHealth

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
USERS = f"basic_auth_users: {{prometheus: {HASH}}}\n"
PASSWORD = {"Authorization": "Basic " + base64.b64encode(b"prometheus:secret").decode()}
WRONG = {"Authorization": "Basic " + base64.b64encode(b"prometheus:guessed").decode()}


def guarded(access: Access | None = None) -> Guard:
    """Return the whole site behind the guard."""
    return Guard(application(FakeBoard(), FakeHealth(), version="1.2.3"), access or Access())


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/" + "x" * (TARGET_BYTES - 1), {}, 404),
        ("/" + "x" * TARGET_BYTES, {}, 414),
        ("/metrics?" + "x" * TARGET_BYTES, {}, 414),
        ("/metrics", {"X": "x" * (HEAD_BYTES - 1)}, 200),
        ("/metrics", {"X": "x" * HEAD_BYTES}, 431),
        ("/metrics", {"Content-Length": "0"}, 200),
        ("/metrics", {"Content-Length": "1"}, 413),
        ("/metrics", {"Transfer-Encoding": "chunked"}, 413),
    ],
)
def test_what_is_too_large(path: str, headers: dict[str, str], status: int) -> None:
    """A long URL, many headers and any body are refused, and the connection ends: nobody reads the rest."""
    got = ask(guarded(), path, headers=headers)
    assert got.status == status
    assert got.headers.get("connection") == ("close" if status > 404 else None)


def test_a_password_is_asked_for(web: WebFolder) -> None:
    """Without the password of a user there is a 401 that says how to come in, on every path but the probes."""
    guard = guarded(Access(web.write(USERS)))
    refused = ask(guard)
    assert (refused.status, refused.body) == (401, b"who are you?\n")
    assert refused.headers["www-authenticate"] == 'Basic realm="stackset-monitor", charset="UTF-8"'
    for path in ("/metrics", "/", "/nowhere", "/livez/", "//livez"):
        assert [ask(guard, path).status, ask(guard, path, headers=WRONG).status] == [401, 401], path
    assert ask(guard, headers=PASSWORD).status == 200
    assert ask(guard, "/nowhere", headers=PASSWORD).status == 404


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_kubelet_has_no_password(path: str, web: WebFolder) -> None:
    """The probes are open, whatever is sent with them, and are not counted by the rate limit."""
    guard = guarded(Access(web.write(USERS + "rate_limit: {interval: 1h, burst: 1}")))
    for headers in ({}, WRONG, PASSWORD):
        assert ask(guard, path, headers=headers).body == b"ok\n"
    assert ask(guard, headers=PASSWORD).status == 200


def test_too_often(web: WebFolder) -> None:
    """Past the rate limit there is a 429, before any password is looked at."""
    guard = guarded(Access(web.write(USERS + "rate_limit: {interval: 1h, burst: 2}")))
    assert [ask(guard, headers=PASSWORD).status, ask(guard).status] == [200, 401]
    over = ask(guard, headers=PASSWORD)
    assert (over.status, over.headers["retry-after"], over.body) == (429, "1", b"too many requests\n")


def test_too_many_passwords_at_once(web: WebFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where too many passwords wait to be checked, one more request gets a 503."""
    monkeypatch.setattr(users, "WAITING", 1)
    guard = guarded(Access(web.write(USERS)))

    async def run() -> list[int]:
        return [got.status for got in await asyncio.gather(*(answer(guard, headers=WRONG) for _ in range(2)))]

    assert asyncio.run(run()) == [401, 503]


def test_headers_of_the_web_configuration(web: WebFolder) -> None:
    """`http_server_config.headers` are on every response, refusals included."""
    text = "http_server_config: {headers: {X-Frame-Options: deny, Strict-Transport-Security: max-age=60}}\n"
    guard = guarded(Access(web.write(text + USERS)))
    for got in (ask(guard), ask(guard, headers=PASSWORD), ask(guard, "/livez")):
        assert (got.headers["x-frame-options"], got.headers["strict-transport-security"]) == ("deny", "max-age=60")
