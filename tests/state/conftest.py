"""A state file in a folder of its own, and what a store reports."""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor.state.sqlite import SqliteStore
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
