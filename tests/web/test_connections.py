"""Who has to go when too many are connected."""

import resource
from dataclasses import dataclass

import pytest

from monitor.web.connections import Connections, Phase
from monitor.web.limits import Limits


@dataclass(eq=False)
class Guest:
    """A connection of which only matters whether it was cut off."""

    dropped: bool = False

    def abort(self) -> None:
        """Note it."""
        self.dropped = True


def register(most: int, *phases: Phase) -> tuple[Connections, list[Guest]]:
    """Return a register with a guest in each of these phases, in their order."""
    connections = Connections(most)
    guests = [Guest() for _ in phases]
    for guest, phase in zip(guests, phases, strict=True):
        assert connections.admit(guest)
        connections.move(guest, phase)
    return connections, guests


@pytest.mark.parametrize(
    ("phases", "dropped"),
    [
        ((Phase.WAITING, Phase.WAITING, Phase.WAITING), 0),
        ((Phase.RESTING, Phase.ANSWERED, Phase.WAITING), 2),
        ((Phase.RESTING, Phase.ANSWERED, Phase.RESTING), 0),
        ((Phase.WAITING, Phase.RESTING, Phase.CLOSING), 2),
        ((Phase.ANSWERED, Phase.ANSWERED, Phase.RESTING), 2),
    ],
)
def test_who_makes_room(phases: tuple[Phase, ...], dropped: int) -> None:
    """Those whom the server closed go first, then those who sent no request, then those who rest; the oldest first."""
    connections, guests = register(3, *phases)
    assert connections.admit(Guest())
    assert [guest.dropped for guest in guests] == [place == dropped for place in range(3)]
    assert len(connections) == 3


def test_nobody_is_dropped_while_he_is_answered() -> None:
    """Where everybody is being answered, the newcomer is refused."""
    connections, guests = register(2, Phase.ANSWERED, Phase.ANSWERED)
    assert not connections.admit(Guest())
    assert [guest.dropped for guest in guests] == [False, False]
    assert connections.everybody() == guests


def test_one_who_asks_again_is_young_again() -> None:
    """Age counts within a phase: who has just been answered rests for the shortest time."""
    connections, (first, second) = register(2, Phase.RESTING, Phase.RESTING)
    connections.move(first, Phase.ANSWERED)
    connections.move(first, Phase.RESTING)
    connections.admit(Guest())
    assert (first.dropped, second.dropped) == (False, True)


def test_who_has_left_is_forgotten() -> None:
    """Leaving twice, and moving after leaving, is nothing: a dropped connection still says that it closes."""
    connections, (guest,) = register(1, Phase.WAITING)
    for _ in range(2):
        connections.leave(guest)
        connections.move(guest, Phase.CLOSING)
    assert (len(connections), connections.everybody(), connections.drop_one()) == (0, [], False)


@pytest.mark.parametrize(
    ("descriptors", "most"), [(20_000, 512), (1024, 512), (1000, 500), (1, 1), (resource.RLIM_INFINITY, 512)]
)
def test_connections_never_take_all_descriptors(descriptors: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of what the process may open is left for AWS, the state and the log."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (descriptors, descriptors))
    assert Limits().most_connections == most
