"""Pieces of an exposition, packed once and put together to one gzip stream as often as it is scraped.

A gzip body may be several members one after the other, and Prometheus reads that; curl stops
after the first. So each piece is packed as DEFLATE data that ends on a whole byte (RFC 1951, section 3.2.4,
an empty stored block), and the scrape puts a header before and a trailer after them (RFC 1952). The trailer
has the CRC of everything, which is worked out from the CRCs of the pieces, as zlib's crc32_combine does.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

LEVEL = 3
"""A third of the time of level 6, for a tenth more bytes."""
KEPT_TEXT_BYTES = 64 << 20
"""A scrape's text is kept up to this size, some 350,000 series; a larger one is unpacked each time."""
_RAW = -zlib.MAX_WBITS
"""zlib's way to ask for DEFLATE data without header and trailer."""
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""gzip, DEFLATE, no name, no time, system unknown."""
_END = b"\x03\x00"
"""An empty last block."""

_TRAILER = struct.Struct("<LL")
"""CRC and length, modulo 2 to the power 32."""

_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31
"""x to the power 0, the bits being reflected."""


class Piece:
    """Some lines, packed, and what the trailer needs to know of them.

    The text is a tenfold of that. It is kept only where somebody wants text again and again, see `Exposition`.
    """

    __slots__ = ("_text", "crc", "length", "packed", "shift")

    def __init__(self, text: bytes, packed: bytes) -> None:
        """Take a text and what it is when it is packed."""
        self.packed = packed
        self.length = len(text)
        self.crc = zlib.crc32(text)
        self.shift = _power(8 * len(text))
        """x to the power of the bits in the text, modulo the CRC's polynomial."""
        self._text: bytes | None = None

    def text(self, *, keep: bool) -> bytes:
        """Return the text; keep it for the next time, or give up what was kept."""
        text = self._text
        if text is None:
            text = zlib.decompressobj(_RAW).decompress(self.packed)
        self._text = text if keep else None
        return text


@dataclass(frozen=True, slots=True)
class Checksum:
    """The CRC and length of pieces one after the other."""

    crc: int = 0
    shift: int = _ONE
    length: int = 0
    packed_length: int = 0

    def then(self, after: "Checksum") -> "Checksum":
        """Return the checksum of both together."""
        return Checksum(
            _times(after.shift, self.crc) ^ after.crc,
            _times(after.shift, self.shift),
            self.length + after.length,
            self.packed_length + after.packed_length,
        )


def piece(text: bytes) -> Piece:
    """Pack a piece."""
    if not text:
        return EMPTY
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, _RAW)
    return Piece(text, packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH))


@dataclass(frozen=True, slots=True)
class Part:
    """Pieces that belong together, and their checksum."""

    pieces: tuple[Piece, ...]
    checksum: Checksum


def part(pieces: Iterable[Piece]) -> Part:
    """Put pieces together; empty ones are left out."""
    filled = tuple(piece for piece in pieces if piece.length)
    crc, shift, length, packed_length = 0, _ONE, 0, 0
    for one in filled:
        crc = _times(one.shift, crc) ^ one.crc
        shift = _times(one.shift, shift)
        length += one.length
        packed_length += len(one.packed)
    return Part(filled, Checksum(crc, shift, length, packed_length))


class Section:
    """Parts one after the other, which are sent again and again as they are."""

    def __init__(self, parts: Iterable[Part]) -> None:
        """Put parts together."""
        self.checksum = Checksum()
        self.pieces: list[Piece] = []
        for one in parts:
            self.checksum = self.checksum.then(one.checksum)
            self.pieces.extend(one.pieces)

    @cached_property
    def packed(self) -> bytes:
        """The packed pieces as one: a scrape is then a few calls to the kernel, and not one for each piece."""
        return b"".join(piece.packed for piece in self.pieces)


class Exposition:
    """A whole answer to a scrape, as text or as one gzip stream."""

    def __init__(self, sections: Sequence[Section]) -> None:
        """Put sections one after the other."""
        self._sections = sections
        self._total = Checksum()
        for one in sections:
            self._total = self._total.then(one.checksum)

    @property
    def length(self) -> int:
        """Bytes of the text."""
        return self._total.length

    @property
    def gzip_length(self) -> int:
        """Bytes of the gzip stream."""
        return len(_HEADER) + self._total.packed_length + len(_END) + _TRAILER.size

    def text(self) -> Iterator[bytes]:
        """Return the text, in pieces.

        Prometheus asks for gzip. Who asks for text gets it unpacked, which costs more than all the rest of a
        scrape; so as much of it as fits is kept for the next time.
        """
        keep = self._total.length <= KEPT_TEXT_BYTES
        return (piece.text(keep=keep) for section in self._sections for piece in section.pieces)

    def gzip(self) -> Iterator[bytes]:
        """Return the gzip stream, in pieces."""
        yield _HEADER
        for section in self._sections:
            yield section.packed
        yield _END + _TRAILER.pack(self._total.crc, self._total.length & 0xFFFFFFFF)


def _times(a: int, b: int) -> int:
    """Multiply two polynomials over GF(2) modulo the CRC's polynomial."""
    product = 0
    while a:
        if a & _ONE:
            product ^= b
        a = (a << 1) & 0xFFFFFFFF
        b = (b >> 1) ^ _POLYNOMIAL if b & 1 else b >> 1
    return product


def _squares() -> tuple[int, ...]:
    """Return x to the powers 1, 2, 4, 8, ..."""
    powers = [_ONE >> 1]
    for _ in range(63):
        powers.append(_times(powers[-1], powers[-1]))
    return tuple(powers)


_SQUARES = _squares()


def _power(bits: int) -> int:
    """Return x to the power `bits`."""
    result, place = _ONE, 0
    while bits:
        if bits & 1:
            result = _times(_SQUARES[place], result)
        bits >>= 1
        place += 1
    return result


EMPTY = Piece(b"", b"")
