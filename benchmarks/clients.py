"""A scrape client that needs as little CPU time as possible, so that the server is measured."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

RECEIVE_BYTES = 1 << 18
"""Size of the buffer for one receive."""


class Client:
    """One persistent connection to a server."""

    def __init__(self, address: str, path: str, *, gzip: bool) -> None:
        """Connect."""
        host, port = address.rsplit(":", 1)
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        encoding = "gzip" if gzip else "identity"
        self._request = f"GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept-Encoding: {encoding}\r\n\r\n".encode()
        self._buffer = memoryview(bytearray(RECEIVE_BYTES))

    def scrape(self, keep: list[bytes] | None = None) -> float:
        """Scrape once, and return the seconds from the request to the last byte. The body is appended to `keep`."""
        started = time.perf_counter()
        self._socket.sendall(self._request)
        head = b""
        while (end := head.find(b"\r\n\r\n")) < 0:
            head += self._receive(len(self._buffer))
        lines = head[:end].decode("latin-1").lower().split("\r\n")
        if " 200 " not in lines[0]:
            raise RuntimeError(lines[0])
        fields = dict(line.split(": ", 1) for line in lines[1:])
        body = head[end + 4 :]
        left = int(fields["content-length"]) - len(body)
        if keep is not None:
            keep.append(body)
        while left:
            if keep is not None:
                keep.append(self._receive(min(left, RECEIVE_BYTES)))
                left -= len(keep[-1])
            else:
                left -= self._receive_into(min(left, RECEIVE_BYTES))
        return time.perf_counter() - started

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _receive_into(self, limit: int) -> int:
        count = self._socket.recv_into(self._buffer, limit)
        if not count:
            raise RuntimeError("the server closed the connection")
        return count

    def _receive(self, limit: int) -> bytes:
        return bytes(self._buffer[: self._receive_into(limit)])


@dataclass(frozen=True, slots=True)
class Target:
    """The address and path of a scrape."""

    address: str
    path: str = "/metrics"


def body(target: Target, *, gzip: bool) -> bytes:
    """Return the body of a scrape."""
    client, kept = Client(target.address, target.path, gzip=gzip), list[bytes]()
    client.scrape(kept)
    client.close()
    return b"".join(kept)


def scrapes(target: Target, *, gzip: bool, concurrency: int, each: int) -> list[float]:
    """Scrape with several clients at once, each `each` times without a pause; return the seconds of each scrape."""
    clients = [Client(target.address, target.path, gzip=gzip) for _ in range(concurrency)]
    barrier = threading.Barrier(concurrency)
    seconds: list[float] = []

    def work(client: Client) -> None:
        try:
            client.scrape()
            barrier.wait()
        except Exception:
            barrier.abort()  # otherwise the other clients wait for ever
            raise
        seconds.extend([client.scrape() for _ in range(each)])

    with ThreadPoolExecutor(concurrency) as pool:
        list(pool.map(work, clients))
    for client in clients:
        client.close()
    return seconds
