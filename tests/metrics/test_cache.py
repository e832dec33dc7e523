"""The whole exposition: compared with files, parsed by prometheus_client, and through the life of a product."""

import gzip
import platform
import subprocess
import threading
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from monitor.config.settings import SeriesOptions
from monitor.metrics.cache import MetricsCache
from monitor.metrics.families import FAMILIES, Kind
from monitor.metrics.registry import MonitorMetrics
from monitor.model.accepted import Acceptance
from monitor.model.details import InstanceDetail, Operation, Progress, StackSetDetails
from monitor.model.diff import Change, diff
from monitor.model.errors import PollFailedError, Reason, SkipReason
from monitor.model.instances import Anomaly, InstanceKey, Product, Status
from monitor.model.products import Description, ProductStatus
from monitor.poller.protocols import CompletedPoll, FailedPoll, StoredProduct
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, THREE, TWO, US, baseline, detail, listing, monitored, snapshot

DATA = Path(__file__).parent / "data"
ODD = Product("pp-bbbbbbbbbbbbb", 'a "quoted" \\ name\nof two lines 🚀')
FLEET: dict[InstanceKey, Status] = {(ONE, EU): Status.CURRENT, (ONE, US): Status.CURRENT, (TWO, EU): Status.OUTDATED}


def nothing(openmetrics: bool) -> bytes:
    """Render an empty registry."""
    return b"# EOF\n" if openmetrics else b""


def metrics(options: SeriesOptions | None = None) -> MetricsCache:
    """Return a cache without products and without a registry."""
    return MetricsCache(options or SeriesOptions(), nothing)


def completed(change: Change, **anomalies: int) -> CompletedPoll:
    """Return the poll that a change came from."""
    kinds = {Anomaly(kind): count for kind, count in anomalies.items()}
    statuses = {key: instance_state.status for key, instance_state in change.snapshot.states.items()}
    return CompletedPoll(
        monitored(change.product), change, listing(statuses, pages=3, anomalies=kinds), 1.25, committed=True
    )


def failed(product: Product, reason: Reason) -> FailedPoll:
    """Return a poll that failed."""
    return FailedPoll(monitored(product), "poll-9", PollFailedError(reason, "Code", "why"), 0.5, LATER, 300.0, False)  # noqa: FBT003


def text(shown: MetricsCache, *, openmetrics: bool = False) -> str:
    """Return the whole text."""
    return b"".join(shown.exposition(openmetrics=openmetrics).text()).decode()


def samples(shown: MetricsCache, name: str, **labels: str) -> dict[str, float]:
    """Return the samples with this name and these labels, by the values of their other labels."""
    return {
        ",".join(
            v for k, v in sample.labels.items() if k not in labels and not k.startswith("provisioned")
        ): sample.value
        for family in parse_text(text(shown))
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    }


def filled(own: MonitorMetrics) -> MetricsCache:
    """Return a cache in which each family has a sample."""
    accepted = Acceptance(ONE, frozenset({Status.INOPERABLE}), LATER.date(), "being repaired")
    shown = MetricsCache(SeriesOptions(), own.render, (accepted,))
    first = baseline(FLEET)
    shown.completed(completed(first))
    now = {(ONE, EU): Status.INOPERABLE, (ONE, US): Status.UNKNOWN, (THREE, EU): Status.CURRENT}
    change = diff(first.snapshot, listing(now), BASELINE, "poll-2", LATER)
    described = Description(detail(ProductStatus.UNDER_CHANGE), None, EPOCH)
    operation = Operation("op-1", "UPDATE", "FAILED", "", EPOCH, LATER, Progress(3, 1, 1))
    details = StackSetDetails(
        {(ONE, EU): InstanceDetail("FAILED", "no quota")}, {"DRIFTED": 1, "IN_SYNC": 2}, operation
    )
    change = replace(change, details=details)
    shown.completed(replace(completed(change, duplicate=2, shrink=1), description=described))
    shown.failed(failed(ODD, Reason.ACCESS_DENIED))
    shown.skipped(monitored(ODD), SkipReason.OVERRUN)
    shown.skipped(monitored(ODD), SkipReason.MISFIRE, 3)
    source = own.source("default", ["ListStackInstancesForProvisionedProduct"])
    source.attempted("ListStackInstancesForProvisionedProduct", 0.125)
    source.failed("ListStackInstancesForProvisionedProduct", "ThrottlingException")
    source.waited(0.5)
    own.state_failed()
    return shown


def without_runtime(exposition: str) -> str:
    """Leave out what differs from machine to machine."""
    kept = [
        line
        for line in exposition.splitlines()
        if not line.removeprefix("# HELP ").removeprefix("# TYPE ").startswith(("python_", "process_"))
    ]
    return "\n".join(kept).replace(platform.python_version(), "3.X.Y") + "\n"


@pytest.mark.parametrize(("openmetrics", "name"), [(False, "metrics.txt"), (True, "openmetrics.txt")])
def test_the_whole_exposition_is_the_one_in_the_file(openmetrics: bool, name: str) -> None:
    """A change of any family, label or order changes a file in this folder."""
    shown = filled(MonitorMetrics(version="1.2.3", revision="abc"))
    assert without_runtime(text(shown, openmetrics=openmetrics)) == (DATA / name).read_text()


@pytest.mark.parametrize("openmetrics", [False, True])
def test_both_formats_are_parsed_by_prometheus_client(openmetrics: bool) -> None:
    """The strict OpenMetrics parser and the text parser find every family with its type and labels."""
    parse = parse_openmetrics if openmetrics else parse_text
    found = {
        family.name: family
        for family in parse(text(filled(MonitorMetrics(version="1", revision="")), openmetrics=openmetrics))
    }
    for family in FAMILIES:
        parsed = found[family.name.removesuffix("_total") if family.kind is Kind.COUNTER else family.name]
        assert (parsed.type, parsed.documentation) == (family.kind, family.help)
        for sample in parsed.samples:
            assert set(sample.labels) - {"le"} == set(family.labels), family.name
    odd = [sample for sample in found["servicecatalog_up"].samples if sample.labels["provisioned_product_id"] == ODD.id]
    assert odd[0].labels["provisioned_product_name"] == ODD.name


@pytest.mark.needs("promtool")
def test_promtool_reports_no_problem() -> None:
    """`promtool check metrics` accepts each name, HELP and type."""
    shown = filled(MonitorMetrics(version="1.2.3", revision="abc"))
    check = subprocess.run(
        ["promtool", "check", "metrics"], input=text(shown).encode(), capture_output=True, check=False
    )
    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")


def test_text_and_gzip_are_the_same() -> None:
    """The gzip response decompresses to the text response."""
    shown = filled(MonitorMetrics(version="1", revision="")).exposition(openmetrics=True)
    assert gzip.decompress(b"".join(shown.gzip())) == b"".join(shown.text())


def test_without_products_there_are_headers_only() -> None:
    """Before the first poll, the families have no samples."""
    assert [line for line in text(metrics()).splitlines() if not line.startswith("#")] == []


def test_a_failed_poll_keeps_the_snapshot() -> None:
    """The instances do not change, `servicecatalog_up` is 0 and the reason is counted."""
    shown = metrics()
    shown.completed(completed(baseline(FLEET)))
    before = samples(shown, "servicecatalog_stack_instance_status")
    shown.failed(failed(BASELINE, Reason.INCOMPLETE))
    assert samples(shown, "servicecatalog_stack_instance_status") == before
    assert samples(shown, "servicecatalog_up") == {"": 0}
    assert samples(shown, "servicecatalog_poll_failures_total", reason="incomplete") == {"": 1}
    assert samples(shown, "servicecatalog_polls_total") == {"": 2}
    assert samples(shown, "servicecatalog_poll_last_success_timestamp_seconds") == {"": EPOCH.timestamp()}


def test_a_missing_product_loses_its_series_and_gets_them_back() -> None:
    """A product that AWS does not know has no instance series until the next complete listing."""
    shown = metrics()
    first = baseline(FLEET)
    shown.completed(completed(first))
    shown.failed(failed(BASELINE, Reason.NOT_FOUND))
    assert samples(shown, "servicecatalog_stack_instance_status") == {}
    assert samples(shown, "servicecatalog_stack_instances") == {}
    assert samples(shown, "servicecatalog_up") == {"": 0}
    shown.completed(completed(diff(first.snapshot, listing(FLEET), BASELINE, "poll-2", LATER)))
    assert len(samples(shown, "servicecatalog_stack_instance_status")) == 9
    assert samples(shown, "servicecatalog_up") == {"": 1}


def test_a_stale_product_is_withdrawn_once() -> None:
    """`withdraw` returns whether there was a snapshot to withdraw."""
    shown = metrics()
    shown.completed(completed(baseline(FLEET)))
    assert [shown.withdraw(BASELINE.id), shown.withdraw(BASELINE.id), shown.withdraw("pp-other")] == [
        True,
        False,
        False,
    ]
    assert samples(shown, "servicecatalog_stack_instance_status") == {}


def test_a_restored_product_is_published_before_its_first_poll() -> None:
    """After a restart the instances have their timestamps, and no poll is counted."""
    shown = metrics()
    shown.restored(monitored(), StoredProduct(snapshot(FLEET), missing=False))
    assert samples(shown, "servicecatalog_stack_instances") == {"CURRENT": 2, "OUTDATED": 1, "INOPERABLE": 0}
    assert len(samples(shown, "servicecatalog_stack_instance_status")) == 9
    assert samples(shown, "servicecatalog_stack_instance_status_since_timestamp_seconds") == {
        f"{TWO},{EU},OUTDATED": EPOCH.timestamp()
    }
    assert samples(shown, "servicecatalog_polls_total") == {"": 0}
    assert samples(shown, "servicecatalog_poll_last_success_timestamp_seconds") == {"": EPOCH.timestamp()}


def test_the_reason_of_a_failed_poll_is_there_until_a_poll_is_complete() -> None:
    """There is no series before the first poll and after a complete one, and never more than one."""
    shown = metrics()
    shown.restored(monitored(), StoredProduct(snapshot(FLEET), missing=False))
    assert samples(shown, "servicecatalog_poll_failing") == {}
    shown.failed(failed(BASELINE, Reason.TIMEOUT))
    shown.failed(failed(BASELINE, Reason.ACCESS_DENIED))
    assert samples(shown, "servicecatalog_poll_failing") == {"access_denied": 1}
    shown.completed(completed(baseline(FLEET)))
    assert samples(shown, "servicecatalog_poll_failing") == {}


@pytest.mark.parametrize("missing", [True, False])
def test_a_missing_product_has_no_instances_after_a_restart(missing: bool) -> None:
    """Neither snapshot nor status of a product that AWS does not know are published."""
    shown = metrics()
    shown.restored(monitored(), StoredProduct(snapshot(FLEET), missing, detail()))
    for family in ("servicecatalog_stack_instance_status", "servicecatalog_provisioned_product_status"):
        assert bool(samples(shown, family)) is not missing


def test_a_snapshot_that_could_not_be_committed_is_published() -> None:
    """The transitions of the next poll start from the committed snapshot, and the series are correct all the same."""
    shown = metrics()
    first = baseline(FLEET)
    shown.completed(completed(first))
    lost = diff(first.snapshot, listing({(ONE, EU): Status.INOPERABLE}), BASELINE, "poll-2", LATER)
    shown.completed(replace(completed(lost), committed=False))
    assert samples(shown, "servicecatalog_stack_instance_status", status="INOPERABLE") == {f"{ONE},{EU}": 1}
    assert samples(shown, "servicecatalog_stack_instance_transitions_total", **{"from": "CURRENT"}) == {
        "OUTDATED": 0,
        "INOPERABLE": 0,
        "ABSENT": 0,
    }
    again = diff(first.snapshot, listing({**FLEET, (ONE, US): Status.OUTDATED}), BASELINE, "poll-3", LATER)
    shown.completed(completed(again))
    assert samples(shown, "servicecatalog_stack_instance_status", status="OUTDATED") == {
        f"{ONE},{EU}": 0,
        f"{ONE},{US}": 1,
        f"{TWO},{EU}": 1,
    }


def test_all_products_share_the_limit_of_series() -> None:
    """CURRENT instances are left out first, and the dropped series are counted for their product."""
    shown = metrics(SeriesOptions(max_instance_series=13))
    shown.completed(completed(baseline(FLEET)))  # 3 instances with 3 series, one of them with a time: 10
    shown.completed(completed(baseline({(ONE, EU): Status.CURRENT, (ONE, US): Status.CURRENT}, ODD)))
    dropped = {
        sample.labels["provisioned_product_id"]: sample.value
        for family in parse_text(text(shown))
        for sample in family.samples
        if sample.name == "servicecatalog_instance_series_dropped"
    }
    assert dropped == {BASELINE.id: 0, ODD.id: 3}
    assert samples(shown, "servicecatalog_stack_instance_status", provisioned_product_id=ODD.id, status="CURRENT") == {
        f"{ONE},{EU}": 1
    }


def test_a_removed_product_returns_its_series_to_the_others() -> None:
    """The next poll of a truncated product publishes all of its instances."""
    shown = metrics(SeriesOptions(max_instance_series=10))
    shown.completed(completed(baseline(FLEET)))
    other = completed(baseline({(ONE, EU): Status.CURRENT}, ODD))
    shown.completed(other)
    assert samples(shown, "servicecatalog_stack_instance_status", provisioned_product_id=ODD.id) == {}
    shown.remove(BASELINE.id)
    shown.completed(other)
    assert len(samples(shown, "servicecatalog_stack_instance_status", provisioned_product_id=ODD.id)) == 3
    assert samples(shown, "servicecatalog_instance_series_dropped") == {"": 0}


def test_a_truncated_product_that_is_renamed_has_only_the_new_name() -> None:
    """Its instances are rendered again, and as many of them are left out as before."""
    shown = metrics(SeriesOptions(max_instance_series=7))
    shown.completed(completed(baseline(FLEET)))
    before = text(shown)
    shown.update(monitored(Product(BASELINE.id, "renamed")))
    assert text(shown) == before.replace(f'"{BASELINE.name}"', '"renamed"')
    assert samples(shown, "servicecatalog_instance_series_dropped") == {"": 3}


def test_a_truncated_product_is_complete_again_when_it_fits() -> None:
    """The instances that were left out are published although their status did not change."""
    shown = metrics(SeriesOptions(max_instance_series=7))
    first = baseline(FLEET)
    shown.completed(completed(first))
    statuses = {(ONE, EU): Status.CURRENT, (ONE, US): Status.CURRENT}
    shown.completed(completed(diff(first.snapshot, listing(statuses), BASELINE, "poll-2", LATER)))
    assert samples(shown, "servicecatalog_stack_instance_status", status="CURRENT") == {
        f"{ONE},{EU}": 1,
        f"{ONE},{US}": 1,
    }


def test_a_scrape_keeps_what_it_began_with() -> None:
    """A response that is being sent does not change when a poll publishes."""
    shown = metrics()
    first = baseline(FLEET)
    shown.completed(completed(first))
    under_way = shown.exposition(openmetrics=False)
    before = text(shown)
    shown.completed(completed(diff(first.snapshot, listing({}), BASELINE, "poll-2", LATER)))
    assert b"".join(under_way.text()).decode() == before
    assert text(shown) != before


def test_scrapes_during_publishes_find_the_old_or_the_new_snapshot() -> None:
    """While a thread publishes two snapshots in turn, each scrape contains exactly one of them, in all families."""
    shown = metrics()
    one = baseline({(f"{n:012}", EU): Status.CURRENT for n in range(700)})
    there = diff(one.snapshot, listing({(f"{n:012}", EU): Status.OUTDATED for n in range(900)}), BASELINE, "p", LATER)
    back = diff(
        there.snapshot, listing({key: instance_state.status for key, instance_state in one.snapshot.states.items()}),
        BASELINE, "q", LATER,
    )  # fmt: skip
    shown.completed(completed(one))
    stop = threading.Event()

    def publish() -> None:
        while not stop.is_set():
            shown.completed(completed(there))
            shown.completed(completed(back))

    thread = threading.Thread(target=publish)
    thread.start()
    seen: set[tuple[int, ...]] = set()
    try:
        for number in range(5000):
            if number >= 60 and len(seen) > 1:  # on a busy machine the publishing thread may not have run yet
                break
            exposition = b"".join(shown.exposition(openmetrics=False).text())
            seen.add(
                (
                    exposition.count(b'status="CURRENT"} 1\n'),
                    exposition.count(b'status="OUTDATED"} 1\n'),
                    exposition.count(b"status_since_timestamp_seconds{"),
                    exposition.count(b'status="CURRENT"} 700\n'),
                    exposition.count(b'status="OUTDATED"} 900\n'),
                )
            )
    finally:
        stop.set()
        thread.join()
    assert seen == {(700, 0, 0, 1, 0), (0, 900, 900, 0, 1)}


def test_a_product_under_another_name_keeps_what_was_counted() -> None:
    """Every series has the new name at once, and none has the old one."""
    shown = metrics()
    shown.completed(completed(baseline(FLEET)))
    renamed = Product(BASELINE.id, "renamed")
    shown.update(monitored(renamed, interval=60.0))
    assert BASELINE.name not in text(shown)
    assert len(samples(shown, "servicecatalog_stack_instance_status", provisioned_product_name="renamed")) == 9
    assert samples(shown, "servicecatalog_polls_total") == {"": 1}
    assert samples(shown, "servicecatalog_poll_interval_seconds") == {"": 60}


def test_a_product_that_is_removed_does_not_come_back_by_a_skipped_poll_or_an_update() -> None:
    """It has no series until it is monitored again, and what was counted before is gone."""
    shown = metrics()
    empty = text(shown)
    first = baseline(FLEET)
    shown.completed(completed(first))
    shown.remove(BASELINE.id)
    shown.skipped(monitored(), SkipReason.OVERRUN)
    shown.update(monitored())
    assert text(shown) == empty
    shown.restored(monitored(), StoredProduct(first.snapshot, missing=False))
    assert len(samples(shown, "servicecatalog_stack_instance_status")) == 9
    assert samples(shown, "servicecatalog_polls_total") == {"": 0}


def test_a_product_that_returns_is_published_although_its_state_cannot_be_loaded() -> None:
    """Without its state, the first poll is the first that is known of it."""
    shown = metrics()
    shown.completed(completed(baseline(FLEET)))
    shown.remove(BASELINE.id)
    shown.failed(failed(BASELINE, Reason.TIMEOUT))
    assert samples(shown, "servicecatalog_up") == {"": 0}
    shown.completed(completed(baseline(FLEET)))
    assert len(samples(shown, "servicecatalog_stack_instance_status")) == 9


def test_other_options_apply_at_once() -> None:
    """The series of every product change with the options, and change back with them."""
    shown = metrics()
    shown.completed(completed(baseline(FLEET)))
    shown.completed(completed(baseline({(ONE, EU): Status.CURRENT}, ODD)))
    before = text(shown)
    shown.configure(SeriesOptions(zero_series=False, max_instance_series=4))
    assert text(shown).count("\nservicecatalog_stack_instance_status{") == 3  # and one time
    assert samples(shown, "servicecatalog_instance_series_dropped", provisioned_product_id=ODD.id) == {"": 1}
    shown.configure(SeriesOptions())
    assert text(shown) == before


def test_a_product_status_of_the_future_has_a_series_while_it_holds() -> None:
    """UNKNOWN is 1 beside the documented statuses, which are 0."""
    shown = metrics()
    described = Description(detail(ProductStatus.UNKNOWN), None, EPOCH)
    shown.completed(replace(completed(baseline(FLEET)), description=described))
    assert samples(shown, "servicecatalog_provisioned_product_status") == {
        "AVAILABLE": 0, "UNDER_CHANGE": 0, "TAINTED": 0, "ERROR": 0, "PLAN_IN_PROGRESS": 0, "UNKNOWN": 1,
    }  # fmt: skip
    shown.failed(failed(BASELINE, Reason.NOT_FOUND))
    assert samples(shown, "servicecatalog_provisioned_product_status") == {}
    assert samples(shown, "servicecatalog_provisioned_product_info") == {}


def test_old_responses_are_released() -> None:
    """A format that was scraped once does not keep the instance series of that time in memory."""
    shown = metrics()
    shown.completed(completed(baseline(FLEET)))
    before = weakref.ref(shown.exposition(openmetrics=True))
    shown.exposition(openmetrics=False)
    shown.completed(completed(baseline({(THREE, EU): Status.CURRENT})))
    shown.exposition(openmetrics=False)
    assert before() is None
