"""A web configuration that changes on disk while it is in use."""

import os
from pathlib import Path

import bcrypt
import pytest

from monitor.config.errors import ConfigurationError
from monitor.config.web_config import parse_web_config
from monitor.web.web_config import AccessPolicy, WebConfigReloader
from tests.web.certificates import TLS, WebFolder

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()


class Watched:
    """A reloader, and what it reported."""

    def __init__(self, path: Path) -> None:
        """Read the file for the first time."""
        self._reported: list[str] = []
        self.reloader = WebConfigReloader(path, lambda error: self._reported.append(str(error or "reloaded")))

    def check(self, times: int = 2) -> list[str]:
        """Check for changes so often, and return the reports."""
        before = self.reloader.policy
        for _ in range(times):
            self.reloader.reload_if_changed()
        reported, self._reported = self._reported, []
        assert (self.reloader.policy is not before) == ("reloaded" in reported)
        return reported


def test_without_a_web_configuration_every_client_is_allowed() -> None:
    """There is no TLS, no user and no rate limit, and nothing to reload."""
    reloader = WebConfigReloader()
    reloader.reload_if_changed()
    assert reloader.policy == AccessPolicy()


def test_a_renewed_certificate_is_applied_once(web: WebFolder) -> None:
    """A change is reported once and applied; further checks find nothing."""
    watched = Watched(web.config)
    assert watched.check(3) == []
    web.issue(web.ca)
    assert watched.check() == ["reloaded"]
    assert watched.check(3) == []


def test_a_change_is_tried_once_it_is_complete(web: WebFolder) -> None:
    """A certificate is written before its key; the state in between is not an error."""
    watched = Watched(web.config)
    key = (web.folder / "server.key").read_bytes()
    web.issue(web.ca)
    new_key = (web.folder / "server.key").read_bytes()
    (web.folder / "server.key").write_bytes(key)
    assert watched.check(1) == []
    (web.folder / "server.key").write_bytes(new_key)
    assert watched.check(1) == []
    assert watched.check(1) == ["reloaded"]


def test_a_broken_certificate_is_refused_once_and_the_last_good_one_kept(web: WebFolder) -> None:
    """An error is reported once until the files change again; the policy in force stays."""
    watched = Watched(web.config)
    file = web.folder / "server.pem"
    certificate = file.read_bytes()
    file.write_bytes(certificate[:100])
    (message,) = watched.check(5)
    assert message.startswith(
        f"{web.config}:1: tls_server_config.cert_file: the certificate and the key cannot be used"
    )
    file.unlink()
    assert watched.check(5) == [
        f"{web.config}:1: tls_server_config.cert_file: {file} cannot be read: No such file or directory"
    ]
    file.write_bytes(certificate)
    assert watched.check(5) == ["reloaded"]


def test_the_file_itself_is_read_again(web: WebFolder) -> None:
    """Users and TLS may come and go; the file may be wrong, missing, or restored."""
    watched = Watched(web.config)
    web.write(f"basic_auth_users: {{a: {HASH}}}")
    assert watched.check() == ["reloaded"]
    policy = watched.reloader.policy
    assert (policy.tls_context, policy.users) == (None, {b"a": HASH.encode()})
    web.write("")
    assert watched.check(5) == [f"{web.config}:1: the file is empty: write `{{}}` for neither TLS nor users"]
    web.write("basic_auth_users: {a: secret}")
    (message,) = watched.check(5)
    assert "secret" not in message
    web.config.unlink()
    assert watched.check(5) == [f"{web.config}:1: the file cannot be read: No such file or directory"]
    assert watched.reloader.policy is policy
    web.write(TLS)
    assert watched.check() == ["reloaded"]
    assert watched.reloader.policy.tls_context is not None


def test_a_secret_that_kubernetes_updates(web: WebFolder) -> None:
    """Kubernetes replaces a symbolic link to a folder; no file that was read before changes."""

    def mount(name: str) -> None:
        """Do what a kubelet does: a new folder, and one rename."""
        (web.folder / name).mkdir()
        for file in ("web.yml", "server.pem", "server.key"):
            (web.folder / name / file).write_bytes((web.folder / file).read_bytes())
        (web.folder / "..data_tmp").symlink_to(name)
        (web.folder / "..data_tmp").rename(web.folder / "..data")

    mount("..2026_01")
    mounted = web.folder / "mounted"
    mounted.mkdir()
    for file in ("web.yml", "server.pem", "server.key"):
        (mounted / file).symlink_to(f"../..data/{file}")
    watched = Watched(mounted / "web.yml")
    web.issue(web.ca)
    assert watched.check() == []
    mount("..2026_02")
    assert watched.check() == ["reloaded"]


def test_files_are_compared_by_content(web: WebFolder) -> None:
    """A file that is rewritten with the same content is no change; a new content with an old time is one."""
    watched = Watched(web.config)
    file = web.folder / "server.pem"
    file.write_bytes(file.read_bytes())
    os.utime(file, (1, 1))
    assert watched.check(3) == []
    web.issue(web.ca)
    os.utime(file, (1, 1))
    assert watched.check() == ["reloaded"]


def test_a_missing_file_is_an_error_at_the_start(tmp_path: Path) -> None:
    """At the start there is no policy to keep, so the error is raised."""
    with pytest.raises(ConfigurationError) as refused:
        WebConfigReloader(tmp_path / "web.yml")
    assert str(refused.value) == f"{tmp_path}/web.yml:1: the file cannot be read: No such file or directory"


def test_secrets_have_no_repr(web: WebFolder) -> None:
    """A value that gets into a log line or a traceback shows neither hash nor key."""
    key = "".join(f"    {line}\n" for line in (web.folder / "server.key").read_text().splitlines())
    web.write(f"tls_server_config:\n  cert_file: server.pem\n  key: |\n{key}basic_auth_users: {{a: {HASH}}}")
    reloader = WebConfigReloader(web.config)
    shown = repr(reloader.policy) + repr(parse_web_config(web.config.read_bytes(), web.config))
    assert HASH not in shown
    assert "PRIVATE KEY" not in shown
