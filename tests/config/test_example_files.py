"""The files in `config/`, which people copy."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from monitor.config.json_schema import json_schema
from monitor.config.load import load_settings, parse_settings
from monitor.config.settings import DiscoverSettings, SourceSettings

CONFIG = Path(__file__).parents[2] / "config"
EXAMPLE = CONFIG / "monitor.yaml"
PROMETHEUS = CONFIG / "prometheus.yml"


def test_the_example_loads_and_shows_the_defaults() -> None:
    """Except for its products, the example has only defaults."""
    products = """
products:
  - pp-aaaaaaaaaaaaa
  - {id: pp-bbbbbbbbbbbbb, name: guardrails, interval: 1m}
"""
    assert load_settings(EXAMPLE) == parse_settings(products.encode(), EXAMPLE)


def test_the_example_has_every_key_of_the_schema() -> None:
    """Each key is at the start of a line, in a comment if it has no default."""
    schema = json_schema()
    text = EXAMPLE.read_text("utf-8")
    for part in (schema, *schema["$defs"].values()):
        for name in part.get("properties", {}):
            assert re.search(rf"(?m)^ *(# *)?(- )?{name}:", text), name


def test_the_roles_and_the_discovery_of_the_example_are_right() -> None:
    """The keys in comments are valid without the comment sign."""
    text = re.sub(
        r"(?m)^    # ((?:  )?(?:region|role_arn|external_id|discover|names|tags|interval):)",
        r"    \1",
        EXAMPLE.read_text(),
    )
    assert parse_settings(text.encode(), EXAMPLE).sources == (
        SourceSettings(
            name="default",
            region="eu-west-1",
            calls_per_second=10.0,
            page_size=20,
            accept_language="en",
            role_arn="arn:aws:iam::111122223333:role/stackset-monitor",
            external_id="secret",
            discover=DiscoverSettings(("baseline-*",), {"team": "platform"}, 900.0),
        ),
    )


def test_the_example_explains_every_key_that_it_sets() -> None:
    """Each value has a comment in the same line."""
    for line in EXAMPLE.read_text("utf-8").splitlines():
        if re.match(r" +[a-z_]+: ", line):
            assert "  #" in line, line


def test_the_scrape_configuration_keeps_our_labels() -> None:
    """`account` and `region` are those of the stack instance, also where a target has labels of that name."""
    (job,) = yaml.safe_load(PROMETHEUS.read_text("utf-8"))["scrape_configs"]
    assert job["honor_labels"] is True
    port = load_settings(EXAMPLE).listen.rpartition(":")[2]
    assert job["static_configs"] == [{"targets": [f"127.0.0.1:{port}"]}]


@pytest.mark.needs("promtool")
def test_prometheus_takes_the_scrape_configuration() -> None:
    """`promtool check config` accepts the file."""
    checked = subprocess.run(
        ["promtool", "check", "config", PROMETHEUS], capture_output=True, text=True, timeout=30, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
