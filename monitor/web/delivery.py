"""A large body on its way to a client, past the event loop.

asyncio sends what the kernel takes at once and copies the rest, then goes on in steps between everything else.
Here the rest is sent by a thread that blocks, so that it waits in the kernel and not for its turn, and nothing is
copied. The kernel's buffer is all that a slow client holds.
"""

import errno
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing

from monitor.web.aside import Crew

DELIVERY = "stackset_monitor.delivery"
"""The ASGI extension under which a connection offers this to the application."""
Deliver = Callable[[Iterator[bytes], int], Awaitable[None]]
"""Sends pieces that have so many bytes together, as the whole body of the response that was started."""

BATCH_BYTES = 1 << 20
MOST_PIECES = 512
"""The kernel takes 1,024 in one call."""
AT_ONCE_BYTES = 2 << 20
"""The event loop gives the kernel at most this much by itself, or a client who reads quickly would have it alone."""


async def deliver(wire: socket.socket, pieces: Iterator[bytes], seconds: float, crew: Crew) -> None:
    """Send everything; no wait for the client may be longer than `seconds`. Raises `OSError`.

    Another thread ends it by shutting the socket down.
    """
    out = wire.dup()
    try:
        rest = _at_once(out, pieces)
    except BaseException:
        out.close()
        raise
    if rest is None:
        out.close()
        return
    out.settimeout(seconds)
    try:
        await crew.do(lambda: _to_the_end(out, rest, pieces))
    except RuntimeError as error:
        out.close()
        raise OSError(errno.EAGAIN, "no thread to send with") from error


def _at_once(out: socket.socket, pieces: Iterator[bytes]) -> list[bytes] | None:
    """Send what the kernel takes without waiting; return what is left of the pieces begun, None where all are sent."""
    given = 0
    batch: list[bytes] = []
    while given < AT_ONCE_BYTES:
        _fill(batch, pieces)
        if not batch:
            return None
        try:
            sent = out.sendmsg(batch)
        except BlockingIOError:
            break
        given += sent
        batch = _after(batch, sent)
        if batch:
            break
    return batch


def _to_the_end(out: socket.socket, batch: list[bytes], pieces: Iterator[bytes]) -> None:
    """Send the rest, waiting for the client as often as it takes."""
    with closing(out):
        while True:
            _fill(batch, pieces)
            if not batch:
                return
            batch = _after(batch, out.sendmsg(batch))


def _fill(batch: list[bytes], pieces: Iterator[bytes]) -> None:
    size = sum(map(len, batch))
    while size < BATCH_BYTES and len(batch) < MOST_PIECES and (piece := next(pieces, None)) is not None:
        batch.append(piece)
        size += len(piece)


def _after(batch: list[bytes], sent: int) -> list[bytes]:
    """Return what is left of a batch when its first bytes have been sent; nothing is copied."""
    for place, piece in enumerate(batch):
        if sent < len(piece):
            return [memoryview(piece)[sent:], *batch[place + 1 :]]  # type: ignore[list-item] # as good as bytes here
        sent -= len(piece)
    return []
