"""The stored state, for commands that read it beside a running daemon: of a file, or of a table of DynamoDB."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from monitor.config.settings import Settings
from monitor.daemon.cluster import open_table
from monitor.model.diff import Transition
from monitor.model.instances import Product
from monitor.state.dynamodb_reader import DynamoDbReader
from monitor.state.sqlite_history import StateReader, read_products, read_state, read_transitions


@contextmanager
def open_state(settings: Settings) -> Iterator[StateReader | DynamoDbReader]:
    """Open the state for reading. Raises `StateError`, also for the errors of the block."""
    if settings.state_table is not None:
        yield DynamoDbReader(open_table(settings.state_table))
        return
    with read_state(settings.state_path) as state:
        yield state


def stored_products(settings: Settings) -> Sequence[Product]:
    """Return every product of the state. Raises `StateError`."""
    if settings.state_table is not None:
        return DynamoDbReader(open_table(settings.state_table)).products()
    return read_products(settings.state_path)


def stored_transitions(
    settings: Settings,
    since: datetime,
    products: Sequence[str],
    accounts: Sequence[str],
    on_unreadable: Callable[[], None],
) -> Iterator[Transition]:
    """Yield the stored transitions of stack instances, oldest first, as `read_transitions`. Raises `StateError`."""
    if settings.state_table is not None:
        return DynamoDbReader(open_table(settings.state_table)).transitions(since, products, accounts)
    return read_transitions(settings.state_path, since, products, accounts, on_unreadable)
