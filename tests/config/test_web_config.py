"""The web configuration file: its settings, and all problems of a bad one at once."""

import json
from pathlib import Path

import pytest

from monitor.config.errors import ConfigurationError
from monitor.config.load import parse_settings
from monitor.config.web_config import RateLimit, TlsSettings, WebConfig, parse_web_config
from monitor.config.web_model import CIPHER_SUITES, CURVES, ClientAuth, TlsVersion

PATH = Path("/etc/monitor/web.yml")
HASH = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
TLS = "tls_server_config: {cert_file: tls.crt, key_file: tls.key"


def parsed(text: str) -> WebConfig:
    """Return the settings of a file."""
    return parse_web_config(text.encode(), PATH)


def report(text: str) -> list[str]:
    """Return the report of a file, without the path."""
    with pytest.raises(ConfigurationError) as refused:
        parsed(text)
    return str(refused.value).replace(f"{PATH}:", "").splitlines()


def test_every_key_reaches_the_settings() -> None:
    """Every supported key of exporter-toolkit's example is read; paths are relative to the file."""
    found = parsed(f"""
tls_server_config:
  cert_file: tls.crt
  key_file: /run/tls.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ../ca.crt
  client_allowed_sans: [prometheus.example, 10.0.0.1]
  min_version: TLS12
  max_version: TLS12
  cipher_suites:
    - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    - TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
  prefer_server_cipher_suites: false
  curve_preferences: [CurveP384]
http_server_config:
  http2: false
  headers:
    Strict-Transport-Security: max-age=31536000; includeSubDomains
    X-Content-Type-Options: nosniff
    X-Frame-Options: SAMEORIGIN
    X-XSS-Protection: "0"
    Content-Security-Policy: default-src 'self'
basic_auth_users:
  prometheus: {HASH}
  "zoë, 2nd": {HASH.replace("2y", "2b").replace("$10$", "$04$")}
rate_limit:
  interval: 500ms
  burst: 20
""")
    assert found.tls == TlsSettings(
        cert=Path("/etc/monitor/tls.crt"),
        key=Path("/run/tls.key"),
        client_auth=ClientAuth.REQUIRED,
        client_ca=Path("/etc/monitor/../ca.crt"),
        client_allowed_sans=frozenset({"prometheus.example", "10.0.0.1"}),
        min_version=TlsVersion.TLS12,
        max_version=TlsVersion.TLS12,
        ciphers=("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        prefer_server_ciphers=False,
        curve="secp384r1",
    )
    assert dict(found.users) == {
        "prometheus": HASH,
        "zoë, 2nd": "$2b$04$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi",
    }
    assert found.headers == (
        ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "SAMEORIGIN"),
        ("X-XSS-Protection", "0"),
        ("Content-Security-Policy", "default-src 'self'"),
    )
    assert found.rate_limit == RateLimit(interval=0.5, burst=20)


def test_the_defaults_are_those_of_exporter_toolkit() -> None:
    """TLS needs only a certificate and a key; `{}` is a file without settings."""
    assert parsed(TLS + "}").tls == TlsSettings(
        cert=Path("/etc/monitor/tls.crt"),
        key=Path("/etc/monitor/tls.key"),
        client_auth=ClientAuth.NONE,
        client_ca=None,
        client_allowed_sans=frozenset(),
        min_version=TlsVersion.TLS12,
        max_version=TlsVersion.TLS13,
        ciphers=(),
        prefer_server_ciphers=True,
        curve=None,
    )
    nothing = parsed("{}")
    assert (nothing.tls, dict(nothing.users), nothing.headers, nothing.rate_limit) == (None, {}, (), None)


def test_certificates_may_be_in_the_file() -> None:
    """Certificates can be inline."""
    found = parsed("""
tls_server_config:
  {cert: CERT, key: KEY, client_ca: CA, client_auth_type: VerifyClientCertIfGiven}
""").tls
    assert found
    assert (found.cert, found.key, found.client_ca, found.client_auth) == (b"CERT", b"KEY", b"CA", ClientAuth.IF_GIVEN)


def test_every_name_of_go_that_is_known() -> None:
    """Cipher suites and curves are translated one by one."""
    found = parsed(f"{TLS}, cipher_suites: [{', '.join(CIPHER_SUITES)}]}}").tls
    assert found
    assert found.ciphers == tuple(CIPHER_SUITES.values())
    for curve, name in CURVES.items():
        chosen = parsed(f"{TLS}, curve_preferences: [{curve}]}}").tls
        assert chosen
        assert chosen.curve == name


UNVERIFIED = (
    "is not supported, because it accepts certificates without verification:"
    " write VerifyClientCertIfGiven or RequireAndVerifyClientCert"
)
UNKNOWN_SUITE = "is not a supported cipher suite, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
NO_USERS = "must be a mapping of user names to bcrypt hashes"
NO_HASH = "is not a bcrypt hash: make one with `htpasswd -nBC 10 ''`; it begins with $2y$, $2b$ or $2a$"
EMPTY = "is empty: write a value or remove the key"
EMPTY_FILE = "1: the file is empty: write `{}` for neither TLS nor users"
HEADERS = (
    "Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, X-XSS-Protection, Content-Security-Policy"
)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", [EMPTY_FILE]),
        ("# only a remark\n", [EMPTY_FILE]),
        ("a", ['1: the file must be a mapping, not "a"']),
        ("tls_config: {}", ["1: tls_config: unknown key; did you mean `tls_server_config`?"]),
        ("tls_server_config:", [f"1: tls_server_config: {EMPTY}"]),
        ("basic_auth_users:", [f"1: basic_auth_users: {EMPTY}"]),
        ("rate_limit:", [f"1: rate_limit: {EMPTY}"]),
        ("http_server_config:", [f"1: http_server_config: {EMPTY}"]),
        (
            "tls_server_config: {}",
            [
                "1: tls_server_config: `cert_file` or `cert` is required",
                "1: tls_server_config: `key_file` or `key` is required",
            ],
        ),
        ("tls_server_config: {cert_file: a, key_file: }", [f"1: tls_server_config.key_file: {EMPTY}"]),
        (
            "http_server_config: {http2: true}",
            ["1: http_server_config.http2: HTTP/2 is not supported: write false or remove the key"],
        ),
        ("http_server_config: {headers: [a]}", ["1: http_server_config.headers: must be a mapping, not a list"]),
        ("basic_auth_users: [a]", [f"1: basic_auth_users: {NO_USERS}"]),
        (f"basic_auth_users: {{a: {HASH}, b: }}", [f"1: basic_auth_users.b: {EMPTY}"]),
        (
            f'basic_auth_users: {{"a:b": {HASH}}}',
            ['1: basic_auth_users."a:b": is not a valid user name: it is empty or contains a colon'],
        ),
        ("rate_limit: {}", ["1: rate_limit.burst: is required", "1: rate_limit.interval: is required"]),
        (
            "rate_limit: {interval: 1, burst: 0}",
            [
                "1: rate_limit.burst: must be at least 1, not 0",
                "1: rate_limit.interval: 1 is not a duration: write it like 90s, 5m, 1h30m or 7d",
            ],
        ),
    ],
)
def test_what_is_wrong(text: str, problems: list[str]) -> None:
    """Each problem has its line, its path and a sentence; empty keys are reported, too."""
    assert report(text) == problems


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("key", "x", "is set as well as key_file: remove one of them"),
        (
            "client_auth_type",
            "RequestClientCert",
            f"RequestClientCert {UNVERIFIED}",
        ),
        (
            "client_auth_type",
            "RequireAnyClientCert",
            f"RequireAnyClientCert {UNVERIFIED}",
        ),
        (
            "client_auth_type",
            "Verify",
            'must be NoClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert, not "Verify"',
        ),
        ("client_auth_type", "RequireAndVerifyClientCert", "needs `client_ca_file`, or `client_ca`"),
        (
            "client_ca_file",
            "ca.crt",
            "has no effect with client_auth_type NoClientCert: write RequireAndVerifyClientCert there",
        ),
        (
            "client_allowed_sans",
            "[a]",
            "has no effect with client_auth_type NoClientCert: write RequireAndVerifyClientCert there",
        ),
        ("min_version", "TLS10", "TLS10 is deprecated (RFC 8996): write TLS12 or TLS13"),
        ("max_version", "TLS11", "TLS11 is deprecated (RFC 8996): write TLS12 or TLS13"),
        ("max_version", "TLS14", 'must be TLS12 or TLS13, not "TLS14"'),
        ("min_version", "TLS13, max_version: TLS12", "is higher than max_version"),
        (
            "cipher_suites",
            "[TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256], min_version: TLS13",
            "has no effect with min_version TLS13",
        ),
        (
            "cipher_suites[0]",
            "[TLS_AES_128_GCM_SHA256]",
            "TLS_AES_128_GCM_SHA256 cannot be selected: TLS 1.3 always offers all of its suites; remove it",
        ),
        (
            "cipher_suites[0]",
            "[TLS_RSA_WITH_RC4_128_SHA]",
            f'"TLS_RSA_WITH_RC4_128_SHA" {UNKNOWN_SUITE}',
        ),
        ("curve_preferences", "[CurveP256, X25519]", "only one curve can be selected"),
        (
            "curve_preferences[0]",
            "[Curve25519]",
            '"Curve25519" is not one of the curves CurveP256, CurveP384, CurveP521, X25519',
        ),
    ],
)
def test_what_is_wrong_with_tls(key: str, value: str, message: str) -> None:
    """Values that OpenSSL or Python do not support are refused, and settings without effect."""
    assert report(f"{TLS}, {key.removesuffix('[0]')}: {value}}}") == [f"1: tls_server_config.{key}: {message}"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("Server: x", f"Server: is not a supported header: {HEADERS}"),
        ("X-Frame-Options: allow", "X-Frame-Options: must be deny or sameorigin"),
        ("X-Content-Type-Options: sniff", "X-Content-Type-Options: must be nosniff"),
        ("X-XSS-Protection: 0", "X-XSS-Protection: must be text, not 0: put it in quotes"),
        ('X-XSS-Protection: "a\\r\\nb: c"', "X-XSS-Protection: must be one line of printable ASCII characters"),
        ("X-XSS-Protection: ''", "X-XSS-Protection: must not be empty"),
    ],
)
def test_what_is_wrong_with_a_header(header: str, message: str) -> None:
    """Only the headers of exporter-toolkit are accepted, and no value can add another header."""
    assert report(f"http_server_config: {{headers: {{{header}}}}}") == [f"1: http_server_config.headers.{message}"]


@pytest.mark.parametrize(
    "secret",
    [
        "hush",
        "'12345'",
        "12345",
        "[hush]",
        "{hush: hush}",
        "$2x$10$hush",
        HASH[:-1],
        HASH + "x",
        HASH.replace("2y", "2x"),
        f"{HASH[:28]}/{HASH[29:]}",  # the last character of the salt has bits that bcrypt does not know
    ],
)
def test_a_refused_hash_is_not_shown(secret: str) -> None:
    """A password in the place of its hash is not shown."""
    (line,) = report(f"basic_auth_users: {{prometheus: {secret}}}")
    assert line == f"1: basic_auth_users.prometheus: {NO_HASH}"


@pytest.mark.parametrize("users", ["alice:hush", "'alice: hush'", "[hush]"])
def test_refused_users_are_not_shown(users: str) -> None:
    """YAML reads `alice:password` without a space as text."""
    assert report(f"basic_auth_users: {users}") == [f"1: basic_auth_users: {NO_USERS}"]


@pytest.mark.parametrize("key", ["cert_file", "key_file", "client_ca_file"])
def test_a_private_key_in_the_place_of_its_path_is_not_shown(key: str) -> None:
    """Otherwise the message that the file does not exist has the key in it."""
    pem = "-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----\n"
    found = report(f"tls_server_config: {{{key}: {json.dumps(pem)}}}")
    assert f"1: tls_server_config.{key}: <redacted> is not a file path" in found


@pytest.mark.parametrize("cost", ["03", "16", "31", "99"])
def test_the_cost_of_a_hash_is_limited(cost: str) -> None:
    """A high cost is refused: verifying a password would take minutes."""
    (line,) = report(f"basic_auth_users: {{a: {HASH.replace('$10$', f'${cost}$')}}}")
    assert line == f"1: basic_auth_users.a: has a cost of {int(cost)}: it must be from 4 to 15"


def test_everything_at_once() -> None:
    """A file with many problems gives one report, sorted by line."""
    assert report("""
basic_auth_users:
  a: hush
tls_server_config:
  cert_file: tls.crt
  client_auth_type: RequireAndVerifyClientCert
  min_version: TLS11
unknown: 1
""") == [
        f"3: basic_auth_users.a: {NO_HASH}",
        "4: tls_server_config: `key_file` or `key` is required",
        "6: tls_server_config.client_auth_type: needs `client_ca_file`, or `client_ca`",
        "7: tls_server_config.min_version: TLS11 is deprecated (RFC 8996): write TLS12 or TLS13",
        "8: unknown key; the keys here are tls_server_config, http_server_config, basic_auth_users, rate_limit",
    ]


def test_secrets_are_not_in_a_repr() -> None:
    """The repr of a web configuration shows neither keys nor hashes."""
    shown = repr(parsed(f"tls_server_config: {{cert: CERT, key: PRIVATE}}\nbasic_auth_users: {{a: {HASH}}}"))
    assert "PRIVATE" not in shown
    assert HASH not in shown


@pytest.mark.parametrize(
    ("config_file", "path"),
    [("web.yml", "/etc/monitor/web.yml"), ("../web.yml", "/etc/monitor/../web.yml"), ("/run/web.yml", "/run/web.yml")],
)
def test_where_the_web_configuration_is(config_file: str, path: str) -> None:
    """`web.config_file` is relative to the configuration file, not to the working directory."""
    text = f"products: [pp-a]\nweb: {{config_file: {config_file}}}"
    assert parse_settings(text.encode(), Path("/etc/monitor/monitor.yaml")).web_config == Path(path)


def test_without_a_web_configuration() -> None:
    """There is none by default. An empty key is refused, because it would turn TLS off."""
    assert parse_settings(b"products: [pp-a]", Path("monitor.yaml")).web_config is None
    with pytest.raises(ConfigurationError) as refused:
        parse_settings(b"products: [pp-a]\nweb: {config_file: }", Path("monitor.yaml"))
    assert str(refused.value) == f"monitor.yaml:2: web.config_file: {EMPTY}"
