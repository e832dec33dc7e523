"""When the configuration is read again, and what becomes of a wrong one."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.config.load import load_settings
from monitor.config.settings import Settings
from monitor.daemon.reload import LOOK_SECONDS, Reloader

GOOD, OTHER, WRONG = "products: [pp-a]\n", "products: [pp-a, pp-b]\n", "products: [pp a]\n"


class Around:
    """A file, a clock, and what a reloader did."""

    def __init__(self, path: Path) -> None:
        """Write a good file."""
        self.path = path
        self.path.write_text(GOOD)
        self.now = 0.0
        self.asked = threading.Event()
        self.applied: list[list[str]] = []
        self.refused: list[str] = []
        self.reloader = Reloader(
            path, lambda: load_settings(path), self.asked, self.apply, self.refused.append, lambda: self.now
        )

    def apply(self, settings: Settings) -> None:
        """Note the products."""
        self.applied.append([monitored.product.id for monitored in settings.products])

    def later(self) -> None:
        """Let time pass, and look."""
        self.now += LOOK_SECONDS
        self.reloader.look()


@pytest.fixture
def around(tmp_path: Path) -> Around:
    """Return a reloader of a file that was just read."""
    return Around(tmp_path / "monitor.yaml")


def test_a_file_that_stays_the_same_is_not_read_again(around: Around) -> None:
    """Nor one that was only touched, as a ConfigMap is now and then."""
    around.later()
    around.path.write_text(GOOD)
    around.later()
    assert (around.applied, around.refused) == ([], [])


def test_a_file_that_changes_is_read_once(around: Around) -> None:
    """At the next look, and not before its time."""
    around.path.write_text(OTHER)
    around.reloader.look()
    assert around.applied == []
    around.later()
    around.later()
    assert around.applied == [["pp-a", "pp-b"]]


def test_a_wrong_file_is_refused_once_and_mended(around: Around) -> None:
    """With every problem; going back to what holds already is a reload like any other."""
    around.path.write_text(WRONG)
    around.later()
    around.later()
    (message,) = around.refused
    assert "products[0]" in message
    around.path.write_text(GOOD)
    around.later()
    assert around.applied == [["pp-a"]]


def test_a_file_that_is_gone_for_a_moment_is_waited_for(around: Around) -> None:
    """In the midst of a swap there is none; asked for by a signal, that is said."""
    around.path.unlink()
    around.later()
    assert (around.applied, around.refused) == ([], [])
    around.asked.set()
    around.reloader.look()
    assert "cannot read the configuration file" in around.refused[0]
    around.path.write_text(OTHER)
    around.later()
    assert around.applied == [["pp-a", "pp-b"]]


def test_whoever_asks_is_served_at_once(around: Around) -> None:
    """Whether the file has changed or not, and once for each time."""
    around.asked.set()
    around.reloader.look()
    around.reloader.look()
    assert around.applied == [["pp-a"]]
    assert around.reloader.reload() is None
    around.path.write_text(WRONG)
    assert around.reloader.reload() == around.refused[0]


def test_settings_are_compared_as_values(around: Around) -> None:
    """Two readings of one file are equal, so that what is the same is left as it is."""
    one, two = load_settings(around.path), load_settings(around.path)
    assert one == two
    assert replace(one, history=1.0) != two
