"""The shipped rules and routes with scaled times."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from monitor.config.duration import format_duration, parse_duration

ROOT = Path(__file__).parents[2]
SCALE = 150
"""5m become 2s, and 30m become 12s. Ranges of expressions (`[1h]`) do not change."""
SOONEST = 1.0
"""Lower limit of a scaled time in seconds.

An inhibiting alert must arrive within `group_wait` of the alerts that it inhibits. A scaled 0.2 s was too short on
a busy machine.
"""
TIMES = ("for", "group_wait", "group_interval", "repeat_interval")


def scaled(duration: str) -> float:
    """Return a duration of the shipped files in scaled seconds."""
    return max(parse_duration(duration) / SCALE, SOONEST)


def shipped_rules() -> str:
    """Return helm/alerts.yaml with scaled times."""
    return yaml.safe_dump(_with_scaled_times(_load("helm/alerts.yaml")))


def shipped_routes(address: str) -> str:
    """Return config/alertmanager.yml with scaled times and all receivers at HOST:PORT; their paths stay."""
    configuration = _with_scaled_times(_load("config/alertmanager.yml"))
    for receiver in configuration["receivers"]:
        for webhook in receiver["webhook_configs"]:
            webhook["url"] = f"http://{address}{urlsplit(webhook['url']).path}"
        for slack in receiver.get("slack_configs", ()):
            slack["api_url"] = f"http://{address}{urlsplit(slack['api_url']).path}"
    return yaml.safe_dump(configuration)


def group_interval() -> float:
    """Return the scaled group_interval, the longest wait for a notification about a changed group."""
    return scaled(_load("config/alertmanager.yml")["route"]["group_interval"])


def _load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def _with_scaled_times(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_scaled_times(one) for one in value]
    if isinstance(value, dict):
        return {
            key: format_duration(scaled(one)) if key in TIMES else _with_scaled_times(one) for key, one in value.items()
        }
    return value
