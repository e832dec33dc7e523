"""`tls_server_config` made into what OpenSSL works with.

A context is made of bytes that were read before, not of files: what was compared with the last look is what is
used, and a certificate that is renewed in between cannot come together with an old key.
"""

import os
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from monitor.config.web_config import TLS, TlsSettings
from monitor.config.web_model import ClientAuth, TlsVersion

Certificate = Mapping[str, Any]
"""A client's certificate, as Python's ssl shows one that it has verified."""

_VERIFY = {
    ClientAuth.NONE: ssl.CERT_NONE,
    ClientAuth.IF_GIVEN: ssl.CERT_OPTIONAL,
    ClientAuth.REQUIRED: ssl.CERT_REQUIRED,
}
_VERSIONS = {TlsVersion.TLS12: ssl.TLSVersion.TLSv1_2, TlsVersion.TLS13: ssl.TLSVersion.TLSv1_3}


class TlsError(Exception):
    """What is wrong, and with which key of the web configuration."""

    def __init__(self, message: str, key: str) -> None:
        """Keep where it is wrong."""
        super().__init__(message)
        self.path = (TLS, key)


def server_context(settings: TlsSettings, files: Mapping[Path, bytes]) -> ssl.SSLContext:
    """Return a context for new connections. Raises `TlsError`."""

    def content(given: Path | bytes) -> bytes:
        return files[given] if isinstance(given, Path) else given

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[settings.min_version]
    context.maximum_version = _VERSIONS[settings.max_version]
    context.options |= ssl.OP_NO_RENEGOTIATION  # which costs the server more than the client
    if not settings.prefer_server_ciphers:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    context.verify_mode = _VERIFY[settings.client_auth]
    with _explained("cipher_suites", "cannot be used"):
        if settings.ciphers:
            context.set_ciphers(":".join(settings.ciphers))
    with _explained("curve_preferences", "cannot be used"):
        if settings.curve:
            context.set_ecdh_curve(settings.curve)
    for key, given, what in (("cert", settings.cert, b"CERTIFICATE"), ("key", settings.key, b"PRIVATE KEY")):
        if not re.search(rb"-----BEGIN [A-Z0-9 ]*" + what + rb"-----", content(given)):
            message = f"there is no {what.decode().lower()} in PEM format in it"
            raise TlsError(message, _key_of(key, given))
    with (
        _explained(_key_of("cert", settings.cert), "the certificate and the key cannot be used together"),
        _as_file(content(settings.cert)) as cert_path,
        _as_file(content(settings.key)) as key_path,
    ):
        context.load_cert_chain(cert_path, key_path, password=_no_password)
    if settings.client_ca is not None:
        key = _key_of("client_ca", settings.client_ca)
        with _explained(key, "no certificates can be read of it"), _as_file(content(settings.client_ca)) as path:
            context.load_verify_locations(cafile=path)
    return context


def alternative_names(certificate: Certificate) -> frozenset[str]:
    """Return the subject alternative names: DNS names, addresses, e-mail addresses and URIs."""
    return frozenset(normal_name(value) for _, value in certificate.get("subjectAltName", ()) if isinstance(value, str))


def normal_name(name: str) -> str:
    """Write an address in its shortest form; leave any other name as it is."""
    try:
        return str(ip_address(name.strip()))
    except ValueError:
        return name


def _key_of(name: str, given: Path | bytes) -> str:
    """Return which key of the configuration gave it."""
    return f"{name}_file" if isinstance(given, Path) else name


def _no_password() -> str:
    """Keep OpenSSL from asking for one on the terminal."""
    message = "the key is encrypted, and there is nobody to ask for its password"
    raise ValueError(message)


@contextmanager
def _explained(key: str, otherwise: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLError as error:
        reason = (error.reason or "one is damaged").lower().replace("_", " ")
        message = f"{otherwise}: {reason}"
        raise TlsError(message, key) from error
    except (OSError, ValueError) as error:
        message = f"{otherwise}: {error}"
        raise TlsError(message, key) from error


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """Give bytes a path, since Python's ssl reads keys of files only; they are never on a disk."""
    descriptor = os.memfd_create("tls")
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
