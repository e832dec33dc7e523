"""The CRC-32 of a concatenation, computed from the CRCs and lengths of its parts.

zlib has this as `crc32_combine`, which Python does not expose. A CRC is the remainder of a division of polynomials
over GF(2). Appending n bytes multiplies the polynomial by x to the power 8n, so that
crc(a + b) = crc(a) * x^(8 * len(b)) + crc(b). Polynomials are stored as zlib does it: the highest bit is x^0.
"""

from collections.abc import Iterable
from functools import lru_cache

_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31
"""x to the power 0."""


def combine_crc32(parts: Iterable[tuple[int, int]]) -> int:
    """Return the CRC-32 of the concatenation of parts, each given by its CRC-32 and its length in bytes."""
    crc = 0
    for part_crc, length in parts:
        crc = (_multiply(_power_of_x(8 * length), crc) if crc else 0) ^ part_crc
    return crc


def _multiply(a: int, b: int) -> int:
    """Multiply two polynomials modulo the polynomial of the CRC."""
    product = 0
    while a:
        if a & _ONE:
            product ^= b
        a = (a << 1) & 0xFFFFFFFF
        b = (b >> 1) ^ _POLYNOMIAL if b & 1 else b >> 1
    return product


def _repeated_squares() -> tuple[int, ...]:
    """Return x to the powers 1, 2, 4, 8, ..., enough for the length of any text in bits."""
    powers = [_ONE >> 1]
    for _ in range(63):
        powers.append(_multiply(powers[-1], powers[-1]))
    return tuple(powers)


_SQUARES = _repeated_squares()


@lru_cache(maxsize=16_384)  # products of the same shape have texts of the same length
def _power_of_x(exponent: int) -> int:
    """Return x to the power `exponent`, by repeated squaring."""
    result, place = _ONE, 0
    while exponent:
        if exponent & 1:
            result = _multiply(_SQUARES[place], result)
        exponent >>= 1
        place += 1
    return result
