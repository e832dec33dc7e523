"""A Prometheus that has a recorded day, with the alerts that the shipped rules fire at its end."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.dashboard.pictures.scrapes import START, Scrape, scrapes
from tests.e2e.process import eventually
from tests.e2e.prometheus import Prometheus, prometheus

RULES = Path(__file__).parents[3] / "helm" / "alerts.yaml"
EVERY = timedelta(minutes=1)
RULE_MINUTES = 4
"""Minutes between evaluations. Prometheus looks back five for the last value of a recording rule."""
OF_THE_RULES = ("ALERTS", "servicecatalog:poll_interval_seconds:held")
"""The series of the rules that the dashboard reads."""


@dataclass(frozen=True)
class History:
    """A Prometheus with data from `start` to `end`."""

    server: Prometheus
    start: datetime
    end: datetime

    def at_end(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of an instant query at the end."""
        return self.server.get("query", query=expression, time=self.end.timestamp())

    def over_time(self, expression: str, step: int) -> list[dict[str, Any]]:
        """Return the result of a range query with a step in seconds."""
        return self.server.get(
            "query_range", query=expression, start=self.start.timestamp(), end=self.end.timestamp(), step=step
        )


@contextmanager
def recorded_day(folder: Path) -> Iterator[History]:
    """Run a Prometheus on the data of the day."""
    seen = list(scrapes(folder))
    end = seen[-1][0]
    seen += [(end, series) for series in evaluated_rules(seen, folder)]
    text = folder / "day.openmetrics"
    with text.open("w") as file:
        for at, series in seen:
            file.writelines(f"{name} {value!r} {at.timestamp()}\n" for name, value in series.items())
        file.write("# EOF\n")
    command = ("promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(folder / "data"))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    # A sample is valid until the next scrape, so that the outage is as long as it was.
    with prometheus("127.0.0.1:1", folder, lookback=2 * EVERY - timedelta(seconds=1)) as server:
        assert eventually(lambda: bool(server.query("vector(1)")))
        yield History(server, START, end)


def evaluated_rules(seen: Sequence[tuple[datetime, Scrape]], folder: Path) -> Iterator[Scrape]:
    """Yield the series of the rules at the end of the day.

    Prometheus cannot evaluate rules for the past if they read their own last value. promtool can, as a test; it prints
    the result of an expression if another one is expected.
    """
    chosen = seen[::RULE_MINUTES]
    values: dict[str, list[str]] = {}
    for place, (_, series) in enumerate(chosen):
        for name, value in series.items():
            values.setdefault(name, ["_"] * len(chosen))[place] = repr(value)
    every = f"{RULE_MINUTES}m"
    checks = [
        {"expr": name, "eval_time": f"{(len(chosen) - 1) * RULE_MINUTES}m", "exp_samples": [{"labels": "unexpected"}]}
        for name in OF_THE_RULES
    ]
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": every,
        "tests": [
            {
                "interval": every,
                "input_series": [{"series": name, "values": _stale(one)} for name, one in values.items()],
                "promql_expr_test": checks,
            }
        ],
    }
    path = folder / "rules.test.yaml"
    path.write_text(json.dumps(test))
    done = subprocess.run(("promtool", "test", "rules", path), capture_output=True, text=True, check=False, timeout=300)
    # A line of the result: {__name__="ALERTS", account="111122223333", ...} 1E+00
    printed = (done.stdout + done.stderr).replace("\\", "").replace('", ', '",')
    for name, labels, value in re.findall(r'\{__name__="([\w:]+)",([^}]*)\} ([\dE+.-]+)', printed):
        yield {f"{name}{{{labels}}}": float(value)}


def _stale(values: Sequence[str]) -> str:
    """Return the samples of a series, which ends with a stale marker as after a scrape without it."""
    pairs = zip(["_", *values], values, strict=False)
    return " ".join("stale" if value == "_" and before not in {"_", "stale"} else value for before, value in pairs)


def labels_of(found: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return the labels of each result."""
    return [one["metric"] for one in found]
