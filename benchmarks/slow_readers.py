"""The memory of the web server while many clients request the uncompressed metrics and read nothing."""

import socket
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass

from benchmarks.clients import body, scrapes
from benchmarks.fleets import Fleet
from benchmarks.serve import serve
from benchmarks.usage import memory

ANSWERED_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class SlowReaders:
    """What some clients that do not read cost the others."""

    before: int
    """Resident memory in KiB after a scrape of the text."""
    during: int
    answered: int
    """The clients to which the server has begun to send metrics."""
    scrape: float
    """Seconds of a scrape with gzip beside them."""


def measure(fleet: Fleet, clients: int) -> SlowReaders:
    """Connect so many clients, and scrape beside them."""
    with serve(fleet) as (target, pid), ExitStack() as stack:
        body(target, gzip=False)
        before = memory(pid).now
        host, port = target.address.split(":")
        opened = [stack.enter_context(closing(socket.create_connection((host, int(port))))) for _ in range(clients)]
        for client in opened:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: monitor\r\n\r\n")
        end = time.monotonic() + ANSWERED_SECONDS
        answered = 0
        for client in opened:
            client.settimeout(max(0.1, end - time.monotonic()))
            answered += client.recv(16, socket.MSG_PEEK).startswith(b"HTTP/1.1 200")
        took = sorted(scrapes(target, gzip=True, concurrency=1, each=20))
        return SlowReaders(before, memory(pid).now, answered, took[len(took) // 2])
