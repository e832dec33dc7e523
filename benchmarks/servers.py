"""The measured servers: the monitor as a process, nginx with the same bytes as files, and the simulated AWS."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.clients import Target
from tests.e2e.process import DaemonProcess

_NGINX = """
daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
events {{ worker_connections 768; }}
http {{
    sendfile on;
    tcp_nopush on;
    access_log off;
    default_type "text/plain; version=0.0.4; charset=utf-8";
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/site;
        gzip_static on;
        gzip_vary on;
    }}
}}
"""


def environment(endpoint: str = "http://127.0.0.1:9") -> dict[str, str]:
    """Return the environment of a daemon that uses `endpoint`. The default endpoint refuses connections."""
    return {
        "AWS_ACCESS_KEY_ID": "simulated",
        "AWS_SECRET_ACCESS_KEY": "simulated",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint,
    }


@contextmanager
def daemon(config: Path, endpoint: str = "http://127.0.0.1:9") -> Iterator[DaemonProcess]:
    """Run a daemon until the end of the block."""
    os.environ.update(environment(endpoint))
    with DaemonProcess(config) as process:
        yield process


@contextmanager
def nginx(folder: Path, text: bytes, packed: bytes) -> Iterator[Target]:
    """Serve the same bytes from static files, as text and as the file that `gzip_static` expects."""
    site = folder / "site"
    site.mkdir(parents=True)
    (site / "metrics").write_bytes(text)
    (site / "metrics.gz").write_bytes(packed)
    folder.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=port, user=user))
    process = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)  # noqa: S607
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        yield Target(f"127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def pages(*, instances: int, changes: bool = False, delay: float = 0.0) -> Iterator[str]:
    """Serve listings with this number of instances from another process, and yield its URL."""
    command = [sys.executable, "-m", "benchmarks.pages", "--instances", str(instances), "--delay", str(delay)]
    process = subprocess.Popen(
        command + ["--changes"] * changes, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
