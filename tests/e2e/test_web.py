"""The daemon's web server: TLS, client certificates and users with curl and Prometheus, and a flood of connections."""

import json
import resource
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import trustme

from tests.conftest import Aws
from tests.e2e.process import WAIT, DaemonProcess, eventually, program
from tests.making import EU, ONE
from tests.support import free_port
from tests.web.certificates import TLS, WebFolder

PRODUCT = "pp-aaaaaaaaaaaaa"
NAME = 'a "quoted" name, a back\\slash,\na new line and 💥'
"""A product name with characters that need escapes."""
USERS = f"basic_auth_users: {{prometheus: '{bcrypt.hashpw(b'secret', bcrypt.gensalt(8)).decode()}'}}\n"


@pytest.fixture
def web(aws: Aws, config: Path) -> WebFolder:
    """Write a web configuration beside the configuration, and add a product."""
    aws.stack_sets.add_product(PRODUCT, "baseline")
    aws.stack_sets.set(PRODUCT, ONE, EU, "CURRENT")
    text = config.read_text().replace("name: baseline", f"name: {json.dumps(NAME)}")
    config.write_text(text + "  config_file: tls/web.yml\n")
    folder = config.parent / "tls"
    folder.mkdir()
    return WebFolder(folder)


def curl(daemon: DaemonProcess, path: str, *arguments: str | Path) -> str:
    """Return the body and status that curl gets, or its exit code if it gets no response."""
    url = daemon.url.replace("http:", "https:") + path
    command = ["curl", "--silent", "--max-time", str(WAIT), "--write-out", "%{http_code} ", *map(str, arguments), url]
    ended = subprocess.run(command, capture_output=True, check=False)
    return ended.stdout.decode() if ended.returncode == 0 else f"curl ended with {ended.returncode}"


@pytest.mark.needs("curl")
def test_a_renewed_certificate_and_a_broken_one(web: WebFolder, config: Path) -> None:
    """A renewed certificate is logged and used; a broken one is logged, and the last valid one stays in use."""
    with DaemonProcess(config) as daemon:
        assert curl(daemon, "/livez", "--cacert", web.ca_file) == "ok\n200 "
        renewed = WebFolder(web.folder, trustme.CA())
        daemon.wait_for_event("web_config.reloaded", level="info")
        assert curl(daemon, "/livez", "--cacert", renewed.ca_file) == "ok\n200 "
        (web.folder / "server.key").write_text("broken")
        told = daemon.wait_for_event("web_config.reload_failed", level="error")
        problem = "tls_server_config.key_file: has no private key in PEM format"
        assert told["message"] == f"{web.config}:1: {problem}"
        assert curl(daemon, "/livez", "--cacert", renewed.ca_file) == "ok\n200 "


@pytest.mark.needs("prometheus")
def test_prometheus_with_basic_auth(web: WebFolder, config: Path, tmp_path: Path) -> None:
    """Prometheus reads every label unchanged with TLS and a password, and is refused with a wrong password."""
    web.write(TLS + USERS)
    port = free_port()
    with DaemonProcess(config) as daemon:
        daemon.wait_for_event("poll.completed")
        jobs = "".join(
            f"  - job_name: {job}\n    honor_labels: true\n    scheme: https\n"
            f"    tls_config: {{ca_file: {web.ca_file}}}\n"
            f"    basic_auth: {{username: prometheus, password: {password}}}\n"
            f"    static_configs: [{{targets: ['{daemon.url.removeprefix('http://')}']}}]\n"
            for job, password in (("right", "secret"), ("wrong", "guessed"))
        )
        (tmp_path / "prometheus.yml").write_text(
            f"global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\nscrape_configs:\n{jobs}"
        )
        listen = f"--web.listen-address=127.0.0.1:{port}"
        with program("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", listen, cwd=tmp_path):

            def ask(path: str, **parameters: str) -> Any:
                url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
                try:
                    with urllib.request.urlopen(url, timeout=5) as answer:
                        return json.load(answer)["data"]
                except OSError:
                    return {}

            expression = 'servicecatalog_stack_instance_status{status="CURRENT"} == 1'
            assert eventually(lambda: bool(ask("query", query=expression).get("result")))
            (found,) = ask("query", query=expression)["result"]
            assert (found["metric"]["provisioned_product_name"], found["metric"]["account"]) == (NAME, ONE)
            assert found["metric"]["job"] == "right"

            def health() -> dict[str, tuple[str, str]]:
                targets = ask("targets").get("activeTargets", [])
                return {one["labels"]["job"]: (one["health"], one["lastError"]) for one in targets}

            refused = "server returned HTTP status 401 Unauthorized"
            assert eventually(lambda: health() == {"right": ("up", ""), "wrong": ("down", refused)}), health()


def test_a_wrong_web_configuration(config: Path) -> None:
    """The daemon does not start, reports each problem with its line, and exits with 2."""
    config.write_text(config.read_text() + "  config_file: web.yml\n")
    (config.parent / "web.yml").write_text(
        "tls_server_config:\n  cert_file: server.pem\nbasic_auth_users:\n  prometheus: secret\n"
    )
    command = [sys.executable, "-m", "monitor", "run", "--config", str(config)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT)
    assert (ended.returncode, ended.stdout) == (2, "")
    web_config = config.parent / "web.yml"
    assert ended.stderr == (
        "stackset-monitor: 2 problems in the web configuration\n"
        f"{web_config}:1: tls_server_config: `key_file` or `key` is required\n"
        f"{web_config}:4: basic_auth_users.prometheus: is not a bcrypt hash: make one with `htpasswd -nBC 10 ''`;"
        " it begins with $2y$, $2b$ or $2a$\n"
    )
    assert not (config.parent / "state").exists()


def test_connections_when_file_descriptors_are_exhausted(aws: Aws, config: Path) -> None:
    """With fewer file descriptors than clients, the oldest silent connections are dropped, and a scrape is answered."""
    aws.stack_sets.add_product(PRODUCT, "baseline")
    with DaemonProcess(config) as daemon, ExitStack() as stack:
        daemon.wait_for_event("poll.completed")
        used = len(list(Path(f"/proc/{daemon.pid}/fd").iterdir()))
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (used + 20, used + 20))
        host, _, port = daemon.url.removeprefix("http://").rpartition(":")
        for _ in range(200):
            stack.enter_context(closing(socket.create_connection((host, int(port)), WAIT)))
        status, body = daemon.get("/metrics")
        assert (status, b"\nservicecatalog_up{" in body) == (200, True)
        assert daemon.get("/livez") == (200, b"ok\n")
