"""Chunks that are compressed one by one and concatenated to one gzip stream."""

import gzip
import subprocess
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.metrics import chunk
from monitor.metrics.chunk import EMPTY, TEXT_PART_BYTES, Chunk, Exposition

texts = st.lists(st.lists(st.binary(max_size=2000), max_size=4), max_size=4)


def exposition(groups: list[list[bytes]]) -> Exposition:
    """Compress each text, and concatenate those of a group to one chunk."""
    return Exposition(Chunk.concatenate(map(Chunk.compress, group)) for group in groups)


@given(texts)
def test_gzip_is_one_member_with_the_text(groups: list[list[bytes]]) -> None:
    """A client that stops after the first member, as curl does, has the whole text; both lengths are known before."""
    response = exposition(groups)
    text = b"".join(map(b"".join, groups))
    stream = b"".join(response.gzip())
    assert b"".join(response.text()) == text
    assert (response.length, response.gzip_length) == (len(text), len(stream))
    reader = zlib.decompressobj(wbits=31)
    assert reader.decompress(stream) == text
    assert (reader.eof, reader.unused_data) == (True, b"")


@pytest.mark.needs("gzip")
def test_gzip_itself_accepts_the_checksum() -> None:
    """The combined CRC of chunks of several sizes is that of the whole text."""
    response = exposition([[b"a" * 100_000, b""], [], [b"some lines\n", bytes(range(256)) * 300]])
    test = subprocess.run(["gzip", "--test"], input=b"".join(response.gzip()), capture_output=True, check=False)
    assert (test.returncode, test.stderr) == (0, b"")


def test_an_exposition_without_chunks_is_empty() -> None:
    """It is a valid gzip stream without text, and empty chunks are left out."""
    response = exposition([[], [b""]])
    assert Chunk.concatenate([EMPTY]) is Chunk.compress(b"") is EMPTY
    assert gzip.decompress(b"".join(response.gzip())) == b""
    assert list(response.text()) == []


def test_text_is_yielded_in_small_parts() -> None:
    """A client that reads nothing does not hold the text of a large chunk."""
    response = exposition([[bytes(TEXT_PART_BYTES), b"a" * TEXT_PART_BYTES, b"b"]])
    assert [len(part) for part in response.text()] == [TEXT_PART_BYTES, TEXT_PART_BYTES, 1]


def test_text_is_kept_up_to_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next client gets the same decompressed text, unless it takes too much memory."""
    response = exposition([[b"a" * 100], [b"b" * 100]])
    kept = [list(response.text()), list(response.text())]
    assert all(one is other for one, other in zip(*kept, strict=True))
    monkeypatch.setattr(chunk, "KEPT_TEXT_BYTES", 199)
    list(response.text())
    assert not any(one is other for one, other in zip(response.text(), kept[0], strict=True))
