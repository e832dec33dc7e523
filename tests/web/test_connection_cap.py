"""Which connection is dropped at the cap."""

import resource
from typing import cast

import pytest

from monitor.web.connection import Connection, Connections, State
from monitor.web.limits import Limits


class FakeConnection:
    """A connection that notes its abort."""

    def __init__(self) -> None:
        """Start open."""
        self.aborted = False

    def abort(self) -> None:
        """Note it."""
        self.aborted = True


def connections(maximum: int, *states: State) -> tuple[Connections, list[FakeConnection]]:
    """Return a full registry with connections in these states, in this order."""
    registry = Connections(maximum)
    fakes = [FakeConnection() for _ in states]
    for fake, state in zip(fakes, states, strict=True):
        assert registry.admit(cast("Connection", fake))
        registry.set_state(cast("Connection", fake), state)
    return registry, fakes


@pytest.mark.parametrize(
    ("states", "dropped"),
    [
        ((State.NEW, State.NEW, State.NEW), 0),
        ((State.IDLE, State.ACTIVE, State.NEW), 2),
        ((State.IDLE, State.ACTIVE, State.IDLE), 0),
        ((State.ACTIVE, State.ACTIVE, State.IDLE), 2),
    ],
)
def test_the_order_of_drops(states: tuple[State, ...], dropped: int) -> None:
    """Connections without a request are dropped first, then idle ones; the oldest first."""
    registry, fakes = connections(3, *states)
    assert registry.admit(cast("Connection", FakeConnection()))
    assert [fake.aborted for fake in fakes] == [place == dropped for place in range(3)]
    assert len(registry) == 3


def test_an_active_connection_is_never_dropped() -> None:
    """If all connections are active, a new one is refused."""
    registry, fakes = connections(2, State.ACTIVE, State.ACTIVE)
    assert not registry.admit(cast("Connection", FakeConnection()))
    assert [fake.aborted for fake in fakes] == [False, False]
    assert len(registry) == 2


def test_age_counts_within_a_state() -> None:
    """A connection that has just become idle again is dropped last."""
    registry, (first, second) = connections(2, State.IDLE, State.IDLE)
    registry.set_state(cast("Connection", first), State.ACTIVE)
    registry.set_state(cast("Connection", first), State.IDLE)
    registry.admit(cast("Connection", FakeConnection()))
    assert (first.aborted, second.aborted) == (False, True)


def test_a_dropped_connection_does_not_come_back() -> None:
    """A connection that was dropped may still report a state, and is not counted again."""
    registry, (fake,) = connections(1, State.NEW)
    assert registry.drop_one()
    registry.set_state(cast("Connection", fake), State.IDLE)
    assert (len(registry), registry.drop_one()) == (0, False)


@pytest.mark.parametrize(
    ("descriptors", "maximum"), [(20_000, 512), (1024, 512), (1000, 500), (1, 1), (resource.RLIM_INFINITY, 512)]
)
def test_connections_never_take_all_descriptors(
    descriptors: int, maximum: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the file descriptors are left for AWS, the state and the log."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (descriptors, descriptors))
    assert Limits().max_connections == maximum
