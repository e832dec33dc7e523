"""The monitor's own metrics, rendered beside the scrapes."""

from monitor.metrics.own import FRESH_SECONDS, PERIOD_SECONDS, WANTED_SECONDS, OwnMetrics
from monitor.metrics.pieces import Exposition


class Registry:
    """Counts how often it is rendered; each time takes `cost` seconds of a clock that stands still otherwise."""

    def __init__(self, cost: float = 0.001) -> None:
        """Begin at nought."""
        self.now = 0.0
        self.cost = cost
        self.rendered: list[bool] = []
        self.own = OwnMetrics(self.render, lambda: self.now)

    def render(self, openmetrics: bool) -> bytes:
        """Return how often it was rendered."""
        self.now += self.cost
        self.rendered.append(openmetrics)
        return b"%d" % len(self.rendered)

    def scrape(self, *, openmetrics: bool = False) -> int:
        """Return what a scrape sees."""
        return int(b"".join(Exposition([self.own.section(openmetrics=openmetrics)]).text()))


def test_a_scrape_takes_what_is_there() -> None:
    """The first scrape renders; the next ones find it, until it is refreshed."""
    registry = Registry()
    assert [registry.scrape(), registry.scrape()] == [1, 1]
    registry.now += PERIOD_SECONDS
    registry.own.refresh()
    assert registry.scrape() == 2


def test_it_is_not_refreshed_before_its_time() -> None:
    """A supervisor that looks often does not render often."""
    registry = Registry()
    registry.scrape()
    for _ in range(5):
        registry.now += PERIOD_SECONDS / 10
        registry.own.refresh()
    assert len(registry.rendered) == 1


def test_a_large_registry_is_refreshed_less_often() -> None:
    """What takes half a second is not rendered every half second."""
    registry = Registry(cost=0.5)
    registry.scrape()
    registry.now += 10 * PERIOD_SECONDS
    registry.own.refresh()
    assert len(registry.rendered) == 1
    registry.now += 25
    registry.own.refresh()
    assert len(registry.rendered) == 2


def test_without_a_supervisor_a_scrape_renders_by_itself() -> None:
    """What nobody refreshes is not shown for ever."""
    registry = Registry()
    registry.scrape()
    registry.now += PERIOD_SECONDS + FRESH_SECONDS + 0.1
    assert registry.scrape() == 2


def test_only_the_formats_that_are_asked_for_are_refreshed() -> None:
    """Nobody pays for the format that nobody scrapes, nor for any when nobody scrapes any more."""
    registry = Registry()
    registry.scrape(openmetrics=True)
    registry.now += 1
    registry.own.refresh()
    assert registry.rendered == [True, True]
    registry.now += WANTED_SECONDS
    registry.own.refresh()
    assert registry.rendered == [True, True]


def test_what_must_be_seen_at_once_is() -> None:
    """After a reload, the next scrape shows how it went."""
    registry = Registry()
    registry.scrape()
    registry.own.outdated()
    assert registry.scrape() == 2
