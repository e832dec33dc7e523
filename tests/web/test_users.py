"""The users of `basic_auth_users`."""

import asyncio
import base64
import threading
from collections.abc import Iterator

import bcrypt
import pytest

from monitor.web import users
from monitor.web.users import BusyError, Users


def basic(name: str, password: str) -> bytes:
    """Return the header that a client sends."""
    return b"Basic " + base64.b64encode(f"{name}:{password}".encode())


def hashed(password: str, prefix: str = "2b") -> str:
    """Return a cheap hash."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", f"${prefix}$")


class Checks:
    """bcrypt, counted, and held until `go` is set."""

    def __init__(self) -> None:
        """Let everything through at first."""
        self.hashes: list[bytes] = []
        self.at_once = self.most = 0
        self.go = threading.Event()
        self.go.set()
        self._lock = threading.Lock()
        self._check = bcrypt.checkpw

    def checkpw(self, password: bytes, digest: bytes) -> bool:
        """Check, and count how many checks there are at once."""
        with self._lock:
            self.hashes.append(digest)
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        self.go.wait(20)
        try:
            return self._check(password, digest)
        finally:
            with self._lock:
                self.at_once -= 1


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Checks]:
    """Count what bcrypt has to do."""
    found = Checks()
    monkeypatch.setattr(bcrypt, "checkpw", found.checkpw)
    yield found
    found.go.set()


def admitted(known: Users, *headers: bytes) -> list[bool]:
    """Say of each header whether it is let in."""

    async def run() -> list[bool]:
        return [await known.admit(header) for header in headers]

    return asyncio.run(run())


@pytest.mark.parametrize("prefix", ["2a", "2b", "2y"])
def test_the_right_password(prefix: str) -> None:
    """A user comes in with his password and nobody else's, whoever made the hash."""
    known = Users({"prometheus": hashed("secret", prefix), "zoë": hashed("pass:wörd", prefix)})
    right = [basic("prometheus", "secret"), basic("zoë", "pass:wörd")]
    wrong = [basic("prometheus", "pass:wörd"), basic("prometheus", ""), basic("nobody", "secret"), basic("", "")]
    assert admitted(known, *right, *wrong) == [True, True, False, False, False, False]


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Basic",
        b"Basic !!!!",
        b"Basic " + base64.b64encode(b"no colon"),
        b"Bearer " + base64.b64encode(b"a:secret"),
        b"Basic " + base64.b64encode(b"a:" + b"x" * 1000),
    ],
)
def test_what_is_no_password_costs_nothing(header: bytes, checks: Checks) -> None:
    """A header that is none of a user is refused without bcrypt."""
    assert admitted(Users({"a": hashed("secret")}), header) == [False]
    assert checks.hashes == []


def test_the_scheme_is_written_as_one_likes() -> None:
    """`basic` is as good as `Basic` (RFC 9110, section 11.1)."""
    assert admitted(Users({"a": hashed("secret")}), basic("a", "secret").replace(b"Basic", b"bASIC ")) == [True]


def test_a_long_password_counts_as_bcrypt_sees_it() -> None:
    """Where bcrypt ends, at 72 bytes, htpasswd and Go end as well: a longer password is no error."""
    known = Users({"a": hashed("x" * 72)})
    assert admitted(known, basic("a", "x" * 80), basic("a", "x" * 71), basic("a", "a\0b")) == [True, False, False]


def test_a_password_is_checked_once(checks: Checks) -> None:
    """What came out is stored, good or bad, for this user and this password only."""
    known = Users({"a": hashed("secret"), "b": hashed("secret")})
    right, wrong, other = basic("a", "secret"), basic("a", "wrong"), basic("b", "secret")
    assert admitted(known, right, right, wrong, wrong, other, right) == [True, True, False, False, True, True]
    assert len(checks.hashes) == 3


def test_wrong_passwords_do_not_push_out_right_ones(checks: Checks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever guesses costs those nothing who know; and what is stored is bounded."""
    monkeypatch.setattr(users, "REMEMBERED", 3)
    known = Users({"a": hashed("secret")})
    guesses = [basic("a", str(number)) for number in range(10)]
    assert admitted(known, basic("a", "secret"), *guesses, basic("a", "secret")) == [True, *[False] * 10, True]
    assert len(checks.hashes) == 11
    assert admitted(known, guesses[-1]) == [False]
    assert len(checks.hashes) == 11
    assert admitted(known, guesses[0]) == [False]
    assert len(checks.hashes) == 12


def test_a_name_that_does_not_exist_costs_as_much(checks: Checks) -> None:
    """Time does not tell which users there are: a stranger is checked at the highest cost of the users."""
    dear = bcrypt.hashpw(b"secret", bcrypt.gensalt(5)).decode()
    known = Users({"a": hashed("secret"), "b": dear})
    assert admitted(known, basic("nobody", "secret")) == [False]
    assert [digest[:7] for digest in checks.hashes] == [b"$2b$05$"]


def test_a_couple_of_checks_at_once_and_no_crowd(checks: Checks) -> None:
    """Two checks run, some wait, and one more is told to come again; who is known already does not wait."""
    known = Users({"a": hashed("secret")})
    assert admitted(known, basic("a", "secret")) == [True]
    checks.go.clear()

    async def run() -> list[bool]:
        guesses = [asyncio.create_task(known.admit(basic("a", str(n)))) for n in range(users.WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await known.admit(basic("a", "one more"))
        assert await known.admit(basic("a", "secret"))
        checks.go.set()
        return await asyncio.gather(*guesses)

    assert asyncio.run(run()) == [False] * users.WAITING
    assert checks.most == users.AT_ONCE
    assert admitted(known, basic("a", "one more")) == [False]


def test_the_same_password_twice_at_once_is_one_check(checks: Checks) -> None:
    """When a monitor starts anew, two Prometheus come with one password."""
    known = Users({"a": hashed("secret")})

    async def run() -> list[bool]:
        return await asyncio.gather(*(known.admit(basic("a", "secret")) for _ in range(8)))

    assert asyncio.run(run()) == [True] * 8
    assert len(checks.hashes) <= users.AT_ONCE
