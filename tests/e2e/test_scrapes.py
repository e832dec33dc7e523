"""Many concurrent scrapes of 300,000 series: bounded memory, a 503 beyond the limit, and polls in time."""

import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.model.instances import Product, Status
from monitor.state.sqlite import SqliteStore
from tests.e2e.process import DaemonProcess
from tests.e2e.test_soak import size_of
from tests.faulty_aws.exchange import Request, Response
from tests.faulty_aws.server import FaultyAws
from tests.making import baseline

LARGE, SMALL = "pp-aaaaaaaaaaaaa", "pp-bbbbbbbbbbbbb"
ACCOUNTS = 25_000
REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "ap-southeast-2")
SERIES = ACCOUNTS * len(REGIONS) * 3
SCRAPES = 50


def upstream(request: Request) -> Response:
    """List one instance of the small product; the large one is throttled, so its stored snapshot stays published."""
    asked = json.loads(request.body)
    if LARGE in asked.values():
        return Response(400, json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"}).encode())
    if "Id" in asked:
        described = {"Id": SMALL, "Name": "small", "Type": "CFN_STACKSET", "Status": "AVAILABLE"}
        return Response(body=json.dumps({"ProvisionedProductDetail": described}).encode())
    item = {"Account": "111111111111", "Region": "eu-west-1", "StackInstanceStatus": "CURRENT"}
    return Response(body=json.dumps({"StackInstances": [item]}).encode())


@pytest.mark.timeout(120)
def test_fifty_concurrent_scrapes_of_300_000_series(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each scrape is complete or a 503, the process does not keep a copy for each, and polls continue."""
    fleet = {(f"{n:012}", region): Status.CURRENT for n in range(ACCOUNTS) for region in REGIONS}
    (tmp_path / "state").mkdir()
    state = SqliteStore(tmp_path / "state" / "monitor.db")
    state.commit(baseline(fleet, Product(LARGE, "baseline"), datetime.now(UTC).replace(microsecond=0)))
    state.close()
    aws = FaultyAws(upstream)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.start())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    config.write_text(config.read_text().replace("products:", f"products:\n  - {SMALL}"))

    with DaemonProcess(config) as daemon:

        def scrape(number: int) -> int | None:
            """Return the number of series; None if the server is busy."""
            encoding = {"Accept-Encoding": "identity"} if number % 10 == 0 else {"Accept-Encoding": "gzip"}
            request = urllib.request.Request(daemon.url + "/metrics", headers=encoding)
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    body = answer.read()  # urllib raises where less comes than was announced
            except urllib.error.HTTPError as error:
                error.close()
                if error.code != 503:
                    raise
                return None
            return body.count(b"\nservicecatalog_stack_instance_status{") if number % 10 == 0 else SERIES + 3

        daemon.wait_for_event("poll.completed", provisioned_product_id=SMALL)
        assert scrape(0) == SERIES + 3
        before = size_of(daemon.pid)
        daemon.forget("poll.completed")
        with ThreadPoolExecutor(SCRAPES) as clients:
            found = list(clients.map(scrape, range(SCRAPES)))
        after = size_of(daemon.pid)
        daemon.wait_for_events(2, "poll.completed", provisioned_product_id=SMALL)
        answered = [series for series in found if series is not None]
        print(
            f"{len(answered)} answered, {found.count(None)} x 503, {before.megabytes:.0f} -> {after.megabytes:.0f} MiB"
        )
        assert len(answered) >= 8
        assert set(answered) <= {SERIES + 3}
        assert after.megabytes < before.megabytes + 64
        assert daemon.stop() == 0
    aws.stop()
