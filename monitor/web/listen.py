"""The listening socket."""

import os
import socket
from contextlib import suppress

BACKLOG = 512
WILDCARDS = ("", "::")


class ListenError(Exception):
    """The server cannot listen on an address; the message says why."""


def listen(address: str) -> socket.socket:
    """Return a socket that listens on `HOST:PORT`, `[IPv6]:PORT` or `:PORT`; port 0 takes a free port.

    `:PORT` and `[::]:PORT` listen on all IPv4 and IPv6 addresses, as in Go; without IPv6, on all IPv4 addresses.

    Raises:
        ListenError: the host is unknown, or the address cannot be bound.
    """
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        if host in WILDCARDS:
            return _listen_on_all(int(port))
        family, _, _, _, bind_to = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        return socket.create_server(bind_to[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        # create_server repeats the address in its message; getaddrinfo has error numbers of its own, below 0.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        message = f"cannot listen on {address}: {reason or error}"
        raise ListenError(message) from error


def _listen_on_all(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        with suppress(OSError):  # IPv6 may be disabled; a port in use fails below as well
            return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
    return socket.create_server(("0.0.0.0", port), backlog=BACKLOG)  # noqa: S104 - as the address says
