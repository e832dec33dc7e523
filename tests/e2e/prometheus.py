"""A real Prometheus that scrapes one target, as the shipped configuration has it, and answers queries."""

import json
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.process import program


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus that runs."""

    address: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return what an instant query finds now; nothing while Prometheus starts."""
        url = f"http://{self.address}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
                return found
        except OSError:
            return []

    def value(self, expression: str) -> float | None:
        """Return the one value that a query finds, None where there is none."""
        found = self.query(expression)
        return float(found[0]["value"][1]) if len(found) == 1 else None


@contextmanager
def prometheus(
    target: str, folder: Path, *, interval: str = "200ms", beside: str | None = None, rules: Path | None = None
) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes `target` (HOST:PORT) every `interval`, with its data in a folder.

    `beside` is a second target of the same job; `rules` are evaluated as often as it scrapes.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    targets = [one for one in (target, beside) if one]
    (folder / "prometheus.yml").write_text(
        f"global: {{evaluation_interval: {interval}}}\n"
        f"rule_files: {[str(rules)] if rules else []}\n"
        "scrape_configs:\n"
        f"  - job_name: stackset-monitor\n    honor_labels: true\n    scrape_interval: {interval}\n"
        f"    scrape_timeout: {interval}\n    static_configs: [{{targets: {targets}}}]\n"
    )
    command = ("--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={address}")
    with program("prometheus", *command, cwd=folder):
        yield Prometheus(address)
