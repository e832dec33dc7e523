"""The web configuration file, read again when it or a certificate that it names changes.

Files are compared by content. So it does not matter whether a file was rewritten, replaced by a rename, or is reached
through another symbolic link, which is how Kubernetes updates a mounted Secret.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitor.config.document import Problem
from monitor.config.errors import ConfigurationError
from monitor.config.web_config import TLS, TlsSettings, WebConfig, parse_web_config
from monitor.web.access_policy import AccessPolicy, TokenBucket
from monitor.web.tls import TlsError, normal_name, server_context


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
            self.policy = _policy(self._tried)

    def reload_if_changed(self) -> None:
        """Apply what has changed on disk. If it cannot be used, report that once and keep the policy in force."""
        if self.path is None:
            return
        files = _read(self.path)
        last, self._last = self._last, files
        if files != last or files == self._tried:
            return  # a certificate is written before its key: a change is tried once two reads agree
        self._tried = files
        try:
            self.policy = _policy(files)
        except ConfigurationError as error:
            self._on_reload(error)
        else:
            self._on_reload(None)


@dataclass(frozen=True, slots=True)
class _Files:
    """The content of the web configuration file and of all files that it names, or why one cannot be read."""

    text: bytes | str = field(repr=False)
    named: Mapping[Path, bytes | str] = field(repr=False)
    config: WebConfig | ConfigurationError = field(compare=False)


def _read(path: Path) -> _Files:
    text = _content(path)
    if isinstance(text, str):
        return _Files(text, {}, ConfigurationError(path, [Problem(1, "", f"the file cannot be read: {text}")]))
    try:
        config = parse_web_config(text, path)
    except ConfigurationError as error:
        return _Files(text, {}, error)
    named = (config.tls.cert, config.tls.key, config.tls.client_ca) if config.tls else ()
    return _Files(text, {file: _content(file) for file in named if isinstance(file, Path)}, config)


def _content(path: Path) -> bytes | str:
    try:
        return path.read_bytes()
    except OSError as error:
        return error.strerror or str(error)


def _policy(files: _Files) -> AccessPolicy:
    """Return the access policy of a web configuration, or raise `ConfigurationError`."""
    config = files.config
    if isinstance(config, ConfigurationError):
        raise config
    context, client_trust, allowed_names = None, None, frozenset[str]()
    if config.tls:
        contents = _readable(config, config.tls, files.named)
        try:
            context = server_context(config.tls, contents)
        except TlsError as error:
            raise ConfigurationError(config.path, [config.document.problem(str(error), *error.path)]) from error
        allowed_names = frozenset(map(normal_name, config.tls.client_allowed_sans))
        client_ca = config.tls.client_ca
        client_trust = (
            config.tls.client_auth,
            contents[client_ca] if isinstance(client_ca, Path) else client_ca,
            allowed_names,
        )
    limit = config.rate_limit
    return AccessPolicy(
        context,
        client_trust,
        allowed_names,
        {name.encode(): digest.encode() for name, digest in config.users.items()},
        TokenBucket(limit.interval, limit.burst) if limit else None,
        tuple((name.lower().encode(), value.encode()) for name, value in config.headers),
    )


def _readable(config: WebConfig, tls: TlsSettings, named: Mapping[Path, bytes | str]) -> dict[Path, bytes]:
    """Return the contents of the certificate and key files; raise `ConfigurationError` for those that have none."""
    keys = {tls.cert: "cert_file", tls.key: "key_file", tls.client_ca: "client_ca_file"}
    if problems := [
        config.document.problem(f"{file} cannot be read: {content}", TLS, keys[file])
        for file, content in named.items()
        if isinstance(content, str)
    ]:
        raise ConfigurationError(config.path, problems)
    return {file: content for file, content in named.items() if isinstance(content, bytes)}
