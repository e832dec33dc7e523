"""The panels drawn from a recorded day, and the pictures of the README."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dashboard.dashboard import PANELS, query
from tests.dashboard.pictures.__main__ import IMAGES, README
from tests.dashboard.pictures.charts import Line, Plot, draw, format_value, nice_ticks
from tests.dashboard.pictures.history import History, recorded_day
from tests.dashboard.pictures.panels import draw_panel, query_text, rollouts
from tests.dashboard.pictures.scrapes import DOWN, START

pytestmark = [pytest.mark.needs("prometheus", "promtool"), pytest.mark.timeout(180)]

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """Run a Prometheus with the data of the day."""
    with recorded_day(tmp_path_factory.mktemp("day")) as history:
        yield history


@pytest.mark.parametrize("title", [panel["title"] for panel in PANELS])
def test_each_panel_shows_something_of_the_day(day: History, title: str) -> None:
    """A day with rollouts, failures and an outage has values for each panel."""
    (panel,) = (one for one in PANELS if one["title"] == title)
    drawn = draw_panel(panel, day, 0)
    assert drawn.values > 0
    assert title in drawn.html


def test_outage_is_a_gap(day: History) -> None:
    """No series of the monitor has a value while it is down."""
    down = START.timestamp() + 60 * DOWN.start + 120, START.timestamp() + 60 * DOWN.stop
    for title in ("Stack instances that are not CURRENT", "Discovered products", "Memory"):
        found = day.over_time(query_text(query(title).expression, 120), 120)
        assert found, title
        for one in found:
            assert not [at for at, _ in one["values"] if down[0] < at < down[1]], title


def test_rollouts_are_marked_from_start_to_end(day: History) -> None:
    """The annotation marks each of the four rollouts once."""
    minutes = sorted(
        (round((a - START.timestamp()) / 60), round((b - START.timestamp()) / 60)) for a, b in rollouts(day)
    )
    assert [start // 10 * 10 for start, _ in minutes] == [540, 750, 920, 1270]
    assert all(30 < end - start < 120 for start, end in minutes)


def test_alerts_at_the_end_are_those_of_the_shipped_rules(day: History) -> None:
    """Ten instances are OUTDATED after the last rollout, three INOPERABLE, and one product is denied."""
    found = day.at_end(query_text(query("Firing alerts by product").expression, 120))
    assert {(one["metric"]["alertname"], one["value"][1]) for one in found} == {
        ("StackInstanceOutdated", "10"),
        ("StackInstanceInoperable", "3"),
        ("StackSetMonitorAccessDenied", "1"),
    }


@pytest.mark.parametrize("name", README)
def test_pictures_of_the_readme_are_small(name: str) -> None:
    """The README loads quickly: each picture is a PNG below 200 KB."""
    picture = (IMAGES / name).read_bytes()
    assert picture.startswith(PNG)
    assert len(picture) < 200_000
    assert name in (Path(__file__).parents[2] / "README.md").read_text()


def test_gap_interrupts_a_line() -> None:
    """Two periods are two lines."""
    plot = Plot(300, 100, 0, 3600, 60, "short", stacked=False, bars=False, fill=0.1)
    line = Line("a", {0: 1, 60: 2, 600: 3, 660: 4}, "#fff")
    assert draw(plot, [line], []).count("<polyline") == 2


@pytest.mark.parametrize(
    ("highest", "ticks"), [(0, [0, 1]), (7, [0, 2, 4, 6, 8]), (156, [0, 50, 100, 150, 200]), (5, [0, 1, 2, 3, 4, 5])]
)
def test_axis_has_round_values(highest: float, ticks: list[float]) -> None:
    """The axis ends at or above the highest value."""
    assert nice_ticks(highest) == ticks


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (90, "s", "1.5 min"),
        (7200, "s", "2 hours"),
        (0.25, "percentunit", "25%"),
        (2**20, "bytes", "1 MiB"),
        (0, "s", "0 s"),
    ],
)
def test_values_have_units(value: float, unit: str, text: str) -> None:
    """Values are written as Grafana does."""
    assert format_value(value, unit) == text
