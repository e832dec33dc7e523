"""Write lines to a stdout that may be blocked, non-blocking or closed."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from monitor.events.writer import LineWriter

WAIT = 5.0


@dataclass
class Pipe:
    """A pipe that the test reads."""

    reader: int
    writer: int

    def read_lines(self, count: int) -> list[str]:
        """Read this many lines."""
        data = b""
        while data.count(b"\n") < count:
            data += os.read(self.reader, 65536)
        return data.decode().splitlines()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Make a pipe and close it."""
    reader, writer = os.pipe()
    made = Pipe(reader, writer)
    yield made
    for descriptor in (made.reader, made.writer):
        if descriptor >= 0:
            os.close(descriptor)


def test_lines_are_written_in_order(pipe: Pipe) -> None:
    """Single lines and batches are written in the order of their arrival."""
    writer = LineWriter(pipe.writer)
    writer.write("one")
    assert writer.write_through(["two", "three"])
    writer.write("four é 🚀")
    assert writer.drain(WAIT)
    assert pipe.read_lines(4) == ["one", "two", "three", "four é 🚀"]


def test_a_blocked_stdout_does_not_block_the_caller(pipe: Pipe) -> None:
    """Writing returns at once, lines over the limit are dropped and counted, and the others are written later."""
    os.set_blocking(pipe.writer, True)
    writer = LineWriter(pipe.writer, limit=5)
    line = "x" * 70_000  # more than a pipe takes
    writer.write(line)
    for _ in range(20):
        writer.write("y")
    assert not writer.drain(0.01)
    assert writer.dropped >= 15
    lines = pipe.read_lines(21 - writer.dropped)
    assert lines == [line, *["y"] * (20 - writer.dropped)]
    assert writer.drain(WAIT)


def test_a_closed_stdout_is_reported_to_a_batch(pipe: Pipe) -> None:
    """With a closed stdout, lines are dropped and counted, and a batch is reported as not written."""
    os.close(pipe.reader)
    pipe.reader = -1
    writer = LineWriter(pipe.writer)
    writer.write("lost")
    assert not writer.write_through(["lost too"])
    assert writer.drain(WAIT)
    assert writer.dropped == 1


def test_lines_of_many_threads_are_not_mixed(pipe: Pipe) -> None:
    """Each line is written in one piece."""
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


def test_a_non_blocking_stdout_gets_every_line_whole(pipe: Pipe) -> None:
    """A batch larger than the pipe waits for the reader, and is neither cut nor reported as lost."""
    os.set_blocking(pipe.writer, False)
    writer = LineWriter(pipe.writer)
    lines = [f"{number:06} {'x' * 1000}" for number in range(500)]
    results: list[bool] = []
    batch = threading.Thread(target=lambda: results.append(writer.write_through(lines)))
    batch.start()
    assert pipe.read_lines(500) == lines
    batch.join(WAIT)
    assert results == [True]
    assert writer.dropped == 0


def test_a_non_blocking_stdout_that_closes_ends_the_wait(pipe: Pipe) -> None:
    """A batch that waits for a full pipe is reported as not written if the reader goes away."""
    os.set_blocking(pipe.writer, False)
    writer = LineWriter(pipe.writer)
    results: list[bool] = []
    batch = threading.Thread(target=lambda: results.append(writer.write_through(["x" * 200_000])))
    batch.start()
    os.read(pipe.reader, 1)
    os.close(pipe.reader)
    pipe.reader = -1
    batch.join(WAIT)
    assert results == [False]


def test_a_torn_line_does_not_damage_the_next_one(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """If an error such as a full disk ends a write in mid-line, the next line begins on a line of its own."""
    write, calls = os.write, iter([4, 0])

    def failing(descriptor: int, data: bytes) -> int:
        allowed = next(calls, len(data))
        if not allowed:
            raise OSError("disk full")
        return write(descriptor, data[:allowed])

    monkeypatch.setattr("monitor.events.writer.os.write", failing)
    writer = LineWriter(pipe.writer)
    assert not writer.write_through(["first line"])
    assert writer.write_through(["second line"])
    assert pipe.read_lines(2) == ["firs", "second line"]
