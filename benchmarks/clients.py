"""Scrapes that cost the client as little as can be, so that the server is what is measured."""

import socket
import threading
import time
from dataclasses import dataclass

TAKE = 1 << 18
"""Bytes that are taken at a time, and thrown away."""


class Client:
    """One kept connection to a server."""

    def __init__(self, address: str, path: str, *, gzip: bool) -> None:
        """Connect."""
        host, port = address.rsplit(":", 1)
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        encoding = "gzip" if gzip else "identity"
        self._request = f"GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept-Encoding: {encoding}\r\n\r\n".encode()
        self._room = memoryview(bytearray(TAKE))

    def scrape(self, keep: list[bytes] | None = None) -> float:
        """Scrape once; return the seconds from the request to the last byte. The body goes to `keep`."""
        begun = time.perf_counter()
        self._socket.sendall(self._request)
        head = b""
        while (end := head.find(b"\r\n\r\n")) < 0:
            head += self._more(len(self._room))
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
                keep.append(self._more(min(left, TAKE)))
                left -= len(keep[-1])
            else:
                left -= self._took(min(left, TAKE))
        return time.perf_counter() - begun

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _took(self, most: int) -> int:
        count = self._socket.recv_into(self._room, most)
        if not count:
            raise RuntimeError("the server hung up")
        return count

    def _more(self, most: int) -> bytes:
        return bytes(self._room[: self._took(most)])


@dataclass(frozen=True, slots=True)
class Target:
    """Where to scrape."""

    address: str
    path: str = "/metrics"


def body(target: Target, *, gzip: bool) -> bytes:
    """Return what a server answers."""
    client, kept = Client(target.address, target.path, gzip=gzip), list[bytes]()
    client.scrape(kept)
    client.close()
    return b"".join(kept)


def scrapes(target: Target, *, gzip: bool, at_once: int, each: int) -> list[float]:
    """Let so many clients scrape at once, each so often, back to back; return the seconds of each scrape."""
    clients = [Client(target.address, target.path, gzip=gzip) for _ in range(at_once)]
    gate = threading.Barrier(at_once)
    took: list[float] = []

    def work(client: Client) -> None:
        client.scrape()
        gate.wait()
        took.extend([client.scrape() for _ in range(each)])

    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    return took
