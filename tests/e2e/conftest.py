"""A configuration of one product with a short interval, for daemons that run as processes."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

CONFIGURATION = """
poll:
  interval: 300ms
  timeout: 300ms
products:
  - id: pp-aaaaaaaaaaaaa
    name: baseline
sources:
  - name: hub
    region: eu-west-1
    calls_per_second: 1000
log: {{level: debug}}
state:
  path: {folder}/state/monitor.db
web:
  listen: 127.0.0.1:0
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Write the configuration, and return its path."""
    path = tmp_path / "monitor.yaml"
    path.write_text(CONFIGURATION.format(folder=tmp_path))
    return path


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Have an AWS that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        yield server
