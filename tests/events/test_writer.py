"""Lines to a stdout that may be blocked or closed."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from monitor.events.writer import LineWriter

WAIT = 5.0


@dataclass
class Pipe:
    """A pipe whose reader is the test."""

    reader: int
    writer: int

    def read_lines(self, count: int) -> list[str]:
        """Read until so many lines are there."""
        data = b""
        while data.count(b"\n") < count:
            data += os.read(self.reader, 65536)
        return data.decode().splitlines()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Make a pipe, and close it."""
    reader, writer = os.pipe()
    made = Pipe(reader, writer)
    yield made
    for descriptor in (made.reader, made.writer):
        if descriptor >= 0:
            os.close(descriptor)


def test_lines_come_out_in_their_order(pipe: Pipe) -> None:
    """Single lines and batches keep their places."""
    writer = LineWriter(pipe.writer)
    writer.write("one")
    assert writer.write_through(["two", "three"])
    writer.write("four é 🚀")
    assert writer.flush(WAIT)
    assert pipe.read_lines(4) == ["one", "two", "three", "four é 🚀"]


def test_a_blocked_reader_holds_up_nobody(pipe: Pipe) -> None:
    """Writing returns at once; what is too much is dropped and counted; the rest comes when the reader reads."""
    os.set_blocking(pipe.writer, True)
    writer = LineWriter(pipe.writer, limit=5)
    line = "x" * 70_000  # more than a pipe takes
    writer.write(line)
    for _ in range(20):
        writer.write("y")
    assert not writer.flush(0.01)
    assert writer.dropped >= 15
    lines = pipe.read_lines(21 - writer.dropped)
    assert lines == [line, *["y"] * (20 - writer.dropped)]
    assert writer.flush(WAIT)


def test_a_closed_reader_is_said_to_who_wants_to_know(pipe: Pipe) -> None:
    """Lines are dropped and counted, a batch learns that it was not written, and nothing raises."""
    os.close(pipe.reader)
    pipe.reader = -1
    writer = LineWriter(pipe.writer)
    writer.write("lost")
    assert not writer.write_through(["lost too"])
    assert writer.flush(WAIT)
    assert writer.dropped == 1


def test_many_threads_do_not_mix_their_lines(pipe: Pipe) -> None:
    """A line is written in one piece."""
    writer = LineWriter(pipe.writer)

    def write(letter: str) -> None:
        for _ in range(50):
            writer.write(letter * 100)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    lines = pipe.read_lines(200)
    for thread in threads:
        thread.join()
    assert sorted(lines) == sorted(letter * 100 for letter in "abcd" for _ in range(50))
