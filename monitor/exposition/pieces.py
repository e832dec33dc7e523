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

LEVEL = 6
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


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lines: as text, packed, and what the trailer needs to know of them."""

    text: bytes
    packed: bytes
    crc: int
    shift: int
    """x to the power of the bits in `text`, modulo the CRC's polynomial."""


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


EMPTY = Piece(b"", b"", 0, _ONE)


def piece(text: bytes) -> Piece:
    """Pack a piece."""
    if not text:
        return EMPTY
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, _RAW)
    packed = packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)
    return Piece(text, packed, zlib.crc32(text), _power(8 * len(text)))


def checksum(pieces: Iterable[Piece]) -> Checksum:
    """Work out the checksum of pieces without looking at their text again."""
    crc, shift, length, packed_length = 0, _ONE, 0, 0
    for part in pieces:
        crc = _times(part.shift, crc) ^ part.crc
        shift = _times(part.shift, shift)
        length += len(part.text)
        packed_length += len(part.packed)
    return Checksum(crc, shift, length, packed_length)


@dataclass(frozen=True, slots=True)
class Part:
    """Pieces that belong together, and their checksum."""

    pieces: tuple[Piece, ...]
    checksum: Checksum


def part(pieces: Iterable[Piece]) -> Part:
    """Put pieces together; empty ones are left out."""
    filled = tuple(piece for piece in pieces if piece.text)
    return Part(filled, checksum(filled))


class Exposition:
    """A whole answer to a scrape, as text or as one gzip stream, without a copy of either."""

    def __init__(self, parts: Sequence[Part]) -> None:
        """Put parts one after the other."""
        self._pieces = [piece for part in parts for piece in part.pieces]
        self._total = Checksum()
        for one in parts:
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
        """Return the text, in pieces."""
        return (piece.text for piece in self._pieces)

    def gzip(self) -> Iterator[bytes]:
        """Return the gzip stream, in pieces."""
        yield _HEADER
        for one in self._pieces:
            yield one.packed
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
