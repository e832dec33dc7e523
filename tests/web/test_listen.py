"""The address that is listened on."""

import socket

import pytest

from monitor.web.app import application
from monitor.web.server import ListenError, Server, listen
from tests.web.serving import FakeBoard, FakeHealth


@pytest.mark.parametrize(
    ("address", "family", "shown"),
    [
        ("127.0.0.1:0", socket.AF_INET, "127.0.0.1:{}"),
        ("[::1]:0", socket.AF_INET6, "[::1]:{}"),
        ("localhost:0", None, None),
    ],
)
def test_an_address(address: str, family: socket.AddressFamily | None, shown: str | None) -> None:
    """IPv4, IPv6 and a name are listened on; port 0 takes a free one, which is shown."""
    with listen(address) as bound:
        server = Server(application(FakeBoard(), FakeHealth(), version=""), bound)
        assert family in (None, bound.family)
        assert shown is None or server.address == shown.format(bound.getsockname()[1])
        with socket.create_connection(bound.getsockname()[:2]):
            pass
        server.stop(1)  # which never began, and that is no error


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", ""])
def test_what_is_no_address(address: str) -> None:
    """What is not HOST:PORT is said as it was written."""
    with pytest.raises(ListenError) as refused:
        listen(address)
    assert str(refused.value) == f"cannot listen on {address!r}: it is not HOST:PORT"


def test_a_port_that_is_taken() -> None:
    """The reason is the system's."""
    with listen("127.0.0.1:0") as bound:
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(ListenError) as refused:
            listen(address)
    assert str(refused.value) == f"cannot listen on {address}: Address already in use"
