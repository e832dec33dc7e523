"""The open connections, and which of them has to go when there are too many.

A server that only refuses newcomers is shut by a few hundred clients that connect and say nothing. So a
newcomer takes the place of one that waits: first of those whose request has not come, the oldest first, then
of those that rest between two requests. One that is being answered is never dropped.
"""

from enum import Enum, auto
from typing import Protocol


class Phase(Enum):
    """What a connection is at."""

    WAITING = auto()
    """A whole request head has not come: in the TLS handshake, before the first request, or amid a later one."""
    ANSWERED = auto()
    """Its request is being answered."""
    RESTING = auto()
    """It was answered, and may ask again."""
    CLOSING = auto()
    """The server has closed it, and the client has not taken everything yet."""


class Visitor(Protocol):
    """A connection, as far as it matters here."""

    def abort(self) -> None:
        """Close at once, whatever is under way."""


_DROPPED_FIRST = (Phase.CLOSING, Phase.WAITING, Phase.RESTING)


class Connections:
    """Everybody who is connected, by phase, and in a phase by how long they have been in it."""

    def __init__(self, most: int) -> None:
        """Hold at most so many."""
        self._most = most
        self._phases: dict[Phase, dict[Visitor, None]] = {phase: {} for phase in Phase}
        self._phase_of: dict[Visitor, Phase] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._phase_of)

    def admit(self, visitor: Visitor) -> bool:
        """Take somebody in, in the place of another where it is full; False where nobody can be dropped."""
        if len(self) >= self._most and not self.drop_one():
            return False
        self._phase_of[visitor] = Phase.WAITING
        self._phases[Phase.WAITING][visitor] = None
        return True

    def drop_one(self) -> bool:
        """Drop the one who is missed least; False where all are being answered."""
        for phase in _DROPPED_FIRST:
            for visitor in self._phases[phase]:
                self.leave(visitor)
                visitor.abort()
                return True
        return False

    def move(self, visitor: Visitor, phase: Phase) -> None:
        """Note that somebody who is still there begins another phase."""
        before = self._phase_of.get(visitor)
        if before is not None and before is not phase:
            del self._phases[before][visitor]
            self._phases[phase][visitor] = None
            self._phase_of[visitor] = phase

    def leave(self, visitor: Visitor) -> None:
        """Forget somebody who has left, or has to."""
        phase = self._phase_of.pop(visitor, None)
        if phase is not None:
            del self._phases[phase][visitor]

    def everybody(self) -> list[Visitor]:
        """Return all who are there now."""
        return list(self._phase_of)
