"""The cache of the monitor's own metrics."""

from monitor.metrics.cache import REGISTRY_SECONDS, RegistryCache
from monitor.metrics.chunk import Exposition


class Registry:
    """Counts its renderings."""

    def __init__(self) -> None:
        """Start with no rendering."""
        self.now = 100.0
        self.rendered: list[bool] = []
        self.cache = RegistryCache(self.render, lambda: self.now)

    def render(self, openmetrics: bool) -> bytes:
        """Return the number of renderings."""
        self.rendered.append(openmetrics)
        return b"%d" % len(self.rendered)

    def scrape(self, *, openmetrics: bool = False) -> int:
        """Return what a scrape contains."""
        return int(b"".join(Exposition([self.cache.chunk(openmetrics=openmetrics)]).text()))


def test_scrapes_within_the_cache_time_share_a_rendering() -> None:
    """The first scrape renders; the next one renders only when the cache time is over."""
    registry = Registry()
    assert [registry.scrape(), registry.scrape()] == [1, 1]
    registry.now += REGISTRY_SECONDS
    assert registry.scrape() == 2


def test_each_format_is_rendered_for_itself() -> None:
    """A format that is not scraped is not rendered."""
    registry = Registry()
    assert [registry.scrape(openmetrics=True), registry.scrape(openmetrics=True), registry.scrape()] == [1, 1, 2]
    assert registry.rendered == [True, False]
