"""HTTP basic authentication against bcrypt hashes, without letting guesses use up the processor.

A bcrypt check of cost 12 takes a quarter of a second of a processor. So results are remembered, since Prometheus sends
the same password with every scrape, and the checks of passwords that were never right run one at a time, apart from the
checks of those that were.
"""

import asyncio
import base64
import hmac
import secrets
from binascii import Error as Base64Error
from collections import Counter, OrderedDict
from collections.abc import Mapping

import bcrypt

# Results kept of each kind, so that wrong passwords cannot displace right ones.
REMEMBERED = 256
# Passwords that were never right and are being checked or wait; another one is answered with 503.
QUEUED = 32
# The same of one client address.
QUEUED_PER_CLIENT = 8
HEADER_BYTES = 1024
# bcrypt ignores the rest of a password; its Python library refuses what htpasswd and Go cut off.
BCRYPT_BYTES = 72


class TooManyChecksError(Exception):
    """Too many passwords wait to be checked."""


class BasicAuth:
    """Checks `Authorization` headers. Use it from one event loop only.

    A result is remembered with the hash that it was found for. So it holds after a new web configuration was loaded, as
    long as the user's hash is the same.
    """

    def __init__(self) -> None:
        """Start without any result."""
        # Only keyed digests of passwords stay in memory.
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, bytes] = OrderedDict()
        self._wrong: OrderedDict[bytes, bytes] = OrderedDict()
        # One slot for each kind: a flood of guesses takes one processor at most, and no slot of Prometheus.
        self._known_slot = asyncio.Semaphore(1)
        self._unknown_slot = asyncio.Semaphore(1)
        self._queued: Counter[str] = Counter()

    async def allows(self, authorization: bytes, users: Mapping[bytes, bytes], client: str) -> bool:
        """Say whether an `Authorization` header has the password of a user.

        Args:
            authorization: the value of the header.
            users: the bcrypt hash of each user's password; at least one.
            client: the address of the client.

        Raises:
            TooManyChecksError: the password is unknown, and too many others wait.
        """
        credentials = _credentials(authorization)
        if credentials is None:
            return False
        name, _, password = credentials.partition(b":")
        highest_cost = max(map(_cost, users.values()))
        expected = users.get(name) or _impossible_hash(highest_cost)
        digest = hmac.digest(self._key, credentials, "sha256")
        if (result := self._remembered(digest, expected)) is not None:
            return result
        if digest in self._right:  # under an earlier hash: the user's, and no guess
            return await self._check(self._known_slot, digest, password, expected, highest_cost)
        if self._queued.total() >= QUEUED or self._queued[client] >= QUEUED_PER_CLIENT:
            raise TooManyChecksError
        self._queued[client] += 1
        try:
            return await self._check(self._unknown_slot, digest, password, expected, highest_cost)
        finally:
            self._queued[client] -= 1
            if not self._queued[client]:
                del self._queued[client]

    async def _check(
        self, slot: asyncio.Semaphore, digest: bytes, password: bytes, expected: bytes, highest_cost: int
    ) -> bool:
        async with slot:
            result = self._remembered(digest, expected)  # while this one waited for the slot
            if result is None:
                result = await asyncio.to_thread(_matches, password[:BCRYPT_BYTES], expected, highest_cost)
                self._remember(digest, expected, result=result)
        return result

    def _remembered(self, digest: bytes, expected: bytes) -> bool | None:
        for results, result in ((self._right, True), (self._wrong, False)):
            if results.get(digest) == expected:
                results.move_to_end(digest)
                return result
        return None

    def _remember(self, digest: bytes, expected: bytes, *, result: bool) -> None:
        results = self._right if result else self._wrong
        results[digest] = expected
        if len(results) > REMEMBERED:
            results.popitem(last=False)


def _credentials(authorization: bytes) -> bytes | None:
    """Return `NAME:PASSWORD` of a header `Basic BASE64`, and None for any other header."""
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"basic" or len(authorization) > HEADER_BYTES:
        return None
    try:
        credentials = base64.b64decode(encoded.strip(), validate=True)
    except Base64Error:
        return None
    return credentials if b":" in credentials else None


def _matches(password: bytes, expected: bytes, highest_cost: int) -> bool:
    """Compare a password with a hash. A wrong one takes the same time for each user, and for a name without user.

    Each cost doubles the work, so that one check of each cost from the user's up to the highest one complete it:
    2^c + (2^c + 2^(c+1) + ... + 2^(highest-1)) = 2^highest.
    """
    if bcrypt.checkpw(password, expected):
        return True
    for cost in range(_cost(expected), highest_cost):
        bcrypt.checkpw(password, _impossible_hash(cost))
    return False


def _cost(digest: bytes) -> int:
    return int(digest.split(b"$")[2])


def _impossible_hash(cost: int) -> bytes:
    """Return a hash that no password has."""
    return b"$2b$%02d$" % cost + b"." * 53
