"""TLS as OpenSSL understands it."""

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from monitor.config.errors import ConfigurationError
from monitor.web.tls import alternative_names, normal_name
from monitor.web.web_config import WebConfigReloader
from tests.web.certificates import MUTUAL, TLS, WebFolder


def context(web: WebFolder, more: str = "") -> ssl.SSLContext:
    """Return what the server speaks TLS with."""
    found = WebConfigReloader(web.write(TLS.replace("}", f", {more}}}") if more else TLS)).policy.tls_context
    assert found
    return found


def test_the_defaults_are_those_of_exporter_toolkit(web: WebFolder) -> None:
    """TLS 1.2 or 1.3, the server's choice of ciphers, no client certificates."""
    made = context(web)
    assert (made.minimum_version, made.maximum_version) == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    assert made.verify_mode is ssl.CERT_NONE
    assert made.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert made.options & ssl.OP_NO_RENEGOTIATION


def test_what_is_asked_for_is_done(web: WebFolder) -> None:
    """Versions, ciphers and preference are OpenSSL's afterwards."""
    suites = "[TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]"
    made = context(web, f"max_version: TLS12, cipher_suites: {suites}, prefer_server_cipher_suites: false")
    assert (made.minimum_version, made.maximum_version) == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
    assert not made.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert [cipher["name"] for cipher in made.get_ciphers() if cipher["protocol"] == "TLSv1.2"] == [
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
    ]


@pytest.mark.parametrize("curve", ["CurveP256", "CurveP384", "CurveP521", "X25519"])
def test_curves(curve: str, web: WebFolder) -> None:
    """OpenSSL knows each curve that the configuration may name."""
    context(web, f"curve_preferences: [{curve}]")


@pytest.mark.parametrize(
    ("client_auth", "mode"),
    [("VerifyClientCertIfGiven", ssl.CERT_OPTIONAL), ("RequireAndVerifyClientCert", ssl.CERT_REQUIRED)],
)
def test_client_certificates_are_verified(client_auth: str, mode: ssl.VerifyMode, web: WebFolder) -> None:
    """The authority of clients is loaded, and only that one."""
    made = context(web, f"client_auth_type: {client_auth}, client_ca_file: clients.pem")
    assert made.verify_mode is mode
    assert made.get_ca_certs(binary_form=True) == [ssl.PEM_cert_to_DER_cert(web.clients.cert_pem.bytes().decode())]


def test_certificates_within_the_configuration(web: WebFolder) -> None:
    """A certificate, its key and the authority of clients may stand in the configuration itself."""

    def indented(path: str) -> str:
        return "".join(f"    {line}\n" for line in (web.folder / path).read_text().splitlines())

    text = (
        "tls_server_config:\n  client_auth_type: RequireAndVerifyClientCert\n"
        f"  cert: |\n{indented('server.pem')}  key: |\n{indented('server.key')}"
        f"  client_ca: |\n{indented('clients.pem')}"
    )
    for name in ("server.pem", "server.key", "clients.pem"):
        (web.folder / name).unlink()
    made = WebConfigReloader(web.write(text)).policy.tls_context
    assert made
    assert len(made.get_ca_certs()) == 1


def encrypted(key: Path) -> None:
    """Put a password on a key."""
    read = load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        read.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"secret"))
    )


NO_CERTIFICATE = "cert_file: has no certificate in PEM format"
TOGETHER = "cert_file: the certificate and the key cannot be used together"
MISSING = "cannot be read: No such file or directory"


def damaged(name: str, web: WebFolder) -> None:
    """Do something to the files of a web configuration that makes them useless."""
    cert, key, clients = (web.folder / file for file in ("server.pem", "server.key", "clients.pem"))
    match name:
        case "no certificate":
            cert.write_bytes(key.read_bytes())
        case "empty certificate":
            cert.write_text("")
        case "cut certificate":
            cert.write_bytes(cert.read_bytes()[:200])
        case "no key":
            key.write_bytes(b"\xff\0")
        case "other key":
            web.ca.issue_cert("x").private_key_pem.write_to_path(str(key))
        case "encrypted key":
            encrypted(key)
        case "no authority":
            clients.write_text("no PEM")
        case "two missing":
            key.unlink()
            clients.unlink()


@pytest.mark.parametrize(
    ("damage", "problems"),
    [
        ("no certificate", [(3, NO_CERTIFICATE)]),
        ("empty certificate", [(3, NO_CERTIFICATE)]),
        ("cut certificate", [(3, f"{TOGETHER}: one is damaged")]),
        ("no key", [(4, "key_file: has no private key in PEM format")]),
        ("other key", [(3, f"{TOGETHER}: key values mismatch")]),
        ("encrypted key", [(3, f"{TOGETHER}: the key is encrypted; use a key without a password")]),
        ("no authority", [(6, "client_ca_file: has no readable certificate: no certificate or crl found")]),
        (
            "two missing",
            [(4, f"key_file: {{}}/server.key {MISSING}"), (6, f"client_ca_file: {{}}/clients.pem {MISSING}")],
        ),
    ],
)
def test_what_cannot_be_used_is_said_with_its_line(
    damage: str, problems: list[tuple[int, str]], web: WebFolder
) -> None:
    """A certificate or key that is missing, damaged or of another one is a problem of the line that names it."""
    web.write(MUTUAL)
    damaged(damage, web)
    with pytest.raises(ConfigurationError) as refused:
        WebConfigReloader(web.config)
    assert [(problem.line, f"{problem.path}: {problem.message}") for problem in refused.value.problems] == [
        (line, f"tls_server_config.{message.format(web.folder)}") for line, message in problems
    ]


def test_alternative_names() -> None:
    """The names of a certificate are all of its kinds; an address is compared however it is written."""
    certificate = {
        "subject": ((("commonName", "ignored"),),),
        "subjectAltName": (
            ("DNS", "prometheus.example"),
            ("IP Address", "0:0:0:0:0:0:0:1\n"),
            ("email", "a@example.org"),
            ("URI", "spiffe://example/prometheus"),
            ("DirName", ((("commonName", "x"),),)),
        ),
    }
    assert alternative_names(certificate) == {
        "prometheus.example",
        "::1",
        "a@example.org",
        "spiffe://example/prometheus",
    }
    assert alternative_names({}) == frozenset()
    assert [normal_name(name) for name in ("0::1", "10.0.0.1", "Name")] == ["::1", "10.0.0.1", "Name"]
