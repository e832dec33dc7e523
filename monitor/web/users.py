"""The users of `basic_auth_users`: bcrypt, which is slow on purpose, kept away from the scrapes.

A check takes a quarter of a second of a processor at bcrypt's usual cost. So checks run on threads, a couple
at once; what came out of one is stored, as Prometheus comes with the same password every minute; and where
too many wait, the next client is told to come again.
"""

import asyncio
import base64
import hmac
import secrets
from binascii import Error as Base64Error
from collections import OrderedDict
from collections.abc import Iterable, Mapping

import bcrypt

from monitor.web.aside import aside

AT_ONCE = 2
"""Checks that run at the same time."""
WAITING = 16
"""Checks that run or wait; one more client gets a 503."""
REMEMBERED = 256
"""Outcomes kept of each kind, so that wrong passwords cannot push out right ones."""
LONGEST_HEADER = 1024
BCRYPT_BYTES = 72
"""bcrypt looks at no more of a password; its library refuses what htpasswd and Go cut off."""


class BusyError(Exception):
    """Too many checks wait."""


class Users:
    """Who may come in."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        """Know users by their names and the bcrypt hashes of their passwords."""
        self._hashes = {name.encode(): digest.encode() for name, digest in hashes.items()}
        self._stranger = _nobody(self._hashes.values())
        self._key = secrets.token_bytes(32)
        self._outcomes: dict[bool, OrderedDict[bytes, None]] = {True: OrderedDict(), False: OrderedDict()}
        self._checks = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def admit(self, authorization: bytes) -> bool:
        """Say whether an `Authorization` header is one of a user's. Raises `BusyError`."""
        credentials = _credentials(authorization)
        if credentials is None:
            return False
        # StoredProduct is only a keyed digest: passwords are nowhere in memory longer than their request.
        digest = hmac.digest(self._key, credentials, "sha256")
        known = self._remembered(digest)
        if known is not None:
            return known
        if self._waiting >= WAITING:
            raise BusyError
        self._waiting += 1
        try:
            async with self._checks:
                known = self._remembered(digest)  # found while this one waited
                if known is None:
                    known = await aside(lambda: self._check(credentials), "web-password")
                    self._remember(digest, admitted=known)
                return known
        finally:
            self._waiting -= 1

    def _check(self, credentials: bytes) -> bool:
        """Compare a password; for a user who does not exist that takes as long as for one who does."""
        name, _, password = credentials.partition(b":")
        return bcrypt.checkpw(password[:BCRYPT_BYTES], self._hashes.get(name, self._stranger))

    def _remembered(self, digest: bytes) -> bool | None:
        for admitted, outcomes in self._outcomes.items():
            if digest in outcomes:
                outcomes.move_to_end(digest)
                return admitted
        return None

    def _remember(self, digest: bytes, *, admitted: bool) -> None:
        outcomes = self._outcomes[admitted]
        outcomes[digest] = None
        if len(outcomes) > REMEMBERED:
            outcomes.popitem(last=False)


def _credentials(authorization: bytes) -> bytes | None:
    """Return `NAME:PASSWORD` of a header `Basic BASE64`, and None for any other."""
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"basic" or len(authorization) > LONGEST_HEADER:
        return None
    try:
        credentials = base64.b64decode(encoded.strip(), validate=True)
    except Base64Error:
        return None
    return credentials if b":" in credentials else None


def _nobody(hashes: Iterable[bytes]) -> bytes:
    """Return a hash that no password has, as costly as the costliest of the users'."""
    cost = max(digest.split(b"$")[2] for digest in hashes)
    return b"$2b$" + cost + b"$" + b"." * 53
