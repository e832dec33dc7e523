"""The cache of the monitor's own metrics."""

from monitor.metrics.chunk import Exposition
from monitor.metrics.registry_cache import MIN_CACHE_SECONDS, RegistryCache


class Registry:
    """Counts its renderings; each takes `cost` seconds of a clock that otherwise stands still."""

    def __init__(self, cost: float = 0.001) -> None:
        """Start with no rendering."""
        self.now = 100.0
        self.cost = cost
        self.rendered: list[bool] = []
        self.cache = RegistryCache(self.render, lambda: self.now)

    def render(self, openmetrics: bool) -> bytes:
        """Return the number of renderings."""
        self.now += self.cost
        self.rendered.append(openmetrics)
        return b"%d" % len(self.rendered)

    def scrape(self, *, openmetrics: bool = False) -> int:
        """Return what a scrape contains."""
        return int(b"".join(Exposition([self.cache.chunk(openmetrics=openmetrics)]).text()))


def test_scrapes_within_the_cache_time_share_a_rendering() -> None:
    """The first scrape renders; the next one renders only when the cache time is over."""
    registry = Registry()
    assert [registry.scrape(), registry.scrape()] == [1, 1]
    registry.now += MIN_CACHE_SECONDS
    assert registry.scrape() == 2


def test_each_format_is_rendered_for_itself() -> None:
    """A format that is not scraped is not rendered."""
    registry = Registry()
    assert [registry.scrape(openmetrics=True), registry.scrape(openmetrics=True), registry.scrape()] == [1, 1, 2]
    assert registry.rendered == [True, False]


def test_a_registry_that_takes_long_is_cached_longer() -> None:
    """Rendering takes at most a tenth of a processor."""
    registry = Registry(cost=0.5)
    registry.scrape()
    registry.now += 4.4
    assert registry.scrape() == 1
    registry.now += 0.2
    assert registry.scrape() == 2


def test_a_cleared_cache_is_rendered_at_the_next_scrape() -> None:
    """After a reload, the next scrape shows its result."""
    registry = Registry()
    registry.scrape()
    registry.cache.clear()
    assert registry.scrape() == 2
