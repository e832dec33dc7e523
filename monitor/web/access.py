"""Who may come in: the web configuration as it is on disk now, or as it was when it was last right.

Renewed certificates are used without a restart: everything is compared by its content, so that it does not
matter whether a file was written anew, moved over another, or is found behind another symbolic link, as
Kubernetes renews a mounted Secret.
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitor.config.document import Problem
from monitor.config.errors import ConfigurationError
from monitor.config.web_config import TLS, TlsSettings, WebConfig, parse_web_config
from monitor.web.rate import Bucket
from monitor.web.tls import Certificate, TlsError, alternative_names, normal_name, server_context
from monitor.web.users import Users


@dataclass(frozen=True)
class Entrance:
    """What a newcomer meets."""

    context: ssl.SSLContext | None = None
    allowed_names: frozenset[str] = frozenset()
    """Of client certificates; empty: any name will do."""
    users: Users | None = None
    bucket: Bucket | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def welcomes(self, certificate: Certificate) -> bool:
        """Say whether the names in a verified certificate are the right ones."""
        return not self.allowed_names or not self.allowed_names.isdisjoint(alternative_names(certificate))


@dataclass(frozen=True)
class _Look:
    """The web configuration file and all that it names, as they are on disk at one moment."""

    text: bytes | str = field(repr=False)
    """The content of the file itself, or why it cannot be read."""
    files: Mapping[Path, bytes | str] = field(repr=False)
    """The same of each that it names."""
    config: WebConfig | ConfigurationError = field(compare=False)


class Access:
    """The entrance of the moment. `renew` is called by one thread, `now` is read by another."""

    def __init__(
        self, path: Path | None = None, on_renewal: Callable[[ConfigurationError | None], None] = lambda _: None
    ) -> None:
        """Read a web configuration file; without one, everybody may come in, without TLS.

        Raises `ConfigurationError`. Later `on_renewal` is told of every change, None where it was taken over.
        """
        self._path = path
        self._on_renewal = on_renewal
        self.now = Entrance()
        if path is not None:
            self._last = self._tried = _look(path)
            self.now = _entrance(self._tried)

    def renew(self) -> None:
        """Take over what has changed on disk; where that is wrong, say so once and keep what there is."""
        if self._path is None:
            return
        look = _look(self._path)
        last, self._last = self._last, look
        if look != last or look == self._tried:
            return  # what has only just changed may be half of a change: it is tried once it stays as it is
        self._tried = look
        try:
            self.now = _entrance(look)
        except ConfigurationError as error:
            self._on_renewal(error)
        else:
            self._on_renewal(None)


def _look(path: Path) -> _Look:
    text = _content(path)
    if isinstance(text, str):
        return _Look(text, {}, ConfigurationError(path, [Problem(1, "", f"the file cannot be read: {text}")]))
    try:
        config = parse_web_config(text, path)
    except ConfigurationError as error:
        return _Look(text, {}, error)
    named = (config.tls.cert, config.tls.key, config.tls.client_ca) if config.tls else ()
    return _Look(text, {file: _content(file) for file in named if isinstance(file, Path)}, config)


def _content(path: Path) -> bytes | str:
    """Return what is in a file, or why it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        return error.strerror or str(error)


def _entrance(look: _Look) -> Entrance:
    """Make an entrance of what is on disk; raise `ConfigurationError`."""
    config = look.config
    if isinstance(config, ConfigurationError):
        raise config
    limit = config.rate_limit
    return Entrance(
        _context(config, config.tls, look.files) if config.tls else None,
        frozenset(map(normal_name, config.tls.client_allowed_sans)) if config.tls else frozenset(),
        Users(config.users) if config.users else None,
        Bucket(limit.interval, limit.burst) if limit else None,
        tuple((name.lower().encode(), value.encode()) for name, value in config.headers),
    )


def _context(config: WebConfig, tls: TlsSettings, files: Mapping[Path, bytes | str]) -> ssl.SSLContext:
    document = config.document
    read: dict[Path, bytes] = {}
    problems = []
    for key, file in (("cert_file", tls.cert), ("key_file", tls.key), ("client_ca_file", tls.client_ca)):
        if not isinstance(file, Path):
            continue
        content = files[file]
        if isinstance(content, str):
            problems.append(document.problem(f"{file} cannot be read: {content}", TLS, key))
        else:
            read[file] = content
    if problems:
        raise ConfigurationError(config.path, problems)
    try:
        return server_context(tls, read)
    except TlsError as error:
        raise ConfigurationError(config.path, [document.problem(str(error), *error.path)]) from error
