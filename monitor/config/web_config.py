"""The web configuration file, in the format of the Prometheus exporter-toolkit, as frozen settings."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from monitor.config.document import Document, Problem
from monitor.config.validation import validate
from monitor.config.web_model import HEADERS, ClientAuth, TlsSection, TlsVersion, WebConfigFile

TLS = "tls_server_config"


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """`tls_server_config`. A certificate or key is the path of a file, or the PEM text itself."""

    cert: Path | bytes = field(repr=False)
    key: Path | bytes = field(repr=False)
    client_auth: ClientAuth = ClientAuth.NONE
    client_ca: Path | bytes | None = field(default=None, repr=False)
    client_allowed_sans: frozenset[str] = frozenset()
    min_version: TlsVersion = TlsVersion.TLS12
    max_version: TlsVersion = TlsVersion.TLS13
    ciphers: tuple[str, ...] = ()
    """OpenSSL's names; empty: its defaults."""
    prefer_server_ciphers: bool = True
    curve: str | None = None
    """OpenSSL's name; None: its defaults."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`rate_limit`: `burst` requests at once, and then one each `interval` seconds."""

    interval: float
    burst: int


@dataclass(frozen=True, slots=True)
class WebConfig:
    """A web configuration."""

    path: Path
    document: Document = field(repr=False, compare=False)
    """The parsed file, which has the lines for problems that are found later."""
    tls: TlsSettings | None = None
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The bcrypt hashes of the users' passwords."""
    headers: tuple[tuple[str, str], ...] = ()
    rate_limit: RateLimit | None = None


def parse_web_config(text: bytes, path: Path) -> WebConfig:
    """Return the settings of the web configuration file at `path` with this content.

    Raises:
        ConfigurationError: the file has problems; all of them are in the error.
    """
    # A file that is being written is empty for a moment: that must not turn TLS and users off.
    model, document = validate(
        text, path, WebConfigFile, _cross_checks, if_empty="the file is empty: write `{}` for neither TLS nor users"
    )
    rate = model.rate_limit
    return WebConfig(
        path,
        document,
        _tls(model.tls_server_config, path.parent) if model.tls_server_config else None,
        MappingProxyType(model.basic_auth_users),
        tuple(model.http_server_config.headers.items()),
        RateLimit(rate.interval, rate.burst) if rate else None,
    )


def _tls(section: TlsSection, folder: Path) -> TlsSettings:
    def either(file: Path | None, text: str | None) -> Path | bytes | None:
        return folder / file if file else text.encode() if text else None

    cert, key = either(section.cert_file, section.cert), either(section.key_file, section.key)
    if cert is None or key is None:  # pragma: no cover - `_cross_checks` reports it
        raise AssertionError
    return TlsSettings(
        cert,
        key,
        section.client_auth_type,
        either(section.client_ca_file, section.client_ca),
        frozenset(section.client_allowed_sans),
        section.min_version,
        section.max_version,
        tuple(section.cipher_suites),
        section.prefer_server_cipher_suites,
        section.curve_preferences[0] if section.curve_preferences else None,
    )


def _cross_checks(document: Document) -> Iterator[Problem]:
    """Find problems between keys that are valid one by one. Works on plain values, as for the main file."""
    value = document.value if isinstance(document.value, dict) else {}
    tls = value.get(TLS)
    if isinstance(tls, dict):
        yield from _files(tls, document)
        yield from _clients(tls, document)
        yield from _algorithms(tls, document)
    users = value.get("basic_auth_users")
    for name in users if isinstance(users, dict) else ():
        if not name or ":" in name:
            message = "is not a valid user name: it is empty or contains a colon"
            yield document.problem(message, "basic_auth_users", name)
    http = value.get("http_server_config")
    headers = http.get("headers") if isinstance(http, dict) else None
    for header, content in headers.items() if isinstance(headers, dict) else ():
        if problem := _header_problem(header, content):
            yield document.problem(problem, "http_server_config", "headers", header)


def _files(tls: Mapping[str, Any], document: Document) -> Iterator[Problem]:
    for name, required in (("cert", True), ("key", True), ("client_ca", False)):
        given = [key for key in (f"{name}_file", name) if key in tls]
        if len(given) > 1:
            yield document.problem(f"is set as well as {given[0]}: remove one of them", TLS, given[1])
        elif required and not given:
            yield document.problem(f"`{name}_file` or `{name}` is required", TLS)


def _clients(tls: Mapping[str, Any], document: Document) -> Iterator[Problem]:
    client_auth = tls.get("client_auth_type", ClientAuth.NONE)
    if client_auth == ClientAuth.NONE:
        for key in ("client_ca", "client_ca_file", "client_allowed_sans"):
            if key in tls:
                message = f"has no effect with client_auth_type {ClientAuth.NONE}: write {ClientAuth.REQUIRED} there"
                yield document.problem(message, TLS, key)
    elif client_auth in tuple(ClientAuth) and not {"client_ca", "client_ca_file"} & tls.keys():
        yield document.problem("needs `client_ca_file`, or `client_ca`", TLS, "client_auth_type")


def _algorithms(tls: Mapping[str, Any], document: Document) -> Iterator[Problem]:
    lowest, highest = tls.get("min_version", TlsVersion.TLS12), tls.get("max_version", TlsVersion.TLS13)
    if (lowest, highest) == (TlsVersion.TLS13, TlsVersion.TLS12):
        yield document.problem("is higher than max_version", TLS, "min_version")
    if "cipher_suites" in tls and lowest == TlsVersion.TLS13:
        yield document.problem("has no effect with min_version TLS13", TLS, "cipher_suites")
    curves = tls.get("curve_preferences")
    if isinstance(curves, list) and len(curves) > 1:
        yield document.problem("only one curve can be selected", TLS, "curve_preferences")


def _header_problem(name: str, content: Any) -> str | None:
    if name not in HEADERS:
        return f"is not a supported header: {', '.join(HEADERS)}"
    if not isinstance(content, str) or not content:
        return None  # the schema reports it
    if not re.fullmatch(r"[\x20-\x7e]+", content):
        return "must be one line of printable ASCII characters"
    if HEADERS[name] and content.lower() not in HEADERS[name]:
        return f"must be {' or '.join(HEADERS[name])}"
    return None
