"""TLS between the real server and real clients, and certificates that change meanwhile."""

import queue
import socket
import ssl
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from monitor.web.limits import Limits
from monitor.web.web_config import WebConfigReloader
from tests.web.certificates import MUTUAL, TLS, WebFolder
from tests.web.served import (
    PROBE,
    SCRAPE,
    WAIT,
    FakeMetrics,
    Served,
    eventually,
    lines,
    read_all,
    read_until,
    served,
    warnings,
)

LARGE = FakeMetrics(lines(60_000))
OFTEN = replace(Limits(), web_config_interval=0.02)


def is_served(server: Served, context: ssl.SSLContext) -> bool:
    """Say whether a request is answered; a TLS 1.3 client learns only from its first read that it was refused."""
    try:
        with closing(server.connect_tls(context)) as client:
            return is_answered(client)
    except (ssl.SSLError, ConnectionError):
        return False


def is_answered(client: socket.socket) -> bool:
    """Say whether a request on an open connection is answered."""
    try:
        client.sendall(PROBE)
        return read_until(client, b"ok\n").startswith(b"HTTP/1.1 200 OK")
    except (ssl.SSLError, ConnectionError, AssertionError):
        return False


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_scrape(version: ssl.TLSVersion, web: WebFolder) -> None:
    """A large scrape is complete with TLS 1.2 and 1.3, and the protocol is HTTP/1.1."""
    context = web.trust()
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    with served(metrics=LARGE, web_config=WebConfigReloader(web.config), context=context) as server:
        assert server.get().body == LARGE.text
        with closing(server.connect_tls(context)) as client:
            assert client.selected_alpn_protocol() == "http/1.1"


def test_a_client_without_tls(web: WebFolder, caplog: pytest.LogCaptureFixture) -> None:
    """A plain HTTP request to a server with TLS ends the connection without a log line."""
    with served(web_config=WebConfigReloader(web.config)) as server, closing(server.connect()) as client:
        client.sendall(SCRAPE)
        assert b"HTTP" not in read_all(client)
    assert warnings(caplog) == []


def test_a_client_that_leaves_during_the_handshake(web: WebFolder, caplog: pytest.LogCaptureFixture) -> None:
    """A client that closes during the TLS handshake leaves nothing behind."""
    limits, reloader = replace(Limits(), connections=2), WebConfigReloader(web.config)
    with served(limits, web_config=reloader, context=web.trust()) as server:
        for sent in (b"", b"\x16\x03\x01", b"no TLS at all") * 2:
            with closing(server.connect()) as client:
                client.sendall(sent)
        assert server.get().status == 200
        assert eventually(lambda: server.connections() == 0)
    assert warnings(caplog) == []


def test_required_client_certificates(web: WebFolder) -> None:
    """With RequireAndVerifyClientCert, a client needs a certificate of the right authority, for the probes as well."""
    reloader = WebConfigReloader(web.write(MUTUAL))
    with served(web_config=reloader, context=web.trust_as("prometheus.example")) as server:
        assert server.get().status == 200
        assert server.get("/livez").status == 200
        assert not is_served(server, web.trust())
        assert not is_served(server, web.trust_as("prometheus.example", ca=trustme.CA()))


def test_optional_client_certificates(web: WebFolder) -> None:
    """With VerifyClientCertIfGiven, a client needs no certificate, and a certificate must be of the right authority."""
    text = MUTUAL.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven")
    with served(web_config=WebConfigReloader(web.write(text)), context=web.trust()) as server:
        assert server.get().status == 200
        assert is_served(server, web.trust_as("prometheus.example"))
        assert not is_served(server, web.trust_as("prometheus.example", ca=trustme.CA()))


def test_names_of_client_certificates(web: WebFolder) -> None:
    """With `client_allowed_sans`, one name of a certificate must match: a DNS name or an address."""
    text = MUTUAL + '  client_allowed_sans: [prometheus.example, "0::1"]\n'
    with served(web_config=WebConfigReloader(web.write(text))) as server:
        assert is_served(server, web.trust_as("prometheus.example"))
        assert is_served(server, web.trust_as("other.example", "::1"))
        assert not is_served(server, web.trust_as("other.example"))


def serial_number(server: Served, context: ssl.SSLContext) -> str:
    """Return the serial number of the server's certificate."""
    with closing(server.connect_tls(context)) as client:
        certificate = client.getpeercert()
        assert certificate
        return str(certificate["serialNumber"])


def test_a_renewed_certificate_is_used_without_a_restart(web: WebFolder) -> None:
    """New connections get the new certificate, and open ones continue; a broken one changes nothing."""
    reports: queue.Queue[str] = queue.Queue()
    reloader = WebConfigReloader(web.config, lambda error: reports.put("" if error is None else str(error)))
    context = web.trust()
    with (
        served(OFTEN, web_config=reloader) as server,
        closing(server.connect_tls(context)) as before,
    ):
        first = serial_number(server, context)
        web.issue(web.ca)
        assert reports.get(timeout=WAIT) == ""
        second = serial_number(server, context)
        assert first != second
        assert is_answered(before)

        (web.folder / "server.key").write_text("broken")
        assert reports.get(timeout=WAIT).endswith("has no private key in PEM format")
        assert serial_number(server, context) == second

        other = trustme.CA()
        web.issue(other)
        assert reports.get(timeout=WAIT) == ""
        assert serial_number(server, web.trust(other)) not in (first, second)
    assert reports.empty()


def test_tls_and_client_certificates_can_be_added(web: WebFolder) -> None:
    """A new web configuration applies to new connections, and to the next request of open ones."""
    web.write("{}")
    with (
        served(OFTEN, web_config=WebConfigReloader(web.config)) as server,
        closing(server.connect()) as unencrypted,
    ):
        assert is_answered(unencrypted)
        web.write(TLS)
        server.context = web.trust()
        assert eventually(lambda: is_served(server, web.trust()))
        assert not is_answered(unencrypted)
        with closing(server.connect_tls()) as anonymous:
            assert is_answered(anonymous)
            web.write(MUTUAL)
            assert eventually(lambda: not is_served(server, web.trust()))
            assert not is_answered(anonymous)
        assert is_served(server, web.trust_as("prometheus.example"))


@pytest.mark.parametrize("change", ["authority", "names"])
def test_a_client_that_is_no_longer_trusted_is_refused_on_its_open_connection(
    change: str, web: WebFolder, caplog: pytest.LogCaptureFixture
) -> None:
    """A new authority of clients, or other allowed names, also apply to the next request of an open connection."""
    web.write(MUTUAL)
    reports: queue.Queue[object] = queue.Queue()
    old = web.trust_as("prometheus.example")
    with (
        served(OFTEN, web_config=WebConfigReloader(web.config, reports.put)) as server,
        closing(server.connect_tls(old)) as client,
    ):
        assert is_answered(client)
        if change == "authority":
            web.clients = trustme.CA()
            web.clients.cert_pem.write_to_path(str(web.folder / "clients.pem"))
        else:
            web.write(MUTUAL + "  client_allowed_sans: [other.example]\n")
        assert reports.get(timeout=WAIT) is None
        assert not is_answered(client)
        assert not is_served(server, old)
        assert is_served(server, web.trust_as("other.example"))
    assert warnings(caplog) == []


def test_a_client_certificate_that_expires_is_refused_on_its_open_connection(web: WebFolder) -> None:
    """Prometheus keeps its connection; a request after the end of its certificate is refused."""
    end = datetime.now(UTC) + timedelta(seconds=2)
    context = web.trust_as("prometheus.example", not_after=end)
    with (
        served(web_config=WebConfigReloader(web.write(MUTUAL))) as server,
        closing(server.connect_tls(context)) as client,
    ):
        assert is_answered(client)
        time.sleep(max(0.0, (end - datetime.now(UTC)).total_seconds()))
        assert eventually(lambda: not is_answered(client))
        assert not is_served(server, context)


def test_a_tls_client_that_does_not_read(web: WebFolder) -> None:
    """With TLS, too, a scrape that is not read ends at its deadline and makes room for the next one."""
    limits = replace(Limits(), response=0.4, scrapes=1)
    context = web.trust()
    with (
        served(limits, LARGE, WebConfigReloader(web.config), context, small_buffers=True) as server,
        closing(server.connect_tls(context)) as client,
    ):
        client.sendall(SCRAPE)
        assert client.recv(1) == b"H"
        assert server.get().status == 503
        assert eventually(lambda: server.get(Accept_Encoding="gzip").status == 200)


def test_a_tls_client_that_vanishes(web: WebFolder, caplog: pytest.LogCaptureFixture) -> None:
    """A connection that is closed during a scrape makes room for the next one, without a log line."""
    context = web.trust()
    limits = replace(Limits(), scrapes=1)
    with served(limits, LARGE, WebConfigReloader(web.config), context, small_buffers=True) as server:
        for _ in range(3):
            client = server.connect_tls(context)
            client.sendall(SCRAPE)
            client.recv(1)
            client.shutdown(socket.SHUT_RDWR)
            client.close()
            assert eventually(lambda: server.get(Accept_Encoding="gzip").status == 200)
    assert warnings(caplog) == []
