"""The shipped rules and routes as they are, but for their times, which pass quicker here."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from monitor.config.duration import format_duration, parse_duration

ROOT = Path(__file__).parents[2]
SCALE = 150
"""5m are 2s, and 30m are 12s. What an expression looks back to (`[1h]`) stays."""
SOONEST = 1.0
"""The seconds below which nothing goes.

`group_wait` is there so that an alert that inhibits others comes in time: a fifth of a second is not enough for that on
a busy machine.
"""
TIMES = ("for", "group_wait", "group_interval", "repeat_interval")


def scaled(duration: str) -> float:
    """Return the seconds that a duration of the shipped files lasts here."""
    return max(parse_duration(duration) / SCALE, SOONEST)


def shipped_rules() -> str:
    """Return helm/alerts.yaml."""
    return yaml.safe_dump(_quicker(_load("helm/alerts.yaml")))


def shipped_routes(address: str) -> str:
    """Return config/alertmanager.yml with all receivers at one HOST:PORT; their paths stay."""
    configuration = _quicker(_load("config/alertmanager.yml"))
    for receiver in configuration["receivers"]:
        for webhook in receiver["webhook_configs"]:
            webhook["url"] = f"http://{address}{urlsplit(webhook['url']).path}"
    return yaml.safe_dump(configuration)


def group_interval() -> float:
    """Return after how many seconds Alertmanager says at the latest what is new of a group."""
    return scaled(_load("config/alertmanager.yml")["route"]["group_interval"])


def _load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def _quicker(value: Any) -> Any:
    if isinstance(value, list):
        return [_quicker(one) for one in value]
    if isinstance(value, dict):
        return {key: format_duration(scaled(one)) if key in TIMES else _quicker(one) for key, one in value.items()}
    return value
