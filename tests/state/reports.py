"""A store whose reports are kept, and changes to store."""

from datetime import timedelta
from pathlib import Path

from monitor.model.diff import Change, diff
from monitor.model.instances import InstanceKey, Status
from monitor.state.sqlite import SqliteStore
from tests.making import BASELINE, EU, LATER, ONE, US, baseline, listing

STATUSES: dict[InstanceKey, Status] = {(f"{n:012}", region): Status.CURRENT for n in range(500) for region in (EU, US)}
FIRST = baseline(STATUSES)
SECOND = diff(FIRST.snapshot, listing({**STATUSES, (ONE, EU): Status.OUTDATED}), BASELINE, "poll-2", LATER)
THIRD = diff(SECOND.snapshot, listing(STATUSES), BASELINE, "poll-3", LATER + timedelta(minutes=5))
IN_MEMORY = "; the state is kept in memory and does not survive a restart until the file can be used"


class Reports:
    """What a store reports, and the clock that it reads."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.recoveries: list[str] = []
        self.commits = 0
        self.now = 0.0

    def open(self, path: Path) -> SqliteStore:
        """Open a store that reports here."""
        return SqliteStore(
            path, self.committed, lambda error: self.errors.append(str(error)), self.recoveries.append, lambda: self.now
        )

    def committed(self) -> None:
        """Count a commit to a file."""
        self.commits += 1


def unpublished(store: SqliteStore) -> list[str]:
    """Return the ids of the unpublished transitions."""
    return [transition.event_id for _, transition in store.unpublished(100) if transition]


def ids(*changes: Change) -> list[str]:
    """Return the ids of the transitions of changes."""
    return [transition.event_id for change in changes for transition in change.transitions]
