"""Opening the state, whatever has become of the file: a monitor without a memory is better than none.

What was stored is never overwritten. A broken file is set aside under a name with the time; a file that
cannot be used as it is (read-only, full disk, a later version) is left alone and the state is kept in memory.
"""

from collections.abc import Callable
from pathlib import Path

from monitor.poller.protocols import StateError
from monitor.state.errors import BrokenStateError, RefusedStateError
from monitor.state.quarantine import set_aside
from monitor.state.sqlite import SqliteStore


def open_state(
    path: Path, on_commit: Callable[[], None] = lambda: None, on_problem: Callable[[StateError], None] = lambda _: None
) -> SqliteStore:
    """Open the file, a new one in place of a broken one, or memory; tell `on_problem` where it is not the file.

    Raises `StateError` only where a person has to decide: another daemon has the file, or the path is a directory.
    """
    try:
        return SqliteStore(path, on_commit, on_problem)
    except RefusedStateError:
        raise
    except BrokenStateError as error:
        try:
            kept = set_aside(path)
            state = SqliteStore(path, on_commit, on_problem)
        except StateError as again:
            return _in_memory(again, on_problem)
        on_problem(StateError(f"{error}; it is kept as {kept.name}, and a new one was begun"))
        return state
    except StateError as error:
        return _in_memory(error, on_problem)


def _in_memory(error: StateError, on_problem: Callable[[StateError], None]) -> SqliteStore:
    on_problem(StateError(f"{error}; the state is kept in memory and will not survive a restart"))
    return SqliteStore(None)
