"""The real client before a simulated AWS that misbehaves as planned."""

import os
import threading
from collections.abc import Iterator

import pytest

from monitor.aws import caller
from monitor.aws.source import Source
from tests.conftest import Aws
from tests.faulty_aws.exchange import Response
from tests.faulty_aws.server import FaultyAws
from tests.faulty_aws.upstream import respond
from tests.support import Observer, source_settings, until

PAGE = b'{"StackInstances": [{"Account": "1", "Region": "r", "StackInstanceStatus": "CURRENT"}]}'


@pytest.fixture(scope="session", autouse=True)
def descriptions() -> None:
    """Let botocore read its descriptions of the API: a deadline of a moment would end in the midst of that."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        Source(source_settings(), Observer(), 1)._connect()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Wait for what a test left hanging beside its polls: it would go on with the environment of the next one."""
    yield
    until(lambda: not any(thread.name == "call" for thread in threading.enumerate()))


@pytest.fixture
def faulty(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyAws]:
    """Put a server that can misbehave between boto3 and the simulated AWS."""
    server = FaultyAws(respond)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.start())
    yield server
    server.stop()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the back-off between two attempts be a moment."""
    monkeypatch.setattr(caller, "FIRST_BACKOFF", 0.001)


@pytest.fixture
def observer() -> Observer:
    """Keep books."""
    return Observer()


@pytest.fixture
def source(faulty: FaultyAws, observer: Observer, impatient: None) -> Source:
    """Return the real client of the server that can misbehave."""
    return Source(source_settings(), observer, 4)


@pytest.fixture
def page_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyAws]:
    """Serve one page for ever, without a simulated AWS behind it: ten times as quick."""
    server = FaultyAws(lambda _: Response(body=PAGE))
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.start())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "simulated")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "simulated")
    yield server
    server.stop()


@pytest.fixture
def page_source(page_server: FaultyAws, observer: Observer, impatient: None) -> Source:
    """Return the real client of it."""
    return Source(source_settings(), observer, 4)
