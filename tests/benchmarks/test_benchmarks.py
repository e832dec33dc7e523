"""The benchmarks with few instances: they measure what they describe. No test depends on a duration."""

from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import (
    change,
    cycle,
    idle,
    memory,
    prometheus,
    report,
    rounds,
    scrape,
    series,
    sizing,
    slow_readers,
    start,
    views,
    while_polling,
)
from benchmarks.fleets import Fleet
from benchmarks.report import Table, write
from monitor.config.settings import InstanceSeries, SeriesOptions

SMALL = Fleet(2, 100)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore the environment variables that a benchmark sets."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "")


@pytest.mark.needs("nginx")
def test_scrapes_compared_with_nginx() -> None:
    """Six cases are compared with nginx, and one with prometheus_client."""
    table = scrape.table(1, SMALL)
    assert [row[1] for row in table.rows] == ["1", "8", "32", "1", "8", "32", "1"]
    assert [row[3].split()[-1] for row in table.rows] == ["nginx"] * 6 + ["generate_latest"]


def test_slow_readers() -> None:
    """Every client is answered, and the scrape beside them ends."""
    found = slow_readers.measure(SMALL, 20)
    assert found.answered == 20
    assert found.scrape > 0


def test_pages_and_api() -> None:
    """Every path is answered and measured."""
    table = views.requests_table(SMALL, 2)
    assert [row[0] for row in table.rows] == [f"`{path}`" for path in views.PATHS]
    assert all(cell.endswith(" ms") for row in table.rows for cell in row[1:])


def test_scrapes_beside_pages_and_api() -> None:
    """Scrapes are measured alone, and beside clients that are answered."""
    alone, *loaded = views.scrapes_table(SMALL, 2).rows
    assert alone[0] == "no other client"
    assert [row[0].split("`")[1] for row in loaded] == list(views.LOADS)
    assert not any(" 0 requests" in row[0] for row in loaded)


def test_the_memory_of_views() -> None:
    """It is less than that of the snapshots."""
    assert 0 <= views.views_memory(SMALL) < 10_000


def test_an_idle_daemon() -> None:
    """It needs a small part of a core."""
    assert 0 < idle.measure(SMALL, 1).cores < 1


@pytest.mark.parametrize("changes", [False, True])
def test_rounds_compared_with_a_bare_paginator(changes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have the same number of rounds."""
    monkeypatch.setattr(rounds, "IDLE_SECONDS", 0.1)
    ours, bare = rounds.rounds(SMALL, 2, 1, changes=changes)
    assert len(ours) == len(bare) == 1
    assert bare[0] > 0


def test_a_schedule_compared_with_a_bare_paginator() -> None:
    """Both have used CPU time in each interval."""
    ours, bare = rounds.schedule(SMALL, 5, 1, idle_cores=0.0)
    assert ours[0] > 0
    assert bare[0] > 0


def test_one_change() -> None:
    """There is one result for each run."""
    assert len(change.measure(2, Fleet(1, 1000))) == 2


def test_a_cycle_takes_at_least_its_bound() -> None:
    """Reading the pages of a product takes at least their delay."""
    fleet = Fleet(4, 60)
    assert cycle.bound(fleet, 2, 1000.0) == pytest.approx(0.6)
    assert cycle.measure(fleet, 2, 1000.0) >= 0.6


def test_the_first_scrape_after_a_start_is_complete(tmp_path: Path) -> None:
    """An incomplete scrape would raise an error."""
    SMALL.store(tmp_path / "monitor.db")
    assert start.first_scrape(SMALL, tmp_path) > 0
    assert start.version() > 0


@pytest.mark.parametrize("delay", [None, 0.0])
def test_scrapes_while_polls_run(delay: float | None) -> None:
    """The durations are sorted."""
    took = while_polling.measure(delay=delay, fleet=SMALL, scrapes=5)
    assert len(took) == 5
    assert took == sorted(took)


def test_sizing_and_memory_of_gauges(monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll of 100 instances needs a call for the product and five for its pages; each process some megabytes."""
    monkeypatch.setattr(sizing, "POLLS", 1)
    found = sizing.measure(SMALL)
    assert found.calls == 2 * 6
    assert 10_000 < found.memory.now <= found.memory.peak
    assert memory.gauges_memory(SMALL) > 10_000


def test_sizes_by_the_options() -> None:
    """An instance has three series by default, and none with `instance_series: none`."""
    default = series.measure(SMALL, SeriesOptions())
    none = series.measure(SMALL, SeriesOptions(instance_series=InstanceSeries.NONE))
    assert default.series - none.series == 3 * 200 + 2
    assert default.gzip < default.text


@pytest.mark.needs("prometheus")
@pytest.mark.timeout(120)
def test_a_real_prometheus_finds_each_of_30_000_series() -> None:
    """It finds three series for each instance, of which one is 1."""
    found = prometheus.measure(Fleet(2, 5_000), interval="1s")
    assert (found.series, found.held) == (30_000, 10_000)


def test_a_table_replaces_the_previous_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text around the table stays, and the previous table is replaced."""
    document = tmp_path / "performance.md"
    document.write_text("before\n<!-- one -->\nold\n<!-- /one -->\nafter\n")
    monkeypatch.setattr(report, "DOCUMENT", document)
    write("one", Table(("a", "bb"), (("ccc", "d"),)))
    text = document.read_text()
    assert text.startswith("before\n<!-- one -->\n| a   | bb |\n| --- | -- |\n| ccc | d  |\n\nMeasured on ")
    assert text.endswith("\n<!-- /one -->\nafter\n")
    with pytest.raises(RuntimeError, match="no markers for two"):
        write("two", Table(("a",), ()))


def test_every_section_has_markers() -> None:
    """docs/performance.md has markers for each table, and no others."""
    places = [line[5:-4] for line in Path("docs/performance.md").read_text().splitlines() if line.startswith("<!-- ")]
    assert sorted(places) == sorted([*bench.SECTIONS, *(f"/{name}" for name in bench.SECTIONS)])
