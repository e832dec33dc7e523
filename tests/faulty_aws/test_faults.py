"""The server that misbehaves, seen from a plain socket."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.faulty_aws import faults
from tests.faulty_aws.exchange import Plan, Request, Response
from tests.faulty_aws.server import FaultyAws
from tests.support import until

LIST = "ListStackInstancesForProvisionedProduct"
FIRST = {"StackInstances": [{"Account": "1", "Region": "r", "StackInstanceStatus": "CURRENT"}], "NextPageToken": "two"}
SECOND = {"StackInstances": [{"Account": "2", "Region": "r", "StackInstanceStatus": "CURRENT"}]}


def upstream(request: Request) -> Response:
    """Response with one of two pages."""
    token = json.loads(request.body).get("PageToken")
    return Response(body=json.dumps({None: FIRST, "two": SECOND}[token]).encode())


class Client:
    """Sends bytes, and returns the bytes that come back."""

    def __init__(self, url: str) -> None:
        """Know where the server is."""
        place = urlsplit(url)
        self.address = (place.hostname, place.port)

    def connect(self) -> socket.socket:
        """Connect."""
        return socket.create_connection(self.address, timeout=5)

    def ask(self, product_id: str = "pp-1", token: str | None = None, *, key_id: str = "AKIA1") -> bytes:
        """Ask for a page on a connection of its own; return everything that comes until it is closed."""
        with self.connect() as line:
            line.sendall(asked(product_id, token, key_id=key_id))
            line.shutdown(socket.SHUT_WR)
            received = b""
            while some := line.recv(65536):
                received += some
            return received

    def read(self, product_id: str = "pp-1", token: str | None = None, *, key_id: str = "AKIA1") -> Any:
        """Ask for a page and read its JSON."""
        return json.loads(self.ask(product_id, token, key_id=key_id).partition(b"\r\n\r\n")[2])


def asked(product_id: str, token: str | None = None, *, key_id: str = "AKIA1") -> bytes:
    """Return the bytes of a request."""
    members = {"ProvisionedProductId": product_id, **({"PageToken": token} if token else {})}
    body = json.dumps(members).encode()
    return (
        f"POST / HTTP/1.1\r\nX-Amz-Target: AWS242ServiceCatalogService.{LIST}\r\n"
        f"Authorization: AWS4-HMAC-SHA256 Credential={key_id}/20260101/eu-west-1/servicecatalog/aws4_request\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


@pytest.fixture
def server() -> FaultyAws:
    """Return a server that knows two pages."""
    return FaultyAws(upstream)


@pytest.fixture
def client(server: FaultyAws) -> Iterator[Client]:
    """Serve, and return a client."""
    yield Client(server.start())
    server.stop()


def test_a_plan_is_about_what_it_names(server: FaultyAws, client: Client) -> None:
    """A product, a page, or a key: whatever else comes is served as it should be."""
    server.plan(
        Plan(faults.NOT_FOUND, product_id="pp-gone", times=None),
        Plan(faults.THROTTLED, page=2, times=None),
        Plan(faults.EXPIRED_TOKEN, key_id="AKIAOLD", times=None),
        Plan(faults.ACCESS_DENIED, operation="AssumeRole", times=None),
    )
    assert client.read() == FIRST
    assert client.read("pp-gone")["__type"] == "ResourceNotFoundException"
    assert client.read(token="two")["__type"] == "ThrottlingException"
    assert client.read(key_id="AKIAOLD")["__type"] == "ExpiredTokenException"
    assert [seen.fault for seen in server.requests] == [
        None,
        "ResourceNotFoundException",
        "ThrottlingException",
        "ExpiredTokenException",
    ]


def test_a_plan_counts(server: FaultyAws, client: Client) -> None:
    """One fits from the second request on and twice; then it is the next one's turn; cleared, all is well."""
    server.plan(Plan(faults.THROTTLED, skip=1, times=2), Plan(faults.NOT_FOUND, skip=1, times=None))
    for _ in range(5):
        client.ask()
    assert [seen.fault for seen in server.requests] == [
        None,
        "ThrottlingException",
        "ThrottlingException",
        "ResourceNotFoundException",
        "ResourceNotFoundException",
    ]
    server.clear()
    assert client.read() == FIRST
    assert [seen.fault for seen in server.requests] == [None]


def test_tokens_that_are_made_up_lead_on(server: FaultyAws, client: Client) -> None:
    """After an empty page the upstream is asked for the page that is due; tokens that go round go round."""
    server.plan(Plan(faults.EMPTY_PAGE))
    assert client.read() == {"StackInstances": [], "NextPageToken": "go-on"}
    assert client.read(token="go-on") == FIRST
    assert client.read(token="two") == SECOND
    assert [seen.page for seen in server.requests] == [1, 2, 3]
    server.clear()
    server.plan(Plan(faults.REPEATED_TOKENS, times=None))
    tokens: list[str | None] = [None]
    for _ in range(4):
        tokens.append(client.read(token=tokens[-1])["NextPageToken"])
    assert tokens == [None, "A", "B", "A", "B"]


def test_a_server_that_refuses_is_refused_and_comes_back_at_the_same_place(server: FaultyAws, client: Client) -> None:
    """Connections are closed, new ones refused, until it accepts again."""
    with client.connect() as line:
        line.sendall(asked("pp-1"))
        assert line.recv(65536)
        server.refuse()
        assert line.recv(65536) == b""
    with pytest.raises(ConnectionRefusedError):
        client.connect()
    server.accept()
    assert client.read() == FIRST


def test_a_stop_ends_what_hangs(server: FaultyAws, client: Client) -> None:
    """Silent, dripping and endless answers end at once."""
    lines = [client.connect() for _ in range(3)]
    server.plan(Plan(faults.SILENCE), Plan(faults.dripping(30.0)), Plan(faults.FAULTS["endless body"]))
    for line in lines:
        line.sendall(asked("pp-1"))
    until(lambda: len(server.requests) == 3)
    begun = time.monotonic()
    server.stop()
    assert time.monotonic() - begun < 5
    assert not server._connections
    for line in lines:
        line.close()


def test_every_fault_has_a_name_of_its_own() -> None:
    """None hides another one."""
    groups = (
        faults.BAD_BODIES,
        faults.BROKEN_CONNECTIONS,
        faults.SILENT_WAITS,
        faults.ENDLESS,
        faults.ERRORS,
        faults.WRONG_TOKENS,
        faults.ODD_PAGES,
        (*faults.slow(), faults.FRESH_TOKENS),
    )
    named = [fault.name for group in groups for fault in group]
    assert sorted(named) == sorted(faults.FAULTS)
