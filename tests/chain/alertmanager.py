"""A real Alertmanager and its API."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.e2e.process import eventually, program
from tests.support import free_port

PROGRAM = "prometheus-alertmanager"
"""Name of the program on Debian."""


@dataclass(frozen=True)
class Alertmanager:
    """A running Alertmanager."""

    address: str

    def alerts(self, name: str) -> list[dict[str, Any]]:
        """Return the alerts of a name."""
        with urllib.request.urlopen(f"http://{self.address}/api/v2/alerts", timeout=30) as answer:
            return [alert for alert in json.load(answer) if alert["labels"]["alertname"] == name]

    def send(self, *alerts: dict[str, str]) -> None:
        """Send firing alerts with these labels, as Prometheus does."""
        self._post("alerts", [{"labels": labels} for labels in alerts])

    def silence(self, **labels: str) -> None:
        """Silence the alerts with these labels for an hour."""
        now = datetime.now(UTC)
        body = {
            "matchers": [{"name": name, "value": value, "isRegex": False} for name, value in labels.items()],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(hours=1)).isoformat(),
            "createdBy": "tests",
            "comment": "a partial rollout",
        }
        self._post("silences", body)

    def _post(self, path: str, body: object) -> None:
        request = urllib.request.Request(
            f"http://{self.address}/api/v2/{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30):
            pass  # anything but a 200 has raised

    def ready(self) -> bool:
        """Return whether it accepts alerts."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=30):
                return True
        except OSError:
            return False


@contextmanager
def alertmanager(configuration: str, folder: Path) -> Iterator[Alertmanager]:
    """Run an Alertmanager without peers until the end of the block."""
    server = Alertmanager(f"127.0.0.1:{free_port()}")
    (folder / "alertmanager.yml").write_text(configuration)
    options = ("--config.file=alertmanager.yml", "--storage.path=alertmanager", "--cluster.listen-address=")
    with program(PROGRAM, *options, f"--web.listen-address={server.address}", cwd=folder):
        assert eventually(server.ready), (folder / f"{PROGRAM}.log").read_text()
        yield server
