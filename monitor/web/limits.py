"""What a client may take of the server: how many at once, and how long for what. Times are seconds."""

import resource
from dataclasses import dataclass

HEAD_BYTES = 16 * 1024
"""Of a request line and its headers together."""
TARGET_BYTES = 8 * 1024
"""Of a path and query."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The defaults are generous to Prometheus and to people."""

    connections: int = 512
    """Open connections. One more takes the place of the one that has waited longest without a request."""
    scrapes: int = 8
    """Scrapes that are sent at the same time; one more gets a 503. Prometheus comes alone or in pairs."""
    handshake: float = 5.0
    """For a whole TLS handshake."""
    head: float = 10.0
    """For a whole request head: from the connection on, and for a later one from its first byte on."""
    response: float = 60.0
    """For a response, until the client has taken all of it. No scrape_timeout is longer in practice."""
    keep_alive: float = 75.0
    """Between two requests: longer than the usual scrape interval, so that Prometheus keeps its connection."""
    closing: float = 5.0
    """For a client to take what is left once the server has closed."""
    renewal: float = 1.0
    """Between two looks at the web configuration and its certificates."""

    @property
    def most_connections(self) -> int:
        """`connections`, but never more than half of the descriptors that the process may have."""
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return self.connections if most == resource.RLIM_INFINITY else max(1, min(self.connections, most // 2))
