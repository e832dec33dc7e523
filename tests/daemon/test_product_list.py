"""Which products are monitored: the configured and the discovered ones of a shard."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.load import parse_settings
from monitor.config.settings import MonitoredProduct, Settings
from monitor.daemon.product_set import monitored_products
from monitor.model.instances import Product
from monitor.model.shard import Shard

TEXT = b"""
poll: {interval: 10m}
sources:
  - {name: hub, region: eu-west-1, discover: {}}
  - {name: spoke, region: eu-west-1}
  - {name: other, region: eu-west-1, discover: {interval: 1h}}
products:
  - {id: pp-a, name: mine, source: spoke, interval: 1m}
  - {id: pp-b, source: hub}
"""


@pytest.fixture(scope="module")
def settings() -> Settings:
    """Return a configuration of two listed products and two sources that discover."""
    return parse_settings(TEXT, Path("monitor.yaml"))


def products(*names: str) -> list[Product]:
    """Return products by what follows pp-."""
    return [Product(f"pp-{name}", f"name of {name}") for name in names]


def test_configured_products_come_first_with_their_settings(settings: Settings) -> None:
    """Also if discovery finds them: each product is there once."""
    found = monitored_products(settings, {"hub": products("c", "a"), "other": products("b", "d")}, Shard())
    assert list(found) == ["pp-a", "pp-b", "pp-c", "pp-d"]
    assert (found["pp-a"], found["pp-b"]) == settings.products


def test_discovered_product_has_the_defaults_and_its_own_name(settings: Settings) -> None:
    """Its source is the one that found it."""
    found = monitored_products(settings, {"other": products("d")}, Shard())
    assert found["pp-d"] == MonitoredProduct(
        Product("pp-d", "name of d"), "other", 600.0, 480.0, own_name=True, adaptive_timeout=True
    )


def test_product_that_two_sources_find_is_read_from_the_first(settings: Settings) -> None:
    """The first in the configuration."""
    found = monitored_products(settings, {"other": products("x"), "hub": products("x")}, Shard())
    assert found["pp-x"].source == "hub"


def test_products_of_a_source_without_discovery_are_not_monitored(settings: Settings) -> None:
    """Nor those of a source that is not configured."""
    found = monitored_products(settings, {"spoke": products("x"), "nowhere": products("y")}, Shard())
    assert list(found) == ["pp-a", "pp-b"]
    without = replace(settings, sources=tuple(replace(source, discover=None) for source in settings.sources))
    assert list(monitored_products(without, {"hub": products("x")}, Shard())) == ["pp-a", "pp-b"]


@given(st.lists(st.text("abcdefgh", min_size=1), unique=True), st.integers(1, 5))
def test_shards_together_have_every_product_once(names: list[str], total: int) -> None:
    """For any number of shards."""
    settings = parse_settings(TEXT, Path("monitor.yaml"))
    found = {"hub": products(*names)}
    shards = [monitored_products(settings, found, Shard(ordinal, total)) for ordinal in range(total)]
    assert sorted(product for shard in shards for product in shard) == sorted(
        monitored_products(settings, found, Shard())
    )
