"""Quarantine of a broken state file: it is renamed, so nothing that was stored is overwritten."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from monitor.poller.protocols import StateError


def quarantine(path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Path:
    """Rename a state file, with its write-ahead log, to a name with the time; return the new path.

    Raises `StateError` if the folder does not allow it.
    """
    stamp = now().strftime("%Y%m%dT%H%M%S.%fZ")
    kept = path.with_name(f"{path.name}.broken-{stamp}")
    try:
        for suffix in ("-wal", "-shm", ""):
            beside = path.with_name(path.name + suffix)
            if beside.exists():
                beside.rename(kept.with_name(kept.name + suffix))
    except OSError as error:
        raise StateError(f"the state file {path} is broken and cannot be renamed: {error.strerror}") from error
    return kept
