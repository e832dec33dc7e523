"""A scrape that comes again, byte for byte: answered as the first one was, without being read again."""

import gzip
import socket
from collections.abc import Iterator
from contextlib import closing

import h11
import pytest

from monitor.web.connections import Phase
from monitor.web.limits import Limits
from tests.web.serving import FakeBoard, Served, eventually, lines, served

SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: monitor\r\nAccept-Encoding: identity\r\n\r\n"


@pytest.fixture(params=[100, 300_000], ids=["small", "large"])
def site(request: pytest.FixtureRequest) -> Iterator[Served]:
    """Serve a scrape that the kernel takes at once, or one that it does not."""
    with served(board=FakeBoard(lines(request.param))) as site:
        yield site


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Keep what h11 is given to read."""
    given: list[bytes] = []
    receive = h11.Connection.receive_data

    def note(self: h11.Connection, data: bytes) -> None:
        given.append(bytes(data))
        receive(self, data)

    monkeypatch.setattr(h11.Connection, "receive_data", note)
    return given


def answer(client: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read one response, and no byte of the next one."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.recv(1)
    line, *fields = head.decode().strip().split("\r\n")
    headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
    body = bytearray()
    while len(body) < int(headers["content-length"]):
        body += client.recv(int(headers["content-length"]) - len(body))
    return int(line.split()[1]), headers, bytes(body)


def ask(client: socket.socket, request: bytes = SCRAPE) -> tuple[int, dict[str, str], bytes]:
    """Send a request and read the response."""
    client.sendall(request)
    return answer(client)


def begins(client: socket.socket) -> bool:
    """Send a request, and say whether a 200 begins; a 503 is read to its end.

    A scrape counts until the server has noted its end, a moment after the client has its last byte.
    """
    client.sendall(SCRAPE)
    if client.recv(12, socket.MSG_PEEK | socket.MSG_WAITALL) == b"HTTP/1.1 200":
        return True
    answer(client)
    return False


def resting(site: Served) -> bool:
    """Wait until the server has noted that its one client has its answer."""
    return eventually(lambda: len(site.server._register._phases[Phase.RESTING]) == 1)


def test_the_second_answer_is_the_first_one_again(site: Served, parsed: list[bytes]) -> None:
    """Status, headers but the date, and body; h11 has read one request."""
    with closing(site.connect()) as client:
        answers = [ask(client)]
        while resting(site) and len(answers) < 4:
            answers.append(ask(client))
    assert {(status, body) for status, _, body in answers} == {(200, answers[0][2])}
    assert answers[0][2] == site.board.text
    first, *others = [{**headers, "date": ""} for _, headers, _ in answers]
    assert all(headers == first for headers in others)
    assert parsed == [SCRAPE]


def test_another_request_between_is_read_as_ever(site: Served, parsed: list[bytes]) -> None:
    """What is not the same bytes goes its usual way, and the scrape is still known afterwards."""
    probe = b"GET /livez HTTP/1.1\r\nHost: monitor\r\n\r\n"
    packed = SCRAPE.replace(b"identity", b"gzip")
    with closing(site.connect()) as client:
        asked = [SCRAPE, probe, SCRAPE, packed, packed, SCRAPE, probe]
        bodies: list[bytes] = []
        for request in asked:
            bodies.append(ask(client, request)[2])
            assert resting(site)
    assert bodies[1] == bodies[6] == b"ok\n"
    assert bodies[0] == bodies[2] == bodies[5] == site.board.text
    assert bodies[3] == bodies[4]
    assert gzip.decompress(bodies[3]) == site.board.text
    assert parsed == [SCRAPE, probe, packed, SCRAPE, probe]


def test_a_new_exposition_is_sent(site: Served) -> None:
    """The request is stored, not the answer."""
    with closing(site.connect()) as client:
        ask(client)
        site.board.show(b"fleet 2\n")
        assert ask(client)[2] == b"fleet 2\n"


def test_requests_in_pieces_and_on_each_others_heels(site: Served) -> None:
    """A scrape that comes in halves, or two at once: each has its answer, in order."""
    with closing(site.connect()) as client:
        ask(client)
        client.sendall(SCRAPE[:20])
        client.sendall(SCRAPE[20:] + SCRAPE + SCRAPE)
        assert [answer(client)[2] == site.board.text for _ in range(3)] == [True] * 3
        client.sendall(SCRAPE)
        client.sendall(SCRAPE)
        assert [answer(client)[2] == site.board.text for _ in range(2)] == [True] * 2


@pytest.mark.parametrize(
    "request_bytes",
    [
        SCRAPE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        SCRAPE.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
    ids=["Connection: close", "HTTP/1.0"],
)
def test_a_last_request_ends_the_connection(site: Served, request_bytes: bytes) -> None:
    """Whoever wants no other answer gets none."""
    with closing(site.connect()) as client:
        assert ask(client, request_bytes)[0] == 200
        assert client.recv(1) == b""


def test_too_many_at_once_is_said_again() -> None:
    """A 503 is an answer like any other."""
    with (
        served(Limits(scrapes=1), FakeBoard(lines(300_000))) as site,
        closing(site.connect()) as first,
        closing(site.connect()) as second,
    ):
        assert ask(second)[0] == 200
        assert eventually(lambda: begins(first))
        status, headers, body = ask(second)
        assert (status, headers["retry-after"], body) == (503, "1", b"too many scrapes at once\n")


def test_the_connection_rests_after_it(site: Served) -> None:
    """The time between two requests counts from the last answer on, and what has had its answer may be dropped."""
    with closing(site.connect()) as client:
        ask(client)
        assert resting(site)
        ask(client)
        assert resting(site)
        (connection,) = site.server._register.everybody()
        assert connection.timeout_keep_alive_task is not None  # type: ignore[attr-defined]
