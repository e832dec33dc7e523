"""Many sources with 20 products each: each rate limit is kept, every product is polled, and no call is superfluous.

`make many` has fifty of them.
"""

import json
import os
import threading
import time
from collections import defaultdict
from pathlib import Path

import pytest
from botocore.loaders import create_loader

from tests.e2e.process import DaemonProcess, eventually
from tests.faulty_aws.exchange import Request, Response
from tests.faulty_aws.server import FaultyAws

SOURCES = int(os.environ.get("STACKSET_MONITOR_SOURCES", "10"))
PRODUCTS = 20
CALLS_PER_SECOND = 8
LARGE, LARGE_PAGES = "pp-00-00", 400
DEFAULT_PAGES = 1
REGIONS = [name for partition in create_loader().load_data("partitions")["partitions"] for name in partition["regions"]]
"""The configuration accepts only Regions that botocore knows."""


class Aws:
    """Responds at once, and records each call with its source and time."""

    def __init__(self) -> None:
        """Start without calls."""
        self.lock = threading.Lock()
        self.calls: dict[str, list[float]] = defaultdict(list)
        self.of_product: dict[str, int] = defaultdict(int)
        self.silent = ""
        """The Region of a source that gets no response."""
        self.over = threading.Event()

    def answer(self, request: Request) -> Response:
        """Return one instance on each page, and describe any product."""
        asked = json.loads(request.body)
        product_id = asked.get("ProvisionedProductId") or asked["Id"]
        with self.lock:
            self.calls[request.region or ""].append(time.monotonic())
            self.of_product[product_id] += 1
        if request.region == self.silent:
            self.over.wait(60)
        if "Id" in asked:
            described = {"Id": product_id, "Name": product_id, "Type": "CFN_STACKSET", "Status": "AVAILABLE"}
            return Response(body=json.dumps({"ProvisionedProductDetail": described}).encode())
        page = int(asked.get("PageToken", 0))
        item = {"Account": f"{page:012}", "Region": "eu-west-1", "StackInstanceStatus": "CURRENT"}
        more = product_id == LARGE and page + 1 < LARGE_PAGES
        return Response(
            body=json.dumps({"StackInstances": [item], "NextPageToken": str(page + 1) if more else None}).encode()
        )


def configuration(folder: Path, sources: int, concurrency: int, calls_per_second: float) -> Path:
    """Write a configuration with a source for each Region."""
    lines = [f"poll: {{interval: 1h, concurrency: {concurrency}}}", "sources:"]
    lines += [f"  - {{name: s{n}, region: eu-west-{n}, calls_per_second: {calls_per_second}}}" for n in range(sources)]
    lines += [
        "log: {level: debug}",
        f"state: {{path: {folder / 'monitor.db'}}}",
        "web: {listen: '127.0.0.1:0'}",
        "products:",
    ]
    lines += [f"  - {{id: pp-{n:02}-{m:02}, source: s{n}}}" for n in range(sources) for m in range(PRODUCTS)]
    path = folder / "monitor.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def done(daemon: DaemonProcess) -> int:
    """Return the number of completed polls."""
    return sum(entry["event"] == "poll.completed" for entry in daemon.entries)


@pytest.mark.timeout(120)
def test_rate_limits_are_kept_and_every_product_is_polled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A product of 400 pages does not delay the 19 small ones of its source, and all calls keep the rate limit."""
    aws = Aws()
    server = FaultyAws(aws.answer)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.start())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with DaemonProcess(configuration(tmp_path, SOURCES, 128, CALLS_PER_SECOND)) as daemon:
        small = SOURCES * PRODUCTS - 1
        assert eventually(lambda: done(daemon) >= small, seconds=60)
        assert {entry["pages"] for entry in daemon.entries if entry["event"] == "poll.completed"} == {1}
        with aws.lock:
            counted = dict(aws.of_product)
            calls = {region: list(times) for region, times in aws.calls.items()}
        assert daemon.stop() == 0
    server.stop()
    assert 1 < counted.pop(LARGE) < LARGE_PAGES  # it is under way, and has not held the others up
    assert set(counted.values()) == {DEFAULT_PAGES + 1}
    assert len(counted) == small
    assert len(calls) == SOURCES
    # Of all sources together, without the first calls, which wait for their clients: any one may be late.
    settled = [times[len(times) // 4 :] for times in calls.values()]
    made = sum(len(times) - 1 for times in settled)
    allowed = sum((times[-1] - times[0]) * CALLS_PER_SECOND for times in settled)
    assert made <= 1.05 * allowed


@pytest.mark.timeout(120)
def test_a_silent_source_does_not_occupy_all_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 8 workers, 20 products of a source that does not respond do not stop the polls of other sources."""
    aws = Aws()
    aws.silent = "eu-west-0"
    server = FaultyAws(aws.answer)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.start())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with DaemonProcess(configuration(tmp_path, 10, 8, 1000)) as daemon:
        others = 9 * PRODUCTS
        assert eventually(lambda: done(daemon) == others, seconds=60)
        assert len(aws.calls["eu-west-0"]) <= 6
        assert daemon.stop() == 0
        aws.over.set()
    server.stop()
