"""Descriptors, threads and memory stay bounded; a listing of 100,000 instances."""

import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from monitor.aws.clients import Clients
from monitor.aws.credentials import CredentialCache
from monitor.aws.http_session import MAXIMUM_RESPONSE_BYTES
from monitor.aws.listing import Page
from monitor.aws.responses import ANSWER
from monitor.aws.source import LIST_STACK_INSTANCES, Source
from monitor.model.deadline import Deadline
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Listing, Status
from tests.conftest import Aws
from tests.faulty_aws import faults
from tests.faulty_aws.exchange import Plan
from tests.faulty_aws.server import FaultyAws
from tests.making import EU, US
from tests.support import Observer, source_settings, until

PRODUCT = "pp-aaaaaaaaaaaaa"
QUICK = [
    fault
    for fault in (*faults.BAD_BODIES, *faults.BROKEN_CONNECTIONS, *faults.ENDLESS, *faults.ERRORS)
    if fault.name != "endless continues"  # takes a moment to get to a megabyte
]
REGIONS = (EU, US, "eu-central-1", "ap-southeast-2")


def descriptors() -> int:
    """Return the number of open files and sockets."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_descriptors_and_threads_do_not_grow_with_failures(
    page_source: Source, page_server: FaultyAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than 200 calls fail in every way and leave nothing open."""
    source, faulty = page_source, page_server
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    def fail(times: int) -> None:
        for number in range(times):
            faulty.clear()
            faulty.plan(Plan(QUICK[number % len(QUICK)], times=None))
            deadline = Deadline(30.0)
            with pytest.raises(PollFailedError):
                source.list_stack_instances(PRODUCT, deadline)
        for fault in (*faults.SILENT_WAITS, *faults.slow()):
            faulty.clear()
            faulty.plan(Plan(fault, times=None))
            deadline = Deadline(0.05)
            with pytest.raises(PollFailedError):
                source.list_stack_instances(PRODUCT, deadline)

    fail(len(QUICK))
    until(lambda: len(faulty._connections) <= 1)
    before, threads = descriptors(), threading.active_count()
    fail(200)
    until(lambda: len(faulty._connections) <= 1)
    until(lambda: descriptors() <= before + 2)
    until(lambda: threading.active_count() <= threads + 1)


@pytest.mark.parametrize("name", ["endless body", "endless chunks", "huge length"])
def test_an_endless_response_takes_bounded_memory(name: str, page_source: Source, page_server: FaultyAws) -> None:
    """Each attempt reads 1 MiB, of which a few copies exist."""
    deadline = Deadline(30.0)
    page_source.list_stack_instances(PRODUCT, deadline)
    page_server.plan(Plan(faults.FAULTS[name], times=None))
    tracemalloc.start()
    try:
        deadline = Deadline(30.0)
        with pytest.raises(PollFailedError, match="more than 1048576 bytes"):
            page_source.list_stack_instances(PRODUCT, deadline)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * 4 * MAXIMUM_RESPONSE_BYTES


def test_a_response_may_be_as_large_as_the_limit(page_source: Source, page_server: FaultyAws) -> None:
    """That is more than 200 times the size of a page."""
    page_server.plan(Plan(faults.body("large", b'{"StackInstances": []}' + b" " * (MAXIMUM_RESPONSE_BYTES - 4096))))
    deadline = Deadline(30.0)
    assert page_source.list_stack_instances(PRODUCT, deadline) == Listing({}, 1, {})


class FakeClient:
    """A client that lists instances without a server."""

    def __init__(self, instances: int) -> None:
        """Create this number of instances."""
        self.items = [
            {"Account": f"{number // 4:012}", "Region": REGIONS[number % 4], "StackInstanceStatus": "CURRENT"}
            for number in range(instances)
        ]

    def list_stack_instances_for_provisioned_product(self, **arguments: Any) -> dict[str, Any]:
        """Return a page."""
        begin, size = int(arguments.get("PageToken", "0")), arguments["PageSize"]
        following = begin + size
        return {ANSWER: Page(self.items[begin:following], str(following) if following < len(self.items) else None)}


def big_source(observer: Observer, calls_per_second: float) -> Source:
    """Return a source with one product of 100,000 instances."""
    source = Source(source_settings(calls_per_second=calls_per_second), observer, 1)
    credentials = CredentialCache(lambda: None, observer)
    source._clients = Clients(FakeClient(100_000), lambda: None, lambda: None, credentials, attempts=1)
    return source


def test_a_hundred_thousand_instances_are_all_listed(observer: Observer) -> None:
    """There are 5,000 pages, and all instances of an account share one string."""
    seen: list[tuple[int, int]] = []
    listing = big_source(observer, 1e9).list_stack_instances(
        PRODUCT, Deadline(60.0), lambda pages, instances: seen.append((pages, instances))
    )
    assert listing.pages == 5000
    assert listing.anomalies == {}
    expected = {(f"{number // 4:012}", REGIONS[number % 4]): Status.CURRENT for number in range(100_000)}
    assert listing.statuses == expected
    assert len({id(account) for account, _ in listing.statuses}) == 25_000
    assert len({id(region) for _, region in listing.statuses}) == 4
    assert seen[0] == (1, 20)
    assert seen[-1] == (5000, 100_000)


def test_a_listing_that_takes_too_long_fails_at_the_deadline(observer: Observer) -> None:
    """`calls_per_second` is too low for 5,000 pages."""
    begun = time.monotonic()
    with pytest.raises(PollFailedError) as caught:
        big_source(observer, 100.0).list_stack_instances(PRODUCT, Deadline(0.3))
    assert 0.3 <= time.monotonic() - begun < 3.3
    assert (caught.value.reason, caught.value.message) == (
        Reason.TIMEOUT,
        "the poll was not complete after 0.3 s",
    )


def test_concurrent_polls_do_not_affect_each_other(
    faulty: FaultyAws, aws: Aws, observer: Observer, impatient: None
) -> None:
    """Twelve products share four connections; one always fails."""
    products = [f"pp-{number:013}" for number in range(12)]
    for number, product in enumerate(products):
        aws.stack_sets.add_product(product, product)
        for account in range(25):
            aws.stack_sets.set(product, f"{number:06}{account:06}", EU, "CURRENT")
    faulty.plan(
        Plan(faults.FAULTS["reset"], product_id=products[0], page=2, times=None),
        *(Plan(faults.FAULTS["cut body"], product_id=product) for product in products[1:6]),
    )
    source = Source(source_settings(), observer, 4)
    outcomes: dict[str, Listing | PollFailedError] = {}

    def poll(product: str) -> None:
        try:
            deadline = Deadline(30.0)
            outcomes[product] = source.list_stack_instances(product, deadline)
        except PollFailedError as error:
            outcomes[product] = error

    threads = [threading.Thread(target=poll, args=(product,)) for product in products]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    failed = outcomes.pop(products[0])
    assert isinstance(failed, PollFailedError)
    assert failed.reason is Reason.CONNECTION
    assert outcomes == {
        product: Listing({(f"{number:06}{account:06}", EU): Status.CURRENT for account in range(25)}, 2, {})
        for number, product in enumerate(products)
        if number
    }
    assert observer.attempts == {LIST_STACK_INSTANCES: 4 + 11 * 2 + 5}


def test_connections_are_reused(page_source: Source, page_server: FaultyAws) -> None:
    """A hundred polls need one connection."""
    for _ in range(100):
        deadline = Deadline(30.0)
        page_source.list_stack_instances(PRODUCT, deadline)
        assert len(page_server._connections) == 1
