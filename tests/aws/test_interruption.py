"""The deadline and a stop end a poll in each of its phases."""

import datetime as dt
import ipaddress
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from monitor.aws import caller, http_session
from monitor.aws.source import Source
from monitor.model.deadline import Deadline, Deadlines
from monitor.model.errors import PollCancelledError, PollFailedError, Reason
from tests.aws.polls import PRODUCT, counted
from tests.conftest import Aws
from tests.faulty_aws import faults
from tests.faulty_aws.exchange import Fault, Plan
from tests.faulty_aws.server import FaultyAws
from tests.faulty_aws.upstream import respond
from tests.making import EU, ONE, TWO
from tests.support import Observer, source_settings, until

SHORT = 0.3
LATE = 3.0
"""Seconds that a poll may take longer than it should: the machine may be busy."""
DRIP = 0.05

HANGING = [*faults.SILENT_WAITS, *faults.slow(DRIP)]


@pytest.fixture(autouse=True)
def fleet(aws: Aws) -> None:
    """Add one product of two instances."""
    aws.stack_sets.add_product(PRODUCT, "baseline")
    for account in (ONE, TWO):
        aws.stack_sets.set(PRODUCT, account, EU, "CURRENT")


def ends_with_the_deadline(source: Source, limit: float = SHORT) -> None:
    """Assert that a poll ends at its deadline."""
    source._connect()
    begun = time.monotonic()
    deadline = Deadline(limit)
    with pytest.raises(PollFailedError) as caught:
        source.list_stack_instances(PRODUCT, deadline)
    seconds = time.monotonic() - begun
    error = caught.value
    assert (error.reason, error.error_code, error.message) == (
        Reason.TIMEOUT,
        "DeadlineExceeded",
        f"the poll was not complete after {limit:g} s",
    )
    assert limit <= seconds < limit + LATE


def stops_at_once(source: Source, when: Callable[[], bool]) -> None:
    """Assert that a poll ends soon after a stop. The stop comes when `when` is true."""
    deadlines = Deadlines()
    ended: list[tuple[BaseException | None, float]] = []

    def poll() -> None:
        try:
            with deadlines.running(30.0) as deadline:
                source.list_stack_instances(PRODUCT, deadline)
        except BaseException as error:  # noqa: BLE001 - what it is, is asserted
            ended.append((error, time.monotonic()))
        else:
            ended.append((None, time.monotonic()))

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    until(when)
    assert ended == []
    stopped = time.monotonic()
    deadlines.cancel()
    thread.join(10)
    error, end = ended[0]
    assert type(error) is PollCancelledError
    assert end - stopped < LATE


@pytest.mark.parametrize("fault", HANGING, ids=str)
def test_the_deadline_ends_a_poll_in_mid_page(fault: Fault, source: Source, faulty: FaultyAws) -> None:
    """The server sends nothing, or a byte now and then, which botocore alone would accept without end."""
    faulty.plan(Plan(fault, times=None))
    ends_with_the_deadline(source)
    assert len(faulty.requests) <= 1
    faulty.clear()
    assert counted(source) == 2


@pytest.mark.parametrize("fault", HANGING, ids=str)
def test_a_stop_ends_a_poll_in_mid_page(fault: Fault, source: Source, faulty: FaultyAws) -> None:
    """The poll is neither complete nor failed."""
    faulty.plan(Plan(fault, times=None))
    stops_at_once(source, lambda: len(faulty.requests) == 1)


def test_a_slow_response_within_the_deadline_is_accepted(source: Source, faulty: FaultyAws) -> None:
    """A byte each millisecond is slow, but not a failure."""
    faulty.plan(Plan(faults.dripping(0.001), times=None))
    assert counted(source) == 2


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the back-off between two attempts be 20 s."""
    monkeypatch.setattr(caller, "FIRST_BACKOFF", caller.LONGEST_BACKOFF)
    monkeypatch.setattr("random.uniform", lambda _, most: most)


def test_a_stop_ends_a_poll_in_back_off(source: Source, faulty: FaultyAws, observer: Observer, patient: None) -> None:
    """The wait of 20 s ends at once."""
    faulty.plan(Plan(faults.THROTTLED, times=None))
    stops_at_once(source, lambda: bool(observer.errors))
    assert len(faulty.requests) == 1


def test_the_deadline_ends_a_poll_that_waits_for_the_rate_limit(faulty: FaultyAws, observer: Observer) -> None:
    """The second page would be sent after 100 s."""
    ends_with_the_deadline(Source(source_settings(calls_per_second=0.01, page_size=1), observer, 1), 1.0)
    assert observer.attempts.total() == 1
    (waited,) = observer.waits
    assert 0 < waited <= 1.0


def test_a_stop_ends_a_poll_that_waits_for_the_rate_limit(faulty: FaultyAws, observer: Observer) -> None:
    """The second page is not sent."""
    source = Source(source_settings(calls_per_second=0.01, page_size=1), observer, 1)
    stops_at_once(source, lambda: bool(observer.waits))
    assert observer.attempts.total() == 1


def test_a_poll_that_begins_after_the_stop_sends_nothing(source: Source, faulty: FaultyAws) -> None:
    """It is cancelled before its first request."""
    deadlines = Deadlines()
    deadlines.cancel()
    with deadlines.running(30.0) as deadline, pytest.raises(PollCancelledError):
        source.list_stack_instances(PRODUCT, deadline)
    assert faulty.requests == ()


@contextmanager
def full_backlog() -> Iterator[int]:
    """Yield a port that neither accepts nor refuses connections: the backlog of its listener is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)  # noqa: FBT003 - the socket module's own
            client.connect_ex(("127.0.0.1", port))
            waiting.append(client)
        yield port
        for client in waiting:
            client.close()


def test_the_deadline_ends_a_poll_that_connects(aws: Aws, observer: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A firewall that drops packets looks like this."""
    monkeypatch.setattr(http_session, "CONNECT_TIMEOUT", 2.0)
    with full_backlog() as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        ends_with_the_deadline(Source(source_settings(), observer, 1))
    assert observer.attempts.total() <= 1


def test_a_stop_ends_a_poll_that_resolves_a_name(aws: Aws, observer: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lookup goes on in the background, and the connection that it leads to is closed."""
    asked, answered = threading.Event(), threading.Event()
    resolve = socket.getaddrinfo
    made: list[socket.socket] = []

    def slow(_: str, port: int, *rest: Any, **more: Any) -> Any:
        asked.set()
        answered.wait(30)
        return resolve("127.0.0.1", port, *rest, **more)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(socket, "getaddrinfo", slow)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://aws.example:{listener.getsockname()[1]}")
        stops_at_once(Source(source_settings(), observer, 1), asked.is_set)
        answered.set()
        made.append(listener.accept()[0])
        assert made[0].recv(1) == b""  # connected at last, and closed, since the poll has ended
        made[0].close()


@pytest.fixture
def silent_tls(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point boto3 to a server that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://127.0.0.1:{listener.getsockname()[1]}")
        yield


def test_the_deadline_ends_a_poll_in_a_tls_handshake(aws: Aws, observer: Observer, silent_tls: None) -> None:
    """The server sends no ServerHello."""
    ends_with_the_deadline(Source(source_settings(), observer, 1))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a key and its certificate for loopback into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simulated AWS")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "simulated-aws.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def faulty_tls(aws: Aws, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyAws]:
    """Serve a faulty AWS over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = FaultyAws(respond, context)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.start())
    monkeypatch.setenv("AWS_CA_BUNDLE", os.fspath(certificate))
    yield server
    server.stop()


@pytest.mark.parametrize("fault", HANGING, ids=str)
def test_the_deadline_ends_a_poll_over_tls(fault: Fault, faulty_tls: FaultyAws, observer: Observer) -> None:
    """The next poll is complete."""
    source = Source(source_settings(), observer, 1)
    assert counted(source) == 2
    faulty_tls.plan(Plan(fault, times=None))
    ends_with_the_deadline(source)
    faulty_tls.clear()
    assert counted(source) == 2


def test_a_certificate_that_is_not_trusted_is_a_failed_poll(
    faulty_tls: FaultyAws, observer: Observer, monkeypatch: pytest.MonkeyPatch, impatient: None
) -> None:
    """No request is sent."""
    monkeypatch.delenv("AWS_CA_BUNDLE")
    deadline = Deadline(30.0)
    with pytest.raises(PollFailedError) as caught:
        Source(source_settings(), observer, 1).list_stack_instances(PRODUCT, deadline)
    assert (caught.value.reason, caught.value.error_code) == (Reason.CONNECTION, "SSLError")
    assert "certificate verify failed" in caught.value.message
    assert faulty_tls.requests == ()
