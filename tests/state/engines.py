"""The engines of the state, each with its store: a SQLite file, and a table of DynamoDB."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import boto3
from moto import mock_aws

from monitor.aws.dynamodb import DynamoDbTable
from monitor.config.settings import TableSettings
from monitor.model.diff import Transition
from monitor.state.dynamodb import DynamoDbStore
from monitor.state.dynamodb_reader import DynamoDbReader
from monitor.state.sqlite import SqliteStore
from monitor.state.sqlite_history import read_transitions
from tests.making import LATER
from tests.support import free_port, until

AnyStore = SqliteStore | DynamoDbStore
LOCAL = os.environ.get("STACKSET_MONITOR_DYNAMODB_LOCAL")
"""The folder of DynamoDB Local; without it, moto simulates DynamoDB."""
DAY = 86400.0


class Engine(Protocol):
    """Where a state is kept."""

    def open(self, on_commit: Callable[[], None] = lambda: None) -> AnyStore:
        """Open the state, as after a restart."""

    def transitions(
        self, since: datetime, products: Sequence[str] = (), accounts: Sequence[str] = ()
    ) -> Sequence[Transition]:
        """Read the stored transitions beside the store."""


class SqliteEngine:
    """A SQLite file."""

    def __init__(self, path: Path) -> None:
        """Use this path."""
        self._path = path

    def open(self, on_commit: Callable[[], None] = lambda: None) -> AnyStore:
        """Open the file."""
        return SqliteStore(self._path, on_commit)

    def transitions(
        self, since: datetime, products: Sequence[str] = (), accounts: Sequence[str] = ()
    ) -> Sequence[Transition]:
        """Read the file."""
        return list(read_transitions(self._path, since, products, accounts))


class OwnEpoch:
    """The epoch of the lease of every product, as the test sets it."""

    def __init__(self, epoch: int = 1) -> None:
        """Begin with an epoch."""
        self.number = epoch

    def epoch(self, product_id: str) -> int:
        """Return the epoch."""
        return self.number


class DynamoDbEngine:
    """A table of DynamoDB."""

    def __init__(self, endpoint: str | None) -> None:
        """Create a new table."""
        self.settings = TableSettings(f"state-{uuid4()}", "eu-west-1", endpoint)
        client: Any = boto3.client("dynamodb", region_name="eu-west-1", endpoint_url=endpoint)
        keys = {"pk": "HASH", "sk": "RANGE"}
        client.create_table(
            TableName=self.settings.table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
        )
        client.close()
        self.table = DynamoDbTable(self.settings)
        self.ownership = OwnEpoch()

    def open(self, on_commit: Callable[[], None] = lambda: None) -> DynamoDbStore:
        """Return a store that has nothing in memory yet."""
        return DynamoDbStore(self.table, self.ownership, 90 * DAY, on_commit, lambda: LATER)

    def transitions(
        self, since: datetime, products: Sequence[str] = (), accounts: Sequence[str] = ()
    ) -> Sequence[Transition]:
        """Read the table."""
        return list(self.reader().transitions(since, products, accounts))

    def reader(self, now: datetime = LATER) -> DynamoDbReader:
        """Read the table beside the store."""
        return DynamoDbReader(self.table, lambda: now)


@contextmanager
def new_engine(name: str, folder: Path, endpoint: str | None) -> Iterator[Engine]:
    """Yield the engine of this name with an empty state; `endpoint` is that of DynamoDB Local."""
    if name == "sqlite":
        yield SqliteEngine(folder / "state" / "monitor.db")
        return
    with nullcontext() if endpoint else mock_aws():
        yield DynamoDbEngine(endpoint)


@contextmanager
def dynamodb_local(folder: str) -> Iterator[str]:
    """Run DynamoDB Local, and yield its URL."""
    port = free_port()
    main = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner"
    options = ("-inMemory", "-disableTelemetry", "-port", str(port))
    command = ("java", f"-Djava.library.path={folder}", "-cp", f"{folder}/*", main, *options)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            until(lambda: _listens(port))
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
