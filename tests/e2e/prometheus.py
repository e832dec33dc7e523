"""A real Prometheus that scrapes one target with the shipped settings, evaluates rules, and is queried."""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.process import program
from tests.support import free_port

SHIPPED = Path(__file__).parents[2] / "config" / "prometheus.yml"


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    address: str
    folder: Path
    target_labels: Mapping[str, str] = field(default_factory=dict)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of an instant query; empty while Prometheus starts."""
        try:
            return self.get("query", query=expression)
        except OSError:
            return []

    def get(self, path: str, **parameters: object) -> list[dict[str, Any]]:
        """Return the result of a query of the HTTP API, `query` or `query_range`. Raises OSError if it fails."""
        url = f"http://{self.address}/api/v1/{path}?" + urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(url, timeout=30) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found

    def value(self, expression: str) -> float | None:
        """Return the only value of a query; None if there is none."""
        found = self.query(expression)
        return float(found[0]["value"][1]) if len(found) == 1 else None

    def metadata(self, name: str) -> dict[str, list[dict[str, str]]]:
        """Return type and HELP of a metric, by its name; once for each different one of the targets."""
        url = f"http://{self.address}/api/v1/metadata?" + urllib.parse.urlencode({"metric": name})
        with urllib.request.urlopen(url, timeout=30) as answer:
            found: dict[str, list[dict[str, str]]] = json.load(answer)["data"]
            return found

    def scrape_instead(self, *targets: str) -> None:
        """Replace the targets (HOST:PORT). Prometheus notices it within five seconds."""
        written = self.folder / "targets.json.new"
        written.write_text(json.dumps([{"targets": targets, "labels": dict(self.target_labels)}]))
        written.rename(self.folder / "targets.json")

    def load_rules(self, rules: str) -> None:
        """Evaluate these rules from now on.

        For up to five seconds after it, Prometheus knows no Alertmanager and drops what it would send until a minute
        later; `alertmanagers` says when that is over.
        """
        (self.folder / "rules.yml").write_text(rules)
        request = urllib.request.Request(f"http://{self.address}/-/reload", method="POST")
        with urllib.request.urlopen(request, timeout=30):
            pass  # anything but a 200 has raised

    def alertmanagers(self) -> int:
        """Return the number of Alertmanagers that get the alerts."""
        with urllib.request.urlopen(f"http://{self.address}/api/v1/alertmanagers", timeout=30) as answer:
            return len(json.load(answer)["data"]["activeAlertmanagers"])

    def evaluations(self) -> float:
        """Return the number of evaluations of the rule groups, without missed ones."""
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        values = {
            sample.name.removeprefix("prometheus_rule_group_iterations_"): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name.startswith("prometheus_rule_group_iterations_")
        }
        return values.get("total", 0) - values.get("missed_total", 0)


@contextmanager
def prometheus(
    target: str,
    folder: Path,
    *,
    interval: str = "200ms",
    evaluation_interval: str = "1m",
    alertmanager: str | None = None,
    target_labels: Mapping[str, str] | None = None,
    lookback: timedelta = timedelta(minutes=5),
) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes `target` (HOST:PORT) every `interval`, with its data in a folder.

    The scrape configuration is the shipped one with another target and interval. `target_labels` are labels of the
    target. There are no rules yet; their alerts go to `alertmanager` (HOST:PORT). A query finds a sample for as long as
    `lookback`.
    """
    address = f"127.0.0.1:{free_port()}"
    alertmanagers = [{"static_configs": [{"targets": [alertmanager]}]}] if alertmanager else []
    (scrape,) = yaml.safe_load(SHIPPED.read_text())["scrape_configs"]
    del scrape["static_configs"]
    scrape |= {
        "scrape_interval": interval,
        "scrape_timeout": interval,
        "file_sd_configs": [{"files": ["targets.json"]}],
    }
    configuration = {
        "global": {"evaluation_interval": evaluation_interval},
        "rule_files": ["rules*.yml"],  # a pattern, since the file comes later
        "alerting": {"alertmanagers": alertmanagers},
        "scrape_configs": [scrape],
    }
    (folder / "prometheus.yml").write_text(json.dumps(configuration))  # JSON is YAML, too
    server = Prometheus(address, folder, target_labels or {})
    server.scrape_instead(target)
    options = (
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        f"--web.listen-address={address}",
        f"--query.lookback-delta={lookback.total_seconds():.0f}s",
    )
    # Targets are otherwise taken over every five seconds only, after the five that a discovery waits.
    quick = ("--web.enable-lifecycle", "--scrape.discovery-reload-interval=100ms")
    with program("prometheus", *options, *quick, cwd=folder):
        yield server
