"""The credential cache: renewal, failures of it, and waits."""

import logging
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.credentials import Credentials, DeferredRefreshableCredentials, RefreshableCredentials
from botocore.exceptions import ClientError, CredentialRetrievalError, EndpointConnectionError

from monitor.aws.background import deadline_scope
from monitor.aws.credentials import FETCH_SECONDS, GET_CREDENTIALS, CredentialCache
from monitor.aws.errors import Fault, NoCredentialsFoundError
from monitor.aws.roles import Role
from monitor.model.deadline import Deadline
from monitor.model.errors import PollCancelledError, PollFailedError, Reason
from tests.support import Observer, until

BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MINUTE = 60.0
HOUR = 3600.0
UNREACHABLE = EndpointConnectionError(endpoint_url="https://sts.eu-west-1.amazonaws.com/")
NOT_REACHED = Fault(
    Reason.CREDENTIALS,
    "EndpointConnectionError",
    'no credentials: Could not connect to the endpoint URL: "https://sts.eu-west-1.amazonaws.com/"',
    passing=True,
)


NO_ANSWER = Fault(
    Reason.CREDENTIALS, "DeadlineExceeded", "no credentials: there was no answer within 60 s", passing=False
)


@dataclass
class World:
    """A clock, and an STS that returns `key-1`, `key-2` and so on, each valid for an hour, or fails."""

    passed: float = 0.0
    failure: Exception | None = None
    silence: threading.Event | None = None
    issued: int = 0
    tries: int = 0
    sessions: int = 0
    observer: Observer = field(default_factory=Observer)

    def now(self) -> datetime:
        """Return the time."""
        return BEGIN + timedelta(seconds=self.passed)

    def issue(self) -> dict[str, str]:
        """Return new credentials, as botocore expects them of a refresh."""
        self.tries += 1
        if self.silence is not None:
            assert self.silence.wait(30)
        if self.failure is not None:
            raise self.failure
        self.issued += 1
        return {
            "access_key": f"key-{self.issued}",
            "secret_key": "secret",
            "token": "token",
            "expiry_time": (self.now() + timedelta(seconds=HOUR)).isoformat(),
        }

    def get_credentials(self) -> RefreshableCredentials:
        """Find credentials as a session of botocore does, by the clock of the test."""
        first = self.issue()
        return RefreshableCredentials(
            first["access_key"],
            first["secret_key"],
            first["token"],
            self.now() + timedelta(seconds=HOUR),
            self.issue,
            "assume-role",
            time_fetcher=self.now,
        )

    def session(self) -> Any:
        """Make a session of botocore."""
        self.sessions += 1
        return self


@pytest.fixture
def world() -> World:
    """Return a world without failures."""
    return World()


@pytest.fixture
def cache(world: World) -> CredentialCache:
    """Return an empty cache."""
    return CredentialCache(lambda: world.session().get_credentials(), world.observer, lambda: world.passed)


def key(cache: CredentialCache, seconds: float = 10.0) -> str:
    """Return the access key that a request would be signed with."""
    with deadline_scope(Deadline(seconds)):
        return str(cache.get_frozen_credentials().access_key)


def fault(cache: CredentialCache) -> Fault:
    """Return why there are no credentials."""
    with pytest.raises(NoCredentialsFoundError) as caught:
        key(cache)
    return caught.value.fault


def idle(cache: CredentialCache) -> bool:
    """Return whether no attempt is running."""
    return cache._fetch.done()


def test_credentials_are_found_once(cache: CredentialCache, world: World) -> None:
    """The first request waits for them; STS is not called again for 45 minutes."""
    assert cache.held is None
    assert [key(cache) for _ in range(3)] == ["key-1"] * 3
    world.passed = 44 * MINUTE
    assert key(cache) == "key-1"
    assert (world.sessions, world.tries) == (1, 1)
    assert cache.held is not None


def test_credentials_are_renewed_in_the_background(cache: CredentialCache, world: World) -> None:
    """This begins 15 minutes before their end. One thread waits for STS, and no request."""
    key(cache)
    world.passed = 46 * MINUTE
    world.silence = threading.Event()
    assert [key(cache) for _ in range(20)] == ["key-1"] * 20
    until(lambda: world.tries == 2)
    assert [thread.name for thread in threading.enumerate()].count("aws-background") == 1
    world.silence.set()
    until(lambda: idle(cache))
    assert key(cache) == "key-2"
    assert (world.sessions, world.tries) == (2, 2)


@pytest.mark.parametrize("minutes", [46, 51, 59])
def test_valid_credentials_are_used_while_sts_is_down(minutes: int, cache: CredentialCache, world: World) -> None:
    """Botocore alone fails in the last ten minutes, as the second half shows."""
    key(cache)
    world.passed = minutes * MINUTE
    world.failure = UNREACHABLE
    assert key(cache) == "key-1"
    until(lambda: idle(cache))
    assert key(cache) == "key-1"
    own = World(passed=0.0)
    credentials = own.get_credentials()
    own.passed, own.failure = minutes * MINUTE, UNREACHABLE
    if minutes > 50:
        with pytest.raises(EndpointConnectionError):
            credentials.get_frozen_credentials()
    else:
        assert credentials.get_frozen_credentials().access_key == "key-1"


def test_a_failed_renewal_is_counted_and_retried_later(cache: CredentialCache, world: World) -> None:
    """It is not retried with each request."""
    key(cache)
    world.passed = 55 * MINUTE
    world.failure = UNREACHABLE
    for _ in range(5):
        key(cache)
        until(lambda: idle(cache))
    assert world.tries == 2
    world.passed += FETCH_SECONDS
    key(cache)
    until(lambda: idle(cache))
    assert world.tries == 3
    assert world.observer.errors == {(GET_CREDENTIALS, "EndpointConnectionError"): 2}
    world.failure = None
    world.passed += FETCH_SECONDS
    key(cache)
    until(lambda: idle(cache))
    assert key(cache) == "key-2"


def test_expired_credentials_are_not_used(cache: CredentialCache, world: World) -> None:
    """Each request calls STS and fails with its error until STS recovers."""
    key(cache)
    world.passed = HOUR + 1
    world.failure = UNREACHABLE
    assert [fault(cache) for _ in range(2)] == [NOT_REACHED] * 2
    assert world.tries == 3
    world.failure = None
    assert key(cache) == "key-2"


def test_a_poll_waits_for_its_first_credentials_no_longer_than_its_deadline(
    cache: CredentialCache, world: World
) -> None:
    """A stop ends the wait, too, and the next poll uses the late result."""
    world.silence = threading.Event()
    with pytest.raises(PollFailedError, match=r"the poll was not complete after 0\.05 s"):
        key(cache, 0.05)
    deadline = Deadline(30.0)
    threading.Timer(0.05, deadline.cancel).start()
    with deadline_scope(deadline), pytest.raises(PollCancelledError):
        cache.get_frozen_credentials()
    assert world.tries == 1
    world.silence.set()
    assert key(cache) == "key-1"


def test_many_polls_wait_for_the_same_credentials(cache: CredentialCache, world: World) -> None:
    """STS is called once."""
    world.silence = threading.Event()
    keys: list[str] = []
    threads = [threading.Thread(target=lambda: keys.append(key(cache))) for _ in range(16)]
    for thread in threads:
        thread.start()
    until(lambda: world.tries == 1)
    world.silence.set()
    for thread in threads:
        thread.join(10)
    assert keys == ["key-1"] * 16
    assert world.tries == 1


def test_an_attempt_that_hangs_is_given_up_and_made_again(cache: CredentialCache, world: World) -> None:
    """A `credential_process` may hang forever; the time between two attempts doubles with each that hangs."""
    hanging = world.silence = threading.Event()
    with pytest.raises(PollFailedError):
        key(cache, 0.01)
    for attempts in (1, 2, 3):
        assert world.tries == attempts
        world.passed += FETCH_SECONDS * 2 ** (attempts - 1) - 0.01
        assert fault(cache) == NO_ANSWER
        assert world.tries == attempts
        world.passed += 0.01
        with pytest.raises(PollFailedError):
            key(cache, 0.01)
        until(lambda: world.tries == attempts + 1)  # noqa: B023 - it is called in this iteration
    assert world.observer.errors == {(GET_CREDENTIALS, "DeadlineExceeded"): 3}
    world.passed += FETCH_SECONDS
    world.silence = None
    hanging.set()
    until(cache._fetch.done)
    assert key(cache).startswith("key-")


def test_valid_credentials_are_used_while_an_attempt_hangs(cache: CredentialCache, world: World) -> None:
    """The next attempt may bring new ones."""
    key(cache)
    world.passed = 46 * MINUTE
    hanging = world.silence = threading.Event()
    assert key(cache) == "key-1"
    until(lambda: world.tries == 2)
    world.silence = None
    world.passed += FETCH_SECONDS
    assert key(cache) == "key-1"  # the attempt is given up, and the next one begins
    until(lambda: idle(cache))
    assert key(cache) == "key-2"
    hanging.set()


def test_a_poll_that_waits_for_an_attempt_that_hangs_gives_up_with_it(
    cache: CredentialCache, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait until its own deadline."""
    monkeypatch.setattr("monitor.aws.credentials.FETCH_SECONDS", 0.05)
    world.silence = threading.Event()
    assert fault(cache) == NO_ANSWER
    world.silence.set()


def test_a_role_is_not_blamed_for_base_credentials_that_hang(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is the same as without a role."""
    monkeypatch.setattr("monitor.aws.credentials.FETCH_SECONDS", 0.05)
    silence = world.silence = threading.Event()
    base = CredentialCache(world.get_credentials, world.observer)
    role = Role("arn:aws:iam::111122223333:role/monitor", None, None, base, lambda *_, **__: None)
    assert fault(CredentialCache(role.assume, world.observer)) == NO_ANSWER
    silence.set()


def test_forgotten_credentials_are_found_again_in_a_new_session(cache: CredentialCache, world: World) -> None:
    """The new session reads the environment and files again."""
    key(cache)
    cache.forget(cache.held)
    assert cache.held is None
    assert key(cache) == "key-2"
    assert world.sessions == 2


def test_credentials_that_are_not_held_any_more_cannot_be_forgotten(cache: CredentialCache, world: World) -> None:
    """If several polls fail with the same credentials, only the first one forgets them."""
    key(cache)
    old = cache.held
    cache.forget(old)
    key(cache)
    cache.forget(old)
    assert key(cache) == "key-2"
    assert world.sessions == 2


def test_a_running_renewal_does_not_restore_forgotten_credentials(cache: CredentialCache, world: World) -> None:
    """The next request finds them again."""
    key(cache)
    world.passed = 46 * MINUTE
    world.silence = threading.Event()
    key(cache)
    until(lambda: world.tries == 2)
    cache.forget(cache.held)
    world.silence.set()
    until(lambda: idle(cache))
    assert cache.held is None
    assert key(cache) == "key-3"


def test_credentials_without_an_expiry_are_not_renewed(world: World) -> None:
    """Static keys are used until AWS does not accept them."""
    static = Credentials("key", "secret")

    class Session:
        def get_credentials(self) -> Credentials:
            return static

    cache = CredentialCache(Session().get_credentials, world.observer, lambda: world.passed)
    assert key(cache) == "key"
    world.passed = 1000 * HOUR
    assert key(cache) == "key"
    assert cache.held is static


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": "Not authorized"}}, "AssumeRole"),
            Fault(Reason.CREDENTIALS, "AccessDenied", "no credentials: Not authorized", passing=False),
        ),
        (
            ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "AssumeRole"),
            Fault(Reason.CREDENTIALS, "Throttling", "no credentials: Rate exceeded", passing=True),
        ),
        (
            CredentialRetrievalError(provider="custom-process", error_msg="exit status 1"),
            Fault(
                Reason.CREDENTIALS,
                "CredentialRetrievalError",
                "no credentials: Error when retrieving credentials from custom-process: exit status 1",
                passing=False,
            ),
        ),
        (
            KeyError("AccessKeyId"),
            Fault(Reason.CREDENTIALS, "KeyError", "no credentials: KeyError: 'AccessKeyId'", passing=True),
        ),
        (
            RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired."),
            Fault(
                Reason.CREDENTIALS,
                "RuntimeError",
                "no credentials: RuntimeError: Credentials were refreshed, but the refreshed credentials are still"
                " expired.",
                passing=False,
            ),
        ),
    ],
    ids=["denied", "throttled", "process", "agent", "expired"],
)
def test_every_failure_has_the_reason_credentials(
    failure: Exception, expected: Fault, cache: CredentialCache, world: World
) -> None:
    """It is counted, with the code and message of the failure."""
    world.failure = failure
    assert fault(cache) == expected
    assert world.observer.errors == {(GET_CREDENTIALS, expected.code): 1}


def test_the_message_says_that_no_credentials_were_found(world: World) -> None:
    """Botocore's chain returns None."""

    class Session:
        def get_credentials(self) -> None:
            return None

    assert fault(CredentialCache(Session().get_credentials, world.observer)) == Fault(
        Reason.CREDENTIALS, "NoCredentialsError", "no credentials: Unable to locate credentials", passing=False
    )


def test_botocore_logs_no_traceback_of_a_failed_renewal(observer: Observer, caplog: pytest.LogCaptureFixture) -> None:
    """The error of STS may contain the secrets that it received. Credentials of a profile's role are found lazily."""

    class Session:
        def get_credentials(self) -> DeferredRefreshableCredentials:
            def refresh() -> None:
                raise UNREACHABLE

            return DeferredRefreshableCredentials(refresh, "assume-role")

    with caplog.at_level(logging.WARNING):
        assert fault(CredentialCache(Session().get_credentials, observer)) == NOT_REACHED
    assert [(record.name, record.getMessage(), record.exc_info) for record in caplog.records] == [
        ("botocore.credentials", "Refreshing temporary credentials failed during mandatory refresh period.", None)
    ]
