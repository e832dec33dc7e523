"""A web configuration that changes on disk while it is in use."""

import os
from pathlib import Path

import bcrypt
import pytest

from monitor.config.errors import ConfigurationError
from monitor.web.access import Access
from tests.web.certificates import TLS, WebFolder

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()


class Watched:
    """An access, and what was told of its renewals."""

    def __init__(self, path: Path) -> None:
        """Read it for the first time."""
        self.told: list[str] = []
        self.access = Access(path, lambda error: self.told.append(str(error or "renewed")))

    def look(self, times: int = 2) -> list[str]:
        """Look so often, and return what was told of it."""
        before = self.access.now
        for _ in range(times):
            self.access.renew()
        told, self.told = self.told, []
        assert (self.access.now is not before) == ("renewed" in told)
        return told


def test_without_a_web_configuration_everybody_may_come_in() -> None:
    """No TLS, no users, no limit; and nothing to renew."""
    access = Access()
    access.renew()
    now = access.now
    assert (now.context, now.users, now.bucket, now.headers) == (None, None, None, ())


def test_a_renewed_certificate_is_taken_over_once(web: WebFolder) -> None:
    """A change is told once, and used; looking again is nothing."""
    monitored = Watched(web.config)
    assert monitored.look(3) == []
    web.issue(web.ca)
    assert monitored.look() == ["renewed"]
    assert monitored.look(3) == []


def test_a_change_is_tried_once_it_stays_as_it_is(web: WebFolder) -> None:
    """A certificate is written before its key: what is between the two is nobody's error."""
    monitored = Watched(web.config)
    key = (web.folder / "server.key").read_bytes()
    web.issue(web.ca)
    new_key = (web.folder / "server.key").read_bytes()
    (web.folder / "server.key").write_bytes(key)
    assert monitored.look(1) == []
    (web.folder / "server.key").write_bytes(new_key)
    assert monitored.look(1) == []
    assert monitored.look(1) == ["renewed"]


def test_a_broken_certificate_is_refused_once_and_the_last_good_one_kept(web: WebFolder) -> None:
    """What is wrong is told once, until it changes; what was good before stays in use."""
    monitored = Watched(web.config)
    file = web.folder / "server.pem"
    certificate = file.read_bytes()
    file.write_bytes(certificate[:100])
    (message,) = monitored.look(5)
    assert message.startswith(
        f"{web.config}:1: tls_server_config.cert_file: the certificate and the key cannot be used"
    )
    file.unlink()
    assert monitored.look(5) == [
        f"{web.config}:1: tls_server_config.cert_file: {file} cannot be read: No such file or directory"
    ]
    file.write_bytes(certificate)
    assert monitored.look(5) == ["renewed"]


def test_the_file_itself_is_read_again(web: WebFolder) -> None:
    """Users and TLS may come and go; the file may be wrong, or gone, or back as it was."""
    monitored = Watched(web.config)
    web.write(f"basic_auth_users: {{a: {HASH}}}")
    assert monitored.look() == ["renewed"]
    now = monitored.access.now
    assert (now.context, now.users is not None) == (None, True)
    web.write("")
    assert monitored.look(5) == [f"{web.config}:1: the file is empty: write `{{}}` for neither TLS nor users"]
    web.write("basic_auth_users: {a: secret}")
    (message,) = monitored.look(5)
    assert "secret" not in message
    web.config.unlink()
    assert monitored.look(5) == [f"{web.config}:1: the file cannot be read: No such file or directory"]
    assert monitored.access.now is now
    web.write(TLS)
    assert monitored.look() == ["renewed"]
    assert monitored.access.now.context is not None


def test_a_secret_that_kubernetes_renews(web: WebFolder) -> None:
    """Kubernetes swaps a symbolic link to a folder: no file that was read before changes."""

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
    monitored = Watched(mounted / "web.yml")
    web.issue(web.ca)
    assert monitored.look() == []
    mount("..2026_02")
    assert monitored.look() == ["renewed"]


def test_the_content_counts_and_not_the_time(web: WebFolder) -> None:
    """A file that is touched or written anew as it was is no change; one that is restored with its old time is."""
    monitored = Watched(web.config)
    file = web.folder / "server.pem"
    file.write_bytes(file.read_bytes())
    os.utime(file, (1, 1))
    assert monitored.look(3) == []
    web.issue(web.ca)
    os.utime(file, (1, 1))
    assert monitored.look() == ["renewed"]


def test_a_file_that_is_not_there_at_the_start(tmp_path: Path) -> None:
    """At the start there is no last good one: the reason is raised."""
    with pytest.raises(ConfigurationError) as refused:
        Access(tmp_path / "web.yml")
    assert str(refused.value) == f"{tmp_path}/web.yml:1: the file cannot be read: No such file or directory"


def test_secrets_are_not_shown(web: WebFolder) -> None:
    """A value of an access that gets into a log line or a traceback shows neither hash nor key."""
    key = "".join(f"    {line}\n" for line in (web.folder / "server.key").read_text().splitlines())
    web.write(f"tls_server_config:\n  cert_file: server.pem\n  key: |\n{key}basic_auth_users: {{a: {HASH}}}")
    access = Access(web.config)
    shown = repr(access.now) + repr(access._tried) + repr(access._tried.config)
    assert HASH not in shown
    assert "PRIVATE KEY" not in shown
