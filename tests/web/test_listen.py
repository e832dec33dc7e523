"""The listening socket."""

import socket
from contextlib import closing, suppress

import pytest

from monitor.web.app import application
from monitor.web.listen import ListenError, listen
from monitor.web.server import Server
from tests.web.fake_views import FakeViews
from tests.web.served import FakeHealth, FakeMetrics


def accepts(port: int, host: str) -> bool:
    """Say whether a connection to an address is accepted."""
    with suppress(OSError), closing(socket.create_connection((host, port), 5)):
        return True
    return False


@pytest.mark.parametrize(
    ("address", "ipv4", "ipv6"),
    [
        ("127.0.0.1:0", True, False),
        ("0.0.0.0:0", True, False),
        ("[::1]:0", False, True),
        (":0", True, True),
        ("[::]:0", True, True),
    ],
)
def test_an_address_is_listened_on_in_its_families(address: str, ipv4: bool, ipv6: bool) -> None:
    """An address without host, and the IPv6 wildcard, answer on IPv4 and IPv6, as in Go."""
    with listen(address) as listening:
        port = listening.getsockname()[1]
        assert (accepts(port, "127.0.0.1"), accepts(port, "::1")) == (ipv4, ipv6)


@pytest.mark.parametrize("address", [":0", "[::]:0"])
@pytest.mark.parametrize("failure", ["no IPv6 in the kernel", "IPv6 disabled"])
def test_a_machine_without_ipv6_listens_on_ipv4(address: str, failure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without IPv6, a wildcard address listens on all IPv4 addresses."""
    if failure == "no IPv6 in the kernel":
        monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    else:
        bind = socket.socket.bind

        def refuse_ipv6(self: socket.socket, where: tuple[str, int]) -> None:
            if self.family == socket.AF_INET6:
                raise OSError(99, "Cannot assign requested address")
            bind(self, where)

        monkeypatch.setattr(socket.socket, "bind", refuse_ipv6, raising=False)
    with listen(address) as listening:
        assert listening.family == socket.AF_INET
        assert accepts(listening.getsockname()[1], "127.0.0.1")


@pytest.mark.parametrize(
    ("address", "shown"), [("127.0.0.1:0", "127.0.0.1:{}"), ("[::1]:0", "[::1]:{}"), (":0", "[::]:{}")]
)
def test_the_server_names_its_address(address: str, shown: str) -> None:
    """Port 0 takes a free port, and the server says which; to stop a server that was not started is no error."""
    with listen(address) as listening:
        server = Server(application(FakeMetrics(), FakeHealth(), FakeViews(), version=""), listening)
        assert server.address == shown.format(listening.getsockname()[1])
        server.stop(1)


def test_an_unknown_host_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the reason of the resolver."""

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(ListenError) as refused:
        listen("monitor.example:9935")
    assert str(refused.value) == "cannot listen on monitor.example:9935: Name or service not known"


@pytest.mark.parametrize("host", ["127.0.0.1", "", "[::]"])
def test_a_port_in_use_is_refused(host: str) -> None:
    """The error has the reason of the operating system."""
    with listen(f"{host}:0") as listening:
        address = f"{host}:{listening.getsockname()[1]}"
        with pytest.raises(ListenError) as refused:
            listen(address)
    assert str(refused.value) == f"cannot listen on {address}: Address already in use"
