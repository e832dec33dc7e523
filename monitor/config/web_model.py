"""The schema of the web configuration file.

A setting of exporter-toolkit that this server does not support is refused and never ignored, since the file may rely
on it for its security.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from monitor.config.field_types import Duration, FilePath, Given
from monitor.config.schema import Section

# Names in Go, which exporter-toolkit uses, and names in OpenSSL.
CIPHER_SUITES = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
}
_TLS13_SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
# The headers that exporter-toolkit allows, and the values that it allows; none: any value.
HEADERS: Mapping[str, tuple[str, ...]] = {
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
    "Content-Security-Policy": (),
}
# Costs of a bcrypt hash. 4 is the lowest one; a check takes two seconds at 15, and twice as long at each more.
COST_MIN, COST_MAX = 4, 15
_BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")


class ClientAuth(StrEnum):
    """Whether clients need a certificate, named as in Go."""

    NONE = "NoClientCert"
    IF_GIVEN = "VerifyClientCertIfGiven"
    REQUIRED = "RequireAndVerifyClientCert"


class TlsVersion(StrEnum):
    """A version of TLS, named as in Go."""

    TLS12 = "TLS12"
    TLS13 = "TLS13"


def _refused(sentence: str) -> PydanticCustomError:
    """Return an error whose message does not show the value."""
    return PydanticCustomError("sentence", "{sentence}", {"sentence": sentence})


def _client_auth(value: object) -> object:
    if value in ("RequestClientCert", "RequireAnyClientCert"):
        raise _refused(
            f"{value} is not supported, because it accepts certificates without verification:"
            f" write {ClientAuth.IF_GIVEN} or {ClientAuth.REQUIRED}"
        )
    return value


def _version(value: object) -> object:
    if value in ("TLS10", "TLS11"):
        raise _refused(f"{value} is deprecated (RFC 8996): write TLS12 or TLS13")
    return value


def _suite(name: str) -> str:
    if name in _TLS13_SUITES:
        raise _refused(f"{name} cannot be selected: TLS 1.3 always offers all of its suites; remove it")
    if name not in CIPHER_SUITES:
        message = "is not a supported cipher suite, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
        raise ValueError(message)
    return CIPHER_SUITES[name]


def _curve(name: str) -> str:
    if name not in CURVES:
        message = f"is not one of the curves {', '.join(CURVES)}"
        raise ValueError(message)
    return CURVES[name]


def _http2(value: object) -> object:
    if value is True:
        raise _refused("HTTP/2 is not supported: write false or remove the key")
    return value


def _hash(value: object) -> object:
    """Check a hash. The message does not show a wrong one, since it may be the password itself."""
    found = _BCRYPT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise _refused("is not a bcrypt hash: make one with `htpasswd -nBC 10 ''`; it begins with $2y$, $2b$ or $2a$")
    if not COST_MIN <= int(found[1]) <= COST_MAX:
        raise _refused(f"has a cost of {int(found[1])}: it must be from {COST_MIN} to {COST_MAX}")
    return value


def _users(value: object) -> object:
    """Refuse what is no mapping. The message does not show it, since `alice:password` without a space is a string."""
    if not isinstance(value, dict):
        raise _refused("must be a mapping of user names to bcrypt hashes")
    return value


Text = Annotated[str, Field(min_length=1)]
Inline = Annotated[Text | None, Given]
File = Annotated[FilePath | None, Given]
Version = Annotated[TlsVersion, Field(strict=False), BeforeValidator(_version)]


class TlsSection(Section):
    """TLS and client certificates. A certificate or key is in a file, or is the value itself."""

    cert_file: File = None
    cert: Inline = None
    key_file: File = None
    key: Inline = None
    client_auth_type: Annotated[ClientAuth, Field(strict=False), BeforeValidator(_client_auth)] = ClientAuth.NONE
    client_ca_file: File = None
    client_ca: Inline = None
    client_allowed_sans: list[Text] = Field(default_factory=list)
    min_version: Version = TlsVersion.TLS12
    max_version: Version = TlsVersion.TLS13
    cipher_suites: list[Annotated[str, AfterValidator(_suite)]] = Field(default_factory=list)
    prefer_server_cipher_suites: bool = True
    curve_preferences: list[Annotated[str, AfterValidator(_curve)]] = Field(default_factory=list)


class HttpSection(Section):
    """HTTP/2 and response headers."""

    http2: Annotated[bool, BeforeValidator(_http2)] = False
    headers: dict[str, Text] = Field(default_factory=dict)


class RateLimitSection(Section):
    """The rate limit of requests."""

    interval: Duration
    burst: int = Field(ge=1, le=1_000_000)


class WebConfigFile(Section):
    """The web configuration file."""

    tls_server_config: Annotated[TlsSection | None, Given] = None
    http_server_config: HttpSection = Field(default_factory=HttpSection)
    basic_auth_users: Annotated[dict[str, Annotated[str, BeforeValidator(_hash)]], BeforeValidator(_users)] = Field(
        default_factory=dict
    )
    rate_limit: Annotated[RateLimitSection | None, Given] = None
