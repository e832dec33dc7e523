"""A state file in a folder of its own, and what a store reports."""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor.simulation.aws import ENVIRONMENT
from monitor.state.sqlite import SqliteStore
from tests.state.engines import LOCAL, DynamoDbEngine, Engine, dynamodb_local, new_engine
from tests.state.reports import FIRST, SECOND, Reports


@pytest.fixture
def path() -> Iterator[Path]:
    """Write a state file with a thousand instances and an unpublished transition, in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "state")
        with closing(SqliteStore(folder / "monitor.db")) as store:
            store.commit(FIRST)
            store.commit(SECOND)
        Path(name).chmod(0o755)
        folder.chmod(0o755)
        yield folder / "monitor.db"


@pytest.fixture
def reports() -> Reports:
    """Return what a store reports."""
    return Reports()


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str | None]:
    """Run DynamoDB Local if its folder is given; otherwise moto simulates DynamoDB."""
    if LOCAL is None:
        yield None
    else:
        with dynamodb_local(LOCAL) as url:
            yield url


@pytest.fixture(params=["sqlite", "dynamodb"])
def engine(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str | None
) -> Iterator[Engine]:
    """Run the test with a SQLite file and with a table of DynamoDB."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with new_engine(request.param, tmp_path, endpoint) as new:
        yield new


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, endpoint: str | None) -> Iterator[DynamoDbEngine]:
    """Create a table of DynamoDB."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with new_engine("dynamodb", tmp_path, endpoint) as engine:
        assert isinstance(engine, DynamoDbEngine)
        yield engine
