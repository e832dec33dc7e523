"""HTTP basic authentication: right and wrong passwords, their cost, and floods of guesses."""

import asyncio
import base64
import threading
from collections.abc import Iterator, Mapping

import bcrypt
import pytest

from monitor.web import basic_auth
from monitor.web.basic_auth import QUEUED_PER_CLIENT, BasicAuth, TooManyChecksError

CLIENT, OTHER_CLIENT = "192.0.2.1", "192.0.2.2"
Users = Mapping[bytes, bytes]


def header(name: str, password: str) -> bytes:
    """Return the `Authorization` header of a client."""
    return b"Basic " + base64.b64encode(f"{name}:{password}".encode())


def hashed(password: str, prefix: str = "2b", cost: int = 4) -> bytes:
    """Return a hash of the lowest cost."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).replace(b"$2b$", f"${prefix}$".encode())


class Checks:
    """The calls of bcrypt, which wait until `go` is set."""

    def __init__(self) -> None:
        """Let every call through at first."""
        self.hashes: list[bytes] = []
        self.running = self.most = 0
        self.entered = threading.Semaphore(0)
        self.go = threading.Event()
        self.go.set()
        self._lock = threading.Lock()
        self._checkpw = bcrypt.checkpw

    def work(self) -> int:
        """Return the work of all calls so far: twice as much for each step of the cost."""
        return sum(1 << int(digest.split(b"$")[2]) for digest in self.hashes)

    def checkpw(self, password: bytes, digest: bytes) -> bool:
        """Check a password."""
        with self._lock:
            self.hashes.append(digest)
            self.running += 1
            self.most = max(self.most, self.running)
        self.entered.release()
        self.go.wait(20)
        try:
            return self._checkpw(password, digest)
        finally:
            with self._lock:
                self.running -= 1


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Checks]:
    """Count what bcrypt has to do."""
    found = Checks()
    monkeypatch.setattr(bcrypt, "checkpw", found.checkpw)
    yield found
    found.go.set()


def allowed(auth: BasicAuth, users: Users, *headers: bytes) -> list[bool]:
    """Return for each header whether it is allowed."""

    async def run() -> list[bool]:
        return [await auth.allows(header, users, CLIENT) for header in headers]

    return asyncio.run(run())


@pytest.mark.parametrize("prefix", ["2a", "2b", "2y"])
def test_a_password_is_right_for_its_user_only(prefix: str) -> None:
    """The hashes of htpasswd, Go and Python are accepted, for names and passwords beyond ASCII, too."""
    users = {b"prometheus": hashed("secret", prefix), "zoë".encode(): hashed("pass:wörd", prefix)}
    right = [header("prometheus", "secret"), header("zoë", "pass:wörd")]
    wrong = [header("prometheus", "pass:wörd"), header("prometheus", ""), header("nobody", "secret"), header("", "")]
    assert allowed(BasicAuth(), users, *right, *wrong) == [True, True, False, False, False, False]


@pytest.mark.parametrize(
    "malformed",
    [
        b"",
        b"Basic",
        b"Basic !!!!",
        b"Basic " + base64.b64encode(b"no colon"),
        b"Bearer " + base64.b64encode(b"a:secret"),
        b"Basic " + base64.b64encode(b"a:" + b"x" * 1000),
    ],
)
def test_a_malformed_header_is_refused_without_bcrypt(malformed: bytes, checks: Checks) -> None:
    """A header without name and password costs nothing."""
    assert allowed(BasicAuth(), {b"a": hashed("secret")}, malformed) == [False]
    assert checks.hashes == []


def test_the_scheme_is_case_insensitive() -> None:
    """`basic` is the same as `Basic` (RFC 9110, section 11.1)."""
    known = header("a", "secret").replace(b"Basic", b"bASIC ")
    assert allowed(BasicAuth(), {b"a": hashed("secret")}, known) == [True]


def test_a_long_password_is_compared_as_bcrypt_does() -> None:
    """Only 72 bytes of a password count in bcrypt; htpasswd and Go ignore the rest as well."""
    headers = [header("a", "x" * 80), header("a", "x" * 71), header("a", "a\0b")]
    assert allowed(BasicAuth(), {b"a": hashed("x" * 72)}, *headers) == [True, False, False]


def test_a_password_is_checked_once(checks: Checks) -> None:
    """A result, right or wrong, is remembered for its user and password."""
    users = {b"a": hashed("secret"), b"b": hashed("secret")}
    right, wrong, other = header("a", "secret"), header("a", "wrong"), header("b", "secret")
    asked = [right, right, wrong, wrong, other, right]
    assert allowed(BasicAuth(), users, *asked) == [True, True, False, False, True, True]
    assert len(checks.hashes) == 3


def test_wrong_passwords_do_not_displace_right_ones(checks: Checks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory for results is bounded, separately for right and wrong passwords."""
    monkeypatch.setattr(basic_auth, "REMEMBERED", 3)
    auth, users = BasicAuth(), {b"a": hashed("secret")}
    guesses = [header("a", str(number)) for number in range(10)]
    assert allowed(auth, users, header("a", "secret"), *guesses, header("a", "secret")) == [True, *[False] * 10, True]
    assert len(checks.hashes) == 11
    assert allowed(auth, users, guesses[-1]) == [False]
    assert len(checks.hashes) == 11
    assert allowed(auth, users, guesses[0]) == [False]
    assert len(checks.hashes) == 12


@pytest.mark.parametrize("name", ["cheap", "dear", "nobody"])
def test_a_wrong_password_costs_the_same_for_every_name(name: str, checks: Checks) -> None:
    """The time of a refusal does not reveal which users exist, whatever the costs of their hashes."""
    users = {b"cheap": hashed("secret"), b"dear": hashed("secret", cost=7)}
    assert allowed(BasicAuth(), users, header(name, "wrong")) == [False]
    assert checks.work() == 1 << 7


def test_a_result_outlives_a_new_web_configuration(checks: Checks) -> None:
    """A right password needs no check as long as the user's hash is the same; a removed user is refused."""
    auth, digest = BasicAuth(), hashed("secret")
    password = header("a", "secret")
    assert allowed(auth, {b"a": digest}, password) == [True]
    assert allowed(auth, {b"a": digest, b"b": hashed("other")}, password) == [True]
    assert len(checks.hashes) == 1
    assert allowed(auth, {b"b": hashed("other")}, password, password) == [False, False]
    assert allowed(auth, {b"a": hashed("changed")}, password) == [False]
    assert allowed(auth, {b"a": digest}, password) == [True]


def test_a_flood_of_guesses_does_not_lock_a_known_client_out(checks: Checks) -> None:
    """While guesses fill their queue, a password that was right before is checked against its user's new hash."""
    auth = BasicAuth()
    password = header("a", "secret")
    assert allowed(auth, {b"a": hashed("secret")}, password) == [True]
    users = {b"a": hashed("secret")}

    async def run() -> list[bool]:
        checks.go.clear()
        checks.entered = threading.Semaphore(0)
        guesses = [
            asyncio.create_task(auth.allows(header("a", str(n)), users, CLIENT)) for n in range(QUEUED_PER_CLIENT)
        ]
        await asyncio.sleep(0)
        with pytest.raises(TooManyChecksError):
            await auth.allows(header("a", "one more"), users, CLIENT)
        known = asyncio.create_task(auth.allows(password, users, CLIENT))
        other = asyncio.create_task(auth.allows(header("a", "guess"), users, OTHER_CLIENT))
        for _ in range(2):
            assert await asyncio.to_thread(checks.entered.acquire, timeout=20)
        checks.go.set()
        assert await known
        return await asyncio.gather(*guesses, other)

    assert asyncio.run(run()) == [False] * (QUEUED_PER_CLIENT + 1)
    assert checks.most == 2
    assert allowed(auth, users, header("a", "one more")) == [False]


def test_many_clients_cannot_fill_the_memory(checks: Checks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue of guesses is bounded for all clients together, and empty afterwards."""
    monkeypatch.setattr(basic_auth, "QUEUED", 2)
    auth, users = BasicAuth(), {b"a": hashed("secret")}

    async def run() -> None:
        checks.go.clear()
        guesses = [asyncio.create_task(auth.allows(header("a", str(n)), users, str(n))) for n in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyChecksError):
            await auth.allows(header("a", "one more"), users, "third")
        checks.go.set()
        await asyncio.gather(*guesses)

    asyncio.run(run())
    assert not auth._queued


def test_one_password_at_once_is_one_check(checks: Checks) -> None:
    """After a start, two Prometheus servers send the same password at the same time."""
    auth, users = BasicAuth(), {b"a": hashed("secret")}

    async def run() -> list[bool]:
        return await asyncio.gather(*(auth.allows(header("a", "secret"), users, CLIENT) for _ in range(8)))

    assert asyncio.run(run()) == [True] * 8
    assert len(checks.hashes) == 1
