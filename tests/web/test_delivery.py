"""Large bodies past the event loop: whole, in order, and ended with the client or the deadline."""

import asyncio
import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from monitor.web.aside import Crew
from monitor.web.connections import Phase
from monitor.web.delivery import deliver
from monitor.web.limits import Limits
from tests.web.serving import WAIT, FakeBoard, Served, eventually, lines, read_all, served


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return a server's end, as an event loop has it, and a client's."""
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        ours.setblocking(False)  # noqa: FBT003 - as socket has it
        theirs.settimeout(WAIT)
        yield ours, theirs


def sent(ours: socket.socket, theirs: socket.socket, pieces: list[bytes]) -> bytes:
    """Deliver pieces to a client that takes everything, and return what it took."""
    taken = bytearray()

    def take() -> None:
        while len(taken) < sum(map(len, pieces)):
            taken.extend(theirs.recv(1 << 16))

    client = threading.Thread(target=take)
    client.start()
    asyncio.run(deliver(ours, iter(pieces), WAIT, Crew(1, "crew")))
    client.join(WAIT)
    return bytes(taken)


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [b"one"],
        [b"", b"one", b"", b"two", b""],
        [bytes([n % 251]) * 100_003 for n in range(90)],
        [bytes([n % 251]) for n in range(5000)],
        [b"abcdefg" * 1_000_000],
    ],
    ids=["nothing", "one", "empty ones", "nine megabytes", "many", "one that is large"],
)
def test_pieces_arrive_in_order(pair: tuple[socket.socket, socket.socket], pieces: list[bytes]) -> None:
    """However the kernel takes them, the client has every byte once."""
    assert hashlib.sha256(sent(*pair, pieces)).digest() == hashlib.sha256(b"".join(pieces)).digest()


def test_what_the_kernel_takes_at_once_needs_no_thread(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small body is sent where it is: a thread would cost more than the sending."""
    monkeypatch.setattr(Crew, "do", None)
    assert sent(*pair, [b"a" * 1000, b"b" * 1000]) == b"a" * 1000 + b"b" * 1000


def test_a_client_that_takes_nothing_has_its_time(pair: tuple[socket.socket, socket.socket]) -> None:
    """A wait for the client ends with the time it has."""
    with pytest.raises(TimeoutError):
        asyncio.run(deliver(pair[0], iter([b"a" * 10_000_000]), 0.05, Crew(1, "crew")))


def test_a_shutdown_ends_it(pair: tuple[socket.socket, socket.socket]) -> None:
    """Another thread that shuts the socket down wakes the one that waits for the client."""
    ours, theirs = pair

    def shut() -> None:
        theirs.recv(1)  # it has begun
        ours.shutdown(socket.SHUT_RDWR)

    other = threading.Thread(target=shut)
    other.start()
    with pytest.raises(OSError, match=r"Broken pipe|reset"):
        asyncio.run(deliver(ours, iter([b"a" * 10_000_000]), WAIT, Crew(1, "crew")))
    other.join()


def under_way(site: Served) -> int:
    """Return how many connections are being answered."""
    return len(site.server._register._phases[Phase.ANSWERED])


def test_a_client_that_leaves_amid_a_delivery_leaves_nothing_behind() -> None:
    """Neither its thread nor its connection is there any more, and the next client is served."""
    with served(board=FakeBoard(lines(60_000)), small_buffers=True) as site:
        with closing(site.connect()) as client:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: monitor\r\n\r\n")
            client.recv(100)
            assert under_way(site) == 1
        assert eventually(lambda: site.connections() == 0)
        assert site.ask().body == site.board.text


@pytest.mark.parametrize("before", [0, 2], ids=["the first request", "one that came before"])
def test_a_client_that_has_said_everything_is_answered(before: int) -> None:
    """It closes its way of the connection, as `nc -N` does, and gets the whole response, and then the end."""
    request = b"GET /metrics HTTP/1.1\r\nHost: monitor\r\nAccept-Encoding: identity\r\n\r\n"
    with served(board=FakeBoard(lines(300_000))) as site, closing(site.connect()) as client:
        for _ in range(before):
            client.sendall(request)
            left = len(site.board.text)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            while left:
                left -= len(client.recv(min(left, 1 << 20)))
            assert eventually(lambda: under_way(site) == 0)
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client).endswith(b"\r\n\r\n" + site.board.text)
        assert eventually(lambda: site.connections() == 0)


def test_the_deadline_of_a_response_ends_a_delivery() -> None:
    """A client that takes a little now and then is cut off when its time is over."""
    with (
        served(Limits(response=0.2), FakeBoard(lines(60_000)), small_buffers=True) as site,
        closing(site.connect()) as client,
    ):
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: monitor\r\n\r\n")
        client.recv(100)
        assert eventually(lambda: site.connections() == 0)
        assert len(read_all(client)) < len(site.board.text)


def test_a_small_answer_does_not_wait_for_an_acknowledgement() -> None:
    """Head and body go out in two packets; without TCP_NODELAY the second would wait 40 ms for the client."""
    with served() as site, closing(site.connect()) as client:
        assert eventually(lambda: site.connections() == 1)
        (connection,) = site.server._register.everybody()
        wire = connection._socket  # type: ignore[attr-defined]
        assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: monitor\r\nConnection: close\r\n\r\n")
        assert read_all(client).endswith(b"ok\n")


def test_no_thread_to_be_had_ends_the_delivery_only(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system refuses a thread, that client is cut off; the next one has the thread that is there then."""
    crew = Crew(1, "crew")

    def refuse(_: threading.Thread) -> None:
        message = "can't start new thread"
        raise RuntimeError(message)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(OSError, match="no thread"):
            asyncio.run(deliver(pair[0], iter([b"a" * 10_000_000]), WAIT, crew))
    done: list[str] = []
    asyncio.run(asyncio.wait_for(crew.do(lambda: done.append("done")), WAIT))
    assert done == ["done"]


def test_a_body_does_not_overtake_the_last_byte_of_its_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel takes all but one byte of the head, the body waits for that byte."""
    cut: list[bytes] = []

    def stingy(wire: socket.socket, data: bytes) -> int:
        if bytes(data[:13]) == b"HTTP/1.1 200 ":
            cut.append(bytes(data[-1:]))
            return socket.SocketType.send(wire, data[:-1])
        return socket.SocketType.send(wire, data)

    monkeypatch.setattr(socket.socket, "send", stingy, raising=False)
    with served(board=FakeBoard(lines(100))) as site:
        assert site.ask().body == site.board.text
    assert cut == [b"\n"]
