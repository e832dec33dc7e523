"""Limits on what clients may use. Times are in seconds."""

import resource
from dataclasses import dataclass

HEADER_BYTES = 16 * 1024
"""Maximum size of a request line and its headers together."""
URL_BYTES = 8 * 1024
"""Maximum size of a path and query."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Timeouts and caps of the server. The defaults leave a wide margin for Prometheus and browsers."""

    connections: int = 512
    """Open connections. At the cap, a new connection replaces one that waits for a request."""
    scrapes: int = 8
    """Scrapes that are sent at the same time; another one is answered with 503. Prometheus servers come in pairs."""
    tls_handshake: float = 5.0
    """A whole TLS handshake."""
    request_head: float = 10.0
    """A whole request head: from the start of the connection, or from the first byte of a later request."""
    response: float = 60.0
    """A whole response, until the client has received it. Prometheus' scrape_timeout is shorter in practice."""
    keep_alive: float = 75.0
    """Idle time between two requests. Longer than the usual scrape interval, so that connections are reused."""
    close: float = 5.0
    """End of a connection that the server has closed: with TLS, the client has to confirm it."""
    web_config_interval: float = 1.0
    """Time between two checks of the web configuration and its certificates for changes."""

    @property
    def max_connections(self) -> int:
        """Return `connections`, but at most half of the file descriptors that the process may open."""
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if descriptors == resource.RLIM_INFINITY:
            return self.connections
        return max(1, min(self.connections, descriptors // 2))
