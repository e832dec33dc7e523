"""One gzip stream out of pieces that were packed one by one."""

import gzip
import subprocess
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.metrics import pieces
from monitor.metrics.pieces import EMPTY, Exposition, Section, part, piece

texts = st.lists(st.lists(st.binary(max_size=2000), max_size=4), max_size=4)


def exposition(groups: list[list[bytes]]) -> Exposition:
    """Pack each text as a piece, each group as a part."""
    return Exposition([Section([part(piece(text) for text in group)]) for group in groups])


@given(texts)
def test_the_stream_is_the_text(groups: list[list[bytes]]) -> None:
    """What comes out of gzip is what went in, in its order, and the lengths are right beforehand."""
    shown = exposition(groups)
    text = b"".join(map(b"".join, groups))
    stream = b"".join(shown.gzip())
    assert b"".join(shown.text()) == text
    assert gzip.decompress(stream) == text
    assert (shown.length, shown.gzip_length) == (len(text), len(stream))


@given(texts)
def test_the_stream_is_one_member(groups: list[list[bytes]]) -> None:
    """A reader that stops after the first member, as curl does, has read everything."""
    stream = b"".join(exposition(groups).gzip())
    reader = zlib.decompressobj(wbits=31)
    assert reader.decompress(stream) == b"".join(map(b"".join, groups))
    assert reader.eof
    assert reader.unused_data == b""


@pytest.mark.needs("gzip")
def test_gzip_itself_finds_the_checksum_right() -> None:
    """The CRC that is worked out from the pieces is the one of the whole text."""
    shown = exposition([[b"a" * 100_000, b""], [], [b"some lines\n", bytes(range(256)) * 300]])
    test = subprocess.run(["gzip", "--test"], input=b"".join(shown.gzip()), capture_output=True, check=False)
    assert (test.returncode, test.stderr) == (0, b"")


def test_nothing_is_a_stream_too() -> None:
    """An exposition without pieces is an empty gzip stream, and empty pieces are left out."""
    shown = Exposition([Section([part([]), part([EMPTY, piece(b"")])])])
    assert gzip.decompress(b"".join(shown.gzip())) == b""
    assert list(shown.text()) == []


def test_text_is_kept_up_to_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who scrapes text finds it unpacked the next time, but not where it would take too much memory."""
    shown = exposition([[b"a" * 100], [b"b" * 100]])
    kept = [list(shown.text()), list(shown.text())]
    assert all(one is other for one, other in zip(*kept, strict=True))
    monkeypatch.setattr(pieces, "KEPT_TEXT_BYTES", 199)
    list(shown.text())
    assert not any(one is other for one, other in zip(shown.text(), kept[0], strict=True))
