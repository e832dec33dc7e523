"""The web configuration in the form in which the server applies it to connections and requests."""

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from monitor.web.tls import Certificate, alternative_names


class TokenBucket:
    """`rate_limit` as in exporter-toolkit: `burst` requests at once, and then one each `interval` seconds."""

    def __init__(self, interval: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with a full bucket."""
        self._interval = interval
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._refilled_at = clock()

    def take(self) -> bool:
        """Take a token for one request. Return False if there is none."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._refilled_at) / self._interval)
        self._refilled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Who may connect and send requests; by default, every client."""

    tls_context: ssl.SSLContext | None = None
    client_trust: object = field(default=None, repr=False)
    """What decides which clients are trusted. An open connection is refused once this differs from what it was when
    the connection was accepted."""
    allowed_names: frozenset[str] = frozenset()
    """Subject alternative names of client certificates; empty: any name."""
    users: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)
    """Bcrypt hashes by user name; empty: no password is required."""
    rate_limit: TokenBucket | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Sent with every response."""

    def allows(self, certificate: Certificate | None) -> bool:
        """Say whether a client certificate is still valid and has an allowed name.

        OpenSSL has verified it in the handshake, and has refused a client without one, if one is required.
        """
        if not certificate:
            return True
        if ssl.cert_time_to_seconds(certificate["notAfter"]) < time.time():
            return False
        return not self.allowed_names or not self.allowed_names.isdisjoint(alternative_names(certificate))
