"""A broken state file is kept under another name: nothing that was stored is overwritten."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from monitor.poller.protocols import StateError


def set_aside(path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Path:
    """Rename a state file and what SQLite keeps beside it; return the new name. Raise `StateError`."""
    stamp = now().strftime("%Y%m%dT%H%M%S.%fZ")
    kept = path.with_name(f"{path.name}.broken-{stamp}")
    try:
        for suffix in ("-wal", "-shm", ""):
            beside = path.with_name(path.name + suffix)
            if beside.exists():
                beside.rename(kept.with_name(kept.name + suffix))
    except OSError as error:
        raise StateError(f"the state file {path} is broken and cannot be set aside: {error.strerror}") from error
    return kept
