"""More than a hundred instances of a product: the oldest hundred are single alerts, the others one alert."""

from pathlib import Path

import pytest

from tests.alerts.scenario import Alert, Monitor, Product, alert, assert_firing, assert_texts, assert_value

pytestmark = pytest.mark.needs("promtool")

P = {"job": "stackset-monitor", "provisioned_product_id": "pp-aaaaaaaaaaaaa", "provisioned_product_name": "baseline"}
EU = "eu-west-1"


def single(status: str, *numbers: int) -> set[Alert]:
    """Return the alerts of the instances with these numbers."""
    name = f"StackInstance{status.capitalize()}"
    return {alert(name, **P, account=f"{number:012}", region=EU, status=status) for number in numbers}


def more(status: str) -> Alert:
    """Return the alert that stands for all other instances."""
    return alert(f"StackInstance{status.capitalize()}", **P, status=status)


@pytest.mark.parametrize(("status", "duration"), [("INOPERABLE", 5), ("OUTDATED", 30)])
def test_the_oldest_hundred_and_one_for_the_others(status: str, duration: int, tmp_path: Path) -> None:
    """A hundred instances fire one alert each; when others follow, these hundred continue and one alert is added."""
    hundred = {(f"{n:012}", EU, status): {0: 0} for n in range(100, 200)}
    later = {(f"{n:012}", EU, status): {50: 50} for n in range(100)}
    product = Product(
        instances={**hundred, **later},
        counts={0: {"CURRENT": 9900, status: 100}, 50: {"CURRENT": 9800, status: 200}},
    )
    each = single(status, *range(100, 200))
    expected = {
        49: each,
        **dict.fromkeys(range(50, 50 + duration), each),
        50 + duration: {*each, more(status)},
    }
    assert_firing((Monitor((product,)),), expected, tmp_path)


@pytest.mark.parametrize(("status", "duration"), [("INOPERABLE", 5), ("OUTDATED", 30)])
def test_a_number_that_changes_around_a_hundred_does_not_delay_alerts(
    status: str, duration: int, tmp_path: Path
) -> None:
    """The 101st instance comes and goes each minute; the other hundred fire after the usual time, and continue."""
    flapping: dict[int, int | None] = {minute: minute if minute % 2 else None for minute in range(3, 60)}
    instances = {("000000000000", EU, status): flapping} | {(f"{n:012}", EU, status): {1: 1} for n in range(1, 101)}
    counts = {minute: {"CURRENT": 9900, status: 100 + minute % 2} for minute in range(3, 60)}
    product = Product(instances=instances, counts={0: {"CURRENT": 10000}, 1: {"CURRENT": 9900, status: 100}, **counts})
    each = single(status, *range(1, 101))
    expected = {duration: set(), **dict.fromkeys(range(duration + 1, 60), each)}
    assert_firing((Monitor((product,)),), expected, tmp_path)


def test_instances_with_equal_times_keep_their_place(tmp_path: Path) -> None:
    """150 instances have one since-time, and another comes and goes: the same hundred alerts fire all the time."""
    instances: dict[tuple[str, str, str], dict[int, int | None]] = {
        (f"{n:012}", EU, "INOPERABLE"): {10: 10} for n in range(1, 151)
    }
    instances["000000000000", EU, "INOPERABLE"] = {30: 5, 40: None}
    few, many = {"CURRENT": 50, "INOPERABLE": 150}, {"CURRENT": 49, "INOPERABLE": 151}
    product = Product(instances=instances, counts={0: {"CURRENT": 200}, 10: few, 30: many, 40: few})
    fired = 'count(count_over_time(ALERTS{alertname="StackInstanceInoperable", alertstate="firing"}[1h]))'
    assert_value((Monitor((product,)),), 60, fired, 100 + 1, tmp_path)


def test_an_instance_that_is_scraped_four_times_counts_once(tmp_path: Path) -> None:
    """While one pod replaces another, two replicas of Prometheus see each of 150 instances four times."""
    product = Product(
        instances={(f"{n:012}", EU, "INOPERABLE"): {0: n} for n in range(150)},
        counts={0: {"CURRENT": 50, "INOPERABLE": 150}},
    )
    monitors = tuple(
        Monitor((product,), labels={"prometheus_replica": replica}, instance={0: pod})
        for replica in ("0", "1")
        for pod in ("10.0.0.1:9935", "10.0.0.2:9935")
    )
    firing = 'count(ALERTS{alertname="StackInstanceInoperable", alertstate="firing", account!=""})'
    assert_value(monitors, 10, firing, 100, tmp_path)


def test_text_of_the_others_has_their_number(tmp_path: Path) -> None:
    """The description says how many instances are no single alerts."""
    product = Product(counts={0: {"CURRENT": 20}, 1: {"CURRENT": 13, "INOPERABLE": 7}})
    summary = "Stack instances of a provisioned product are INOPERABLE."
    description = (
        "7 more stack instances are INOPERABLE: a delete or an import failed. Every later update of baseline"
        " (pp-aaaaaaaaaaaaa) skips such an instance without an error."
    )
    assert_texts((Monitor((product,)),), 10, more("INOPERABLE"), "critical", summary, description, tmp_path)
