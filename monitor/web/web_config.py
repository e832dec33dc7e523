"""The web configuration file, read again when it or a certificate that it names changes.

Files are compared by content. So it does not matter whether a file was rewritten, replaced by a rename, or is reached
through another symbolic link, which is how Kubernetes updates a mounted Secret.
"""

import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from monitor.config.document import Problem
from monitor.config.errors import ConfigurationError
from monitor.config.validation import read_file
from monitor.config.web_config import TLS, TlsSettings, WebConfig, parse_web_config
from monitor.web.tls import Certificate, alternative_names, normal_name, server_context

# The content of each file, or why it cannot be read.
Contents = Mapping[Path, bytes | str]


class TokenBucket:
    """`rate_limit` as in exporter-toolkit: `burst` requests at once, and then one each `interval` seconds."""

    def __init__(self, interval: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with a full bucket."""
        self._interval = interval
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._refilled_at = clock()

    def take(self) -> bool:
        """Take a token for one request. Return False if there is none."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._refilled_at) / self._interval)
        self._refilled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Who may connect and send requests; by default, every client."""

    tls_context: ssl.SSLContext | None = None
    client_trust: object = field(default=None, repr=False)
    """What decides which clients are trusted. An open connection is refused once this differs from what it was when
    the connection was accepted."""
    allowed_names: frozenset[str] = frozenset()
    """Subject alternative names of client certificates; empty: any name."""
    users: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)
    """Bcrypt hashes by user name; empty: no password is required."""
    rate_limit: TokenBucket | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Sent with every response."""

    def allows(self, certificate: Certificate | None) -> bool:
        """Say whether a client certificate is still valid and has an allowed name.

        OpenSSL has verified it in the handshake, and has refused a client without one, if one is required.
        """
        if not certificate:
            return True
        if ssl.cert_time_to_seconds(certificate["notAfter"]) < time.time():
            return False
        return not self.allowed_names or not self.allowed_names.isdisjoint(alternative_names(certificate))


class WebConfigReloader:
    """Holds the access policy in force. One thread calls `reload_if_changed`; any thread may read `policy`."""

    def __init__(
        self, path: Path | None = None, on_reload: Callable[[ConfigurationError | None], None] = lambda _: None
    ) -> None:
        """Read a web configuration file. Without one, every client is allowed, and there is no TLS.

        `on_reload` is called with None after each change that was applied, and with the error after each that was not.

        Raises:
            ConfigurationError: the file, or a certificate or key that it names, cannot be used.
        """
        self.path = path
        self.policy = AccessPolicy()
        self._on_reload = on_reload
        if path is not None:
            self._last = self._tried = _read(path)
            self.policy = _policy(path, self._tried)

    def reload_if_changed(self) -> None:
        """Apply what has changed on disk. If it cannot be used, report that once and keep the policy in force."""
        if self.path is None:
            return
        contents = _read(self.path)
        last, self._last = self._last, contents
        if contents != last or contents == self._tried:
            return  # a certificate is written before its key: a change is tried once two reads agree
        self._tried = contents
        try:
            self.policy = _policy(self.path, contents)
        except ConfigurationError as error:
            self._on_reload(error)
        else:
            self._on_reload(None)


def _read(path: Path) -> Contents:
    """Read the web configuration file and the files that it names."""
    contents = {path: _content(path)}
    with suppress(ConfigurationError):  # `_policy` raises it again
        if tls := _parse(path, contents).tls:
            contents |= {file: _content(file) for file in _files(tls)}
    return contents


def _content(path: Path) -> bytes | str:
    try:
        return read_file(path)
    except OSError as error:
        return error.strerror or str(error)


def _parse(path: Path, contents: Contents) -> WebConfig:
    text = contents[path]
    if isinstance(text, str):
        raise ConfigurationError(path, [Problem(1, "", f"the file cannot be read: {text}")])
    return parse_web_config(text, path)


def _files(tls: TlsSettings) -> dict[Path, str]:
    """Return the files of `tls_server_config` with their keys."""
    keys = {tls.cert: "cert_file", tls.key: "key_file", tls.client_ca: "client_ca_file"}
    return {file: key for file, key in keys.items() if isinstance(file, Path)}


def _policy(path: Path, contents: Contents) -> AccessPolicy:
    """Return the access policy of a web configuration, or raise `ConfigurationError`."""
    config = _parse(path, contents)
    context, client_trust, allowed_names = None, None, frozenset[str]()
    if tls := config.tls:
        problems = [
            config.document.problem(f"{file} cannot be read: {reason}", TLS, key)
            for file, key in _files(tls).items()
            if isinstance(reason := contents[file], str)
        ]
        if problems:
            raise ConfigurationError(path, problems)
        readable = {file: content for file, content in contents.items() if isinstance(content, bytes)}
        context = server_context(config, tls, readable)
        allowed_names = frozenset(map(normal_name, tls.client_allowed_sans))
        client_ca = readable[tls.client_ca] if isinstance(tls.client_ca, Path) else tls.client_ca
        client_trust = (tls.client_auth, client_ca, allowed_names)
    limit = config.rate_limit
    return AccessPolicy(
        context,
        client_trust,
        allowed_names,
        {name.encode(): digest.encode() for name, digest in config.users.items()},
        TokenBucket(limit.interval, limit.burst) if limit else None,
        tuple((name.lower().encode(), value.encode()) for name, value in config.headers),
    )
