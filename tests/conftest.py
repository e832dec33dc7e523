"""What every test has: an environment without AWS settings, and a simulated AWS where it asks for one."""

import logging
import os
import shutil
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import hypothesis
import pytest
import structlog

from monitor.simulation.aws import ENVIRONMENT, SimulatedAws, reset, stack_sets
from monitor.simulation.stack_sets import StackSets
from tests.support import missing

# A machine that is busy for a moment must not fail a property: pytest-timeout bounds each test.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

CANARIES = {
    "AWS_ACCESS_KEY_ID": "AKIACANARYCANARY0000",
    "AWS_SECRET_ACCESS_KEY": "canary-secret-wJalrXUtnFEMI",
    "AWS_SESSION_TOKEN": "canary-token-IQoJb3JpZ2luX2Vj",
}
"""Credentials that must not be found in anything that a test, or a daemon in it, prints."""


@dataclass(frozen=True)
class Aws:
    """The simulated AWS of a test: an endpoint, and the products of the account that callers are in."""

    url: str
    stack_sets: StackSets


@pytest.fixture(autouse=True)
def no_aws_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take out of the environment whatever a developer has there for AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")  # the default is to retry until the deadline of the poll
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture(scope="session")
def aws_server() -> Iterator[str]:
    """Serve the simulated AWS on loopback for all tests of a worker."""
    server = SimulatedAws()
    yield server.start()
    server.stop()


@pytest.fixture
def aws(aws_server: str, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """Point boto3 to a simulated AWS without any products."""
    reset()
    for name, value in (ENVIRONMENT | CANARIES).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_server)
    return Aws(aws_server, stack_sets())


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Put logging back afterwards: a log takes over that of the process, and a web server that of uvicorn."""
    root, uvicorn = logging.getLogger(), logging.getLogger("uvicorn.error")
    handlers, levels = list(root.handlers), (root.level, uvicorn.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    uvicorn.setLevel(levels[1])
    structlog.reset_defaults()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Look for the canaries in everything that a test printed, whatever its outcome."""
    report = yield
    for name, text in report.sections:
        for canary in CANARIES.values():
            if canary in text:
                report.outcome = "failed"
                report.longrepr = f"{item.nodeid} prints a credential ({name})"
    return report


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs a program which is not installed; where nothing may be missing, fail instead."""
    for mark in item.iter_markers("needs"):
        for program in mark.args:
            if shutil.which(program) is None:
                missing(program)
