"""The TLS context of `tls_server_config`.

It is made from bytes that were read before and not from files. So the content that was compared with the last read is
the one that is used, and a renewed certificate cannot meet an old key.
"""

import os
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from monitor.config.errors import ConfigurationError
from monitor.config.web_config import TLS, TlsSettings, WebConfig
from monitor.config.web_model import ClientAuth, TlsVersion

# A verified client certificate, as `ssl.SSLSocket.getpeercert` returns it.
Certificate = Mapping[str, Any]

_VERIFY = {
    ClientAuth.NONE: ssl.CERT_NONE,
    ClientAuth.IF_GIVEN: ssl.CERT_OPTIONAL,
    ClientAuth.REQUIRED: ssl.CERT_REQUIRED,
}
_VERSIONS = {TlsVersion.TLS12: ssl.TLSVersion.TLSv1_2, TlsVersion.TLS13: ssl.TLSVersion.TLSv1_3}


def server_context(config: WebConfig, tls: TlsSettings, files: Mapping[Path, bytes]) -> ssl.SSLContext:
    """Return a context for new connections.

    Raises:
        ConfigurationError: OpenSSL cannot use a certificate, a key, a cipher suite or a curve.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.maximum_version = _VERSIONS[tls.max_version]
    context.options |= ssl.OP_NO_RENEGOTIATION  # it costs the server more than the client
    if not tls.prefer_server_ciphers:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    context.verify_mode = _VERIFY[tls.client_auth]
    if tls.ciphers:
        with _explained(config, "cipher_suites", "cannot be used: "):
            context.set_ciphers(":".join(tls.ciphers))
    if tls.curve:
        with _explained(config, "curve_preferences", "cannot be used: "):
            context.set_ecdh_curve(tls.curve)
    _load_certificates(context, config, tls, files)
    return context


def _load_certificates(
    context: ssl.SSLContext, config: WebConfig, tls: TlsSettings, files: Mapping[Path, bytes]
) -> None:
    def content(value: Path | bytes) -> bytes:
        return files[value] if isinstance(value, Path) else value

    def explained(name: str, value: Path | bytes, explanation: str = "") -> AbstractContextManager[None]:
        return _explained(config, f"{name}_file" if isinstance(value, Path) else name, explanation)

    with explained("cert", tls.cert):
        _require_pem(content(tls.cert), "CERTIFICATE")
    with explained("key", tls.key):
        _require_pem(content(tls.key), "PRIVATE KEY")
    with (
        explained("cert", tls.cert, "the certificate and the key cannot be used together: "),
        _as_file(content(tls.cert)) as cert_path,
        _as_file(content(tls.key)) as key_path,
    ):
        context.load_cert_chain(cert_path, key_path, password=_no_password)
    if tls.client_ca is not None:
        with (
            explained("client_ca", tls.client_ca, "has no readable certificate: "),
            _as_file(content(tls.client_ca)) as path,
        ):
            context.load_verify_locations(cafile=path)


@contextmanager
def _explained(config: WebConfig, key: str, explanation: str) -> Iterator[None]:
    """Raise an error of OpenSSL as a problem of a key of the web configuration."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = str(error)
        if isinstance(error, ssl.SSLError):
            reason = (error.reason or "one is damaged").lower().replace("_", " ")
        raise ConfigurationError(config.path, [config.document.problem(f"{explanation}{reason}", TLS, key)]) from error


def alternative_names(certificate: Certificate) -> frozenset[str]:
    """Return the subject alternative names: DNS names, IP addresses, e-mail addresses and URIs."""
    return frozenset(normal_name(value) for _, value in certificate.get("subjectAltName", ()) if isinstance(value, str))


def normal_name(name: str) -> str:
    """Return an IP address in its shortest form, and any other name unchanged."""
    try:
        return str(ip_address(name.strip()))
    except ValueError:
        return name


def _require_pem(content: bytes, kind: str) -> None:
    if not re.search(rb"-----BEGIN [A-Z0-9 ]*" + kind.encode() + rb"-----", content):
        message = f"has no {kind.lower()} in PEM format"
        raise ValueError(message)


def _no_password() -> str:
    """Keep OpenSSL from asking for a password on the terminal."""
    message = "the key is encrypted; use a key without a password"
    raise ValueError(message)


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """Give bytes a path, since Python's ssl loads keys from files only. They are never on a disk."""
    descriptor = os.memfd_create("tls")
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
