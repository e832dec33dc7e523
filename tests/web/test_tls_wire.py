"""TLS between the real server and real clients, and certificates that change meanwhile."""

import logging
import queue
import socket
import ssl
from contextlib import closing
from dataclasses import replace

import pytest
import trustme

from monitor.web.access import Access
from monitor.web.limits import Limits
from tests.web.certificates import MUTUAL, TLS, WebFolder
from tests.web.serving import WAIT, FakeBoard, Served, eventually, lines, read_all, served

LARGE = FakeBoard(lines(60_000))
OFTEN = replace(Limits(), renewal=0.02)


def comes_in(server: Served, context: ssl.SSLContext) -> bool:
    """Ask, and say whether there was an answer: under TLS 1.3 a client that is refused learns it when it reads."""
    try:
        with closing(server.agree(context)) as client:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: monitor\r\n\r\n")
            return client.recv(1) == b"H"
    except (ssl.SSLError, ConnectionError):
        return False


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_scrape(version: ssl.TLSVersion, web: WebFolder) -> None:
    """A large scrape comes whole through TLS 1.2 and 1.3, and the connection speaks HTTP/1.1."""
    context = web.trust()
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    with served(board=LARGE, access=Access(web.config), context=context) as server:
        assert server.ask().body == LARGE.text
        with closing(server.agree(context)) as client:
            assert client.selected_alpn_protocol() == "http/1.1"


def test_a_client_without_tls(web: WebFolder, caplog: pytest.LogCaptureFixture) -> None:
    """Who speaks plain HTTP to a server with TLS is cut off, without a line in the log."""
    with served(access=Access(web.config)) as server, closing(server.connect()) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: monitor\r\n\r\n")
        assert b"HTTP" not in read_all(client)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_client_that_goes_amid_the_handshake(web: WebFolder, caplog: pytest.LogCaptureFixture) -> None:
    """Who leaves before TLS is agreed on leaves nothing behind: his place in the cap is free again."""
    with served(replace(Limits(), connections=2), access=Access(web.config), context=web.trust()) as server:
        for said in (b"", b"\x16\x03\x01", b"no TLS at all") * 2:
            with closing(server.connect()) as client:
                client.sendall(said)
        assert server.ask().status == 200
        assert eventually(lambda: server.connections() == 0)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_client_certificates(web: WebFolder) -> None:
    """With mutual TLS a client needs a certificate of the right authority, and nothing else is answered."""
    access = Access(web.write(MUTUAL))
    with served(access=access, context=web.trust_as("prometheus.example")) as server:
        assert server.ask().status == 200
        assert server.ask("/livez").status == 200
        assert not comes_in(server, web.trust())
        assert not comes_in(server, web.trust_as("prometheus.example", ca=trustme.CA()))


def test_client_certificates_where_given(web: WebFolder) -> None:
    """With VerifyClientCertIfGiven a client may have none, but not a wrong one."""
    access = Access(
        web.write(MUTUAL.replace("RequireAndVerify", "Verify").replace("ClientCert\n", "ClientCertIfGiven\n"))
    )
    with served(access=access, context=web.trust()) as server:
        assert server.ask().status == 200
        assert comes_in(server, web.trust_as("prometheus.example"))
        assert not comes_in(server, web.trust_as("prometheus.example", ca=trustme.CA()))


def test_names_of_client_certificates(web: WebFolder) -> None:
    """With `client_allowed_sans` the names decide as well: a DNS name, an address, any of them."""
    access = Access(web.write(MUTUAL + '  client_allowed_sans: [prometheus.example, "0::1"]\n'))
    with served(access=access) as server:
        assert comes_in(server, web.trust_as("prometheus.example"))
        assert comes_in(server, web.trust_as("other.example", "::1"))
        assert not comes_in(server, web.trust_as("other.example"))


def serial(server: Served, context: ssl.SSLContext) -> str:
    """Return the serial number of the certificate that the server shows."""
    with closing(server.agree(context)) as client:
        certificate = client.getpeercert()
        assert certificate
        return str(certificate["serialNumber"])


def test_a_renewed_certificate_is_used_without_a_restart(web: WebFolder) -> None:
    """New connections see the new certificate; one that is open goes on; a broken one changes nothing."""
    told: queue.Queue[str] = queue.Queue()
    access = Access(web.config, lambda error: told.put("" if error is None else error.problems[0].message))
    context = web.trust()
    alive = b"GET /livez HTTP/1.1\r\nHost: monitor\r\n\r\n"
    with (
        served(OFTEN, access=access) as server,
        closing(server.agree(context)) as before,
    ):
        first = serial(server, context)
        web.issue(web.ca)
        assert told.get(timeout=WAIT) == ""
        second = serial(server, context)
        assert first != second
        before.sendall(alive)
        assert before.recv(15) == b"HTTP/1.1 200 OK"

        (web.folder / "server.key").write_text("broken")
        assert told.get(timeout=WAIT) == "there is no private key in PEM format in it"
        assert serial(server, context) == second

        other = trustme.CA()
        web.issue(other)
        assert told.get(timeout=WAIT) == ""
        assert serial(server, web.trust(other)) not in (first, second)
    assert told.empty()


def test_tls_and_users_may_come_and_go(web: WebFolder) -> None:
    """A server without TLS has it once its web configuration says so, and asks for client certificates after that."""
    web.write("{}")
    with served(OFTEN, access=Access(web.config)) as server:
        assert server.ask().status == 200
        web.write(TLS)
        server.context = web.trust()
        assert eventually(lambda: comes_in(server, web.trust()))
        assert server.ask().status == 200
        web.write(MUTUAL)
        assert eventually(lambda: not comes_in(server, web.trust()))
        assert comes_in(server, web.trust_as("prometheus.example"))


def test_an_authority_that_is_replaced_is_not_trusted_any_more(web: WebFolder) -> None:
    """Once the authority of clients is another, those of the old one stay outside."""
    web.write(MUTUAL)
    old = web.trust_as("prometheus.example")
    with served(OFTEN, access=Access(web.config)) as server:
        assert comes_in(server, old)
        web.clients = trustme.CA()
        web.clients.cert_pem.write_to_path(str(web.folder / "clients.pem"))
        assert eventually(lambda: not comes_in(server, old))
        assert comes_in(server, web.trust_as("prometheus.example"))


def test_a_tls_client_that_does_not_read(web: WebFolder) -> None:
    """Under TLS too a scrape that nobody takes ends at its deadline, and its place is free again."""
    limits = replace(Limits(), response=0.4, scrapes=1)
    context = web.trust()
    with (
        served(limits, LARGE, Access(web.config), context, small_buffers=True) as server,
        closing(server.agree(context)) as client,
    ):
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: monitor\r\n\r\n")
        assert client.recv(1) == b"H"
        assert server.ask().status == 503
        assert eventually(lambda: server.ask(Accept_Encoding="gzip").status == 200)


def test_a_tls_client_that_vanishes(web: WebFolder, caplog: pytest.LogCaptureFixture) -> None:
    """A connection that is torn amid a scrape gives its place back, without a line in the log."""
    context = web.trust()
    limits = replace(Limits(), scrapes=1)
    with served(limits, LARGE, Access(web.config), context, small_buffers=True) as server:
        for _ in range(3):
            client = server.agree(context)
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: monitor\r\n\r\n")
            client.recv(1)
            client.shutdown(socket.SHUT_RDWR)
            client.close()
            assert eventually(lambda: server.ask(Accept_Encoding="gzip").status == 200)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
