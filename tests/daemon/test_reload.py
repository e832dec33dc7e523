"""The configuration is read again when it changes or when a reload is requested."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.config.load import load_settings
from monitor.config.settings import Settings
from monitor.config.validation import MAX_BYTES
from monitor.daemon.reload import CHECK_SECONDS, Reloader, ReloadOptions

GOOD, OTHER, WRONG = "products: [pp-a]\n", "products: [pp-a, pp-b]\n", "products: [pp a]\n"


class World:
    """A file, a clock, and what the reloader did."""

    def __init__(self, path: Path) -> None:
        """Write a good file."""
        self.path = path
        self.path.write_text(GOOD)
        self.now = 0.0
        self.requested = threading.Event()
        self.applied: list[list[str]] = []
        self.refused: list[str] = []
        self.reloader = Reloader(
            ReloadOptions(path, lambda: load_settings(path), self.requested),
            self.apply,
            self.refused.append,
            lambda: self.now,
        )

    def apply(self, settings: Settings) -> None:
        """Record the products."""
        self.applied.append([monitored.product.id for monitored in settings.products])

    def later(self) -> None:
        """Let time pass, and check."""
        self.now += CHECK_SECONDS
        self.reloader.check()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a reloader of a file that was just read."""
    return World(tmp_path / "monitor.yaml")


def test_a_file_that_stays_the_same_is_not_read_again(world: World) -> None:
    """A file with the same content is not read again, although it was written again."""
    world.later()
    world.path.write_text(GOOD)
    world.later()
    assert (world.applied, world.refused) == ([], [])


def test_a_file_that_changes_is_read_once(world: World) -> None:
    """A change is noticed at the next check, which is not before its time."""
    world.path.write_text(OTHER)
    world.reloader.check()
    assert world.applied == []
    world.later()
    world.later()
    assert world.applied == [["pp-a", "pp-b"]]


def test_a_wrong_file_is_refused_once_until_it_is_fixed(world: World) -> None:
    """A wrong file is refused with its problems; the file from before is applied again."""
    world.path.write_text(WRONG)
    world.later()
    world.later()
    (message,) = world.refused
    assert "products[0]" in message
    world.path.write_text(GOOD)
    world.later()
    assert world.applied == [["pp-a"]]


def test_a_missing_file_is_waited_for(world: World) -> None:
    """A file that is missing while it is replaced is no error, unless a reload was requested."""
    world.path.unlink()
    world.later()
    assert (world.applied, world.refused) == ([], [])
    world.requested.set()
    world.reloader.check()
    assert "cannot read the configuration file" in world.refused[0]
    world.path.write_text(OTHER)
    world.later()
    assert world.applied == [["pp-a", "pp-b"]]


def test_a_file_that_grows_without_end_is_not_read(world: World) -> None:
    """The size limit of the configuration holds for the check as well: the file is refused, once."""
    world.path.write_bytes(b"#" * (MAX_BYTES + 1))
    world.later()
    world.later()
    world.path.unlink()
    world.path.symlink_to("/dev/zero")
    world.later()
    assert world.applied == []
    assert ["larger than 4 MiB" in message for message in world.refused] == [True]


def test_a_requested_reload_is_immediate(world: World) -> None:
    """A request reloads once, whether the file has changed or not."""
    world.requested.set()
    world.reloader.check()
    world.reloader.check()
    assert world.applied == [["pp-a"]]
    assert world.reloader.reload() is None
    world.path.write_text(WRONG)
    assert world.reloader.reload() == world.refused[0]


def test_settings_are_compared_as_values(world: World) -> None:
    """Settings that are read twice from one file are equal, so that unchanged parts stay."""
    one, two = load_settings(world.path), load_settings(world.path)
    assert one == two
    assert replace(one, history=1.0) != two


def test_a_reload_that_is_requested_during_the_start_waits_for_its_end(world: World) -> None:
    """While the parts start, a reload waits; it is applied when they have started."""
    began = threading.Event()

    def reload() -> None:
        began.set()
        world.reloader.reload()

    thread = threading.Thread(target=reload)
    with world.reloader.lock:
        thread.start()
        assert began.wait(5.0)
        assert world.applied == []
    thread.join(5.0)
    assert world.applied == [["pp-a"]]
