"""The real client with a faulty AWS."""

import os
import threading
from collections.abc import Iterator

import pytest

from monitor.aws import caller
from monitor.aws.background import THREAD_NAME
from monitor.aws.source import Source
from tests.conftest import Aws
from tests.faulty_aws.exchange import Response
from tests.faulty_aws.server import FaultyAws
from tests.faulty_aws.upstream import respond
from tests.support import Observer, source_settings, until

PAGE = b'{"StackInstances": [{"Account": "1", "Region": "r", "StackInstanceStatus": "CURRENT"}]}'


@pytest.fixture(scope="session", autouse=True)
def descriptions() -> None:
    """Let botocore read its API descriptions: short deadlines of tests would end before that."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        Source(source_settings(), Observer(), 1)._connect()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Wait for the background threads of a test: they would use the environment of the next one."""
    yield
    until(lambda: not any(thread.name == THREAD_NAME for thread in threading.enumerate()))


@pytest.fixture
def faulty(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyAws]:
    """Put a faulty server between boto3 and the simulated AWS."""
    server = FaultyAws(respond)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.start())
    yield server
    server.stop()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the back-off to a millisecond."""
    monkeypatch.setattr(caller, "FIRST_BACKOFF", 0.001)


@pytest.fixture
def observer() -> Observer:
    """Return an observer that records."""
    return Observer()


@pytest.fixture
def source(faulty: FaultyAws, observer: Observer, impatient: None) -> Source:
    """Return the real client of the faulty server."""
    return Source(source_settings(), observer, 4)


@pytest.fixture
def page_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyAws]:
    """Serve one page forever. Without the simulated AWS this is ten times as fast."""
    server = FaultyAws(lambda _: Response(body=PAGE))
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.start())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "simulated")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "simulated")
    yield server
    server.stop()


@pytest.fixture
def page_source(page_server: FaultyAws, observer: Observer, impatient: None) -> Source:
    """Return the real client of the page server."""
    return Source(source_settings(), observer, 4)
