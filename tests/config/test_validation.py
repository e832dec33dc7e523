"""Reading a file that is too large, or that is no regular file."""

import errno
import os
import threading
from pathlib import Path

import pytest

from monitor.config import document, validation
from monitor.config.errors import ConfigurationError, UnreadableError
from monitor.config.load import load_settings, parse_settings
from monitor.config.validation import MAX_BYTES, read_file


def test_a_file_may_have_four_mebibytes(tmp_path: Path) -> None:
    """One byte more is refused, with a problem like any other."""
    path = tmp_path / "monitor.yaml"
    path.write_bytes(b"products: [pp-a]\n".ljust(MAX_BYTES, b"#"))
    assert len(load_settings(path).products) == 1
    path.write_bytes(b"products: [pp-a]\n".ljust(MAX_BYTES + 1, b"#"))
    with pytest.raises(ConfigurationError, match=r"^.*monitor\.yaml:1: the file is larger than 4 MiB$"):
        load_settings(path)


def test_a_file_without_end_is_refused() -> None:
    """`/dev/zero` is read as far as the limit."""
    with pytest.raises(ConfigurationError, match="larger than 4 MiB"):
        load_settings(Path("/dev/zero"))


def test_a_fifo_without_a_writer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening it does not wait for a writer."""
    monkeypatch.setattr(validation, "READ_SECONDS", 0.05)
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with pytest.raises(TimeoutError):
        read_file(path)


def test_a_pipe_is_read_to_its_end() -> None:
    """As in `--config <(helm template ...)`: what comes later is part of the file."""
    reader, writer = os.pipe()
    os.write(writer, b"products: ")

    def write_the_rest() -> None:
        os.write(writer, b"[pp-a]")
        os.close(writer)

    thread = threading.Thread(target=write_the_rest)
    thread.start()
    assert read_file(Path(f"/dev/fd/{reader}")) == b"products: [pp-a]"
    thread.join()
    os.close(reader)


def test_a_pipe_that_sends_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an open writer there is never an end of file."""
    monkeypatch.setattr(validation, "READ_SECONDS", 0.05)
    reader, writer = os.pipe()
    with pytest.raises(OSError, match=r"not complete after 0\.05 s") as refused:
        read_file(Path(f"/dev/fd/{reader}"))
    assert refused.value.errno == errno.ETIMEDOUT
    with pytest.raises(UnreadableError, match=rf"^cannot read the configuration file /dev/fd/{reader}: not complete"):
        load_settings(Path(f"/dev/fd/{reader}"))
    os.close(writer)
    os.close(reader)


def test_many_values_are_refused_before_they_are_all_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """4 MiB can hold two million values, which take a minute to parse."""
    monkeypatch.setattr(document, "MAX_VALUES", 100)
    with pytest.raises(ConfigurationError, match=r"^x:200: more than \d+ values"):
        parse_settings(b"- x\n" * 500_000, Path("x"))
