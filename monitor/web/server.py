"""The server: uvicorn on a thread of its own, where it leaves the signals alone, on a socket bound before."""

import socket
import threading

import uvicorn
from starlette.types import ASGIApp

KEEP_ALIVE_SECONDS = 75
"""Longer than the usual scrape interval of a minute, so that Prometheus keeps its connection."""
HEADER_BYTES = 16 * 1024
BACKLOG = 512


class ListenError(Exception):
    """The address cannot be listened on; one sentence that says why."""


def listen(address: str) -> socket.socket:
    """Bind and return a socket for `HOST:PORT`, `[IPv6]:PORT` or `:PORT`; port 0 takes a free one.

    Raises `ListenError`.
    """
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004 - the last port there is
        message = f"cannot listen on {address!r}: it is not HOST:PORT"
        raise ListenError(message)
    try:
        found = socket.getaddrinfo(host or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, where = found[0]
        bound = socket.create_server(where[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        message = f"cannot listen on {address}: {error.strerror or error}"
        raise ListenError(message) from error
    return bound


class Server:
    """Serves an application until it is stopped."""

    def __init__(self, app: ASGIApp, bound: socket.socket) -> None:
        """Serve on a bound socket; its address is `address`."""
        host, port = bound.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._socket = bound
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=1,
                h11_max_incomplete_event_size=HEADER_BYTES,
            )
        )
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def alive(self) -> bool:
        """Say whether it still serves."""
        return self._thread.is_alive()

    def stop(self, timeout: float) -> None:
        """Stop serving; what is under way has a second to end."""
        self._server.should_exit = True
        self._thread.join(timeout)

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])
