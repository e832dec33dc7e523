"""`status` prints what is not CURRENT, from the state."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.model.details import InstanceDetail, Operation, Progress, StackSetDetails
from monitor.model.diff import diff
from monitor.model.instances import InstanceKey, Product, Status
from monitor.model.products import Description, ProductStatus
from monitor.state.sqlite import SqliteStore
from tests.cli.commands import OTHER, PRODUCT, Result, configuration, here
from tests.making import EU, ONE, TWO, US, baseline, detail, listing

NOW = datetime.now(UTC)
GUARDRAILS, PLAIN = Product(OTHER, "guardrails"), Product(PRODUCT, "baseline")
CURRENT: Mapping[InstanceKey, Status] = {(ONE, EU): Status.CURRENT, (ONE, US): Status.CURRENT}


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock, so that ages do not depend on the speed of the tests."""
    monkeypatch.setattr("monitor.cli.status.utc_now", lambda: NOW)


def ago(**age: float) -> datetime:
    """Return a moment in the past, in whole milliseconds."""
    moment = NOW - timedelta(**age)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    """Store a product that is CURRENT, and one with two broken instances, polled five minutes ago."""
    store = SqliteStore(tmp_path / "monitor.db")
    statuses: dict[InstanceKey, Status] = {
        (ONE, EU): Status.OUTDATED, (ONE, US): Status.CURRENT, (TWO, EU): Status.CURRENT,
    }  # fmt: skip
    first = baseline(statuses, GUARDRAILS, ago(days=2, hours=4))
    broken = diff(first.snapshot, listing({**statuses, (TWO, EU): Status.INOPERABLE}), GUARDRAILS, "2", ago(minutes=5))
    tainted = detail(ProductStatus.TAINTED, GUARDRAILS)
    for change, description in (
        (first, None),
        (broken, Description(tainted, None, ago(hours=3, minutes=5))),
        (baseline(CURRENT, PLAIN, ago(minutes=1)), Description(detail(product=PLAIN), None, ago(minutes=1))),
    ):
        store.commit(change, description)
    return store


@pytest.fixture
def path(store: SqliteStore, tmp_path: Path) -> str:
    """Return a configuration with both products, whose daemon is not running."""
    store.close()
    return configuration(tmp_path, PRODUCT, OTHER)


def status(capsys: pytest.CaptureFixture[str], path: str, *more: str) -> Result:
    """Run `status`."""
    return here(capsys, "status", "--config", path, *more)


def test_what_is_not_current_is_printed(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With since when, with the status of the product and the age of the data; exit code 1."""
    assert status(capsys, path) == Result(
        1,
        """\
guardrails (pp-bbbbbbbbbbbbb): TAINTED for 3h5m, 1 CURRENT, 1 OUTDATED, 1 INOPERABLE, polled 5m ago
STATUS      FOR   ACCOUNT       REGIONS
INOPERABLE  5m    222222222222  eu-west-1
OUTDATED    2d4h  111111111111  eu-west-1

2 products: 3 CURRENT, 1 OUTDATED, 1 INOPERABLE, polled 1m to 5m ago
INOPERABLE: a delete failed, and every later update skips the instance
OUTDATED: the last rollout did not reach the instance, or failed there
""",
        "",
    )


def test_all_current_is_one_line(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0; a product is chosen by the name that AWS gives it, or by its ID."""
    for product in ("baseline", PRODUCT):
        assert status(capsys, path, "--product", product) == Result(0, "1 product: 2 CURRENT, polled 1m ago\n", "")


def test_every_instance_is_printed_on_request(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--all` prints what is CURRENT, too."""
    found = status(capsys, path, "--all", "--output", "csv").out.splitlines()
    assert [row.split(",")[1:6] for row in found[1:]] == [
        ["baseline", "AVAILABLE", ONE, EU, "CURRENT"],
        ["baseline", "AVAILABLE", ONE, US, "CURRENT"],
        ["guardrails", "TAINTED", ONE, EU, "OUTDATED"],
        ["guardrails", "TAINTED", ONE, US, "CURRENT"],
        ["guardrails", "TAINTED", TWO, EU, "INOPERABLE"],
    ]


def test_json_has_exact_times(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Times are RFC 3339 in UTC with milliseconds, as in the events."""
    found = status(capsys, path, "--output", "json")
    assert (found.code, found.err) == (1, "")
    assert json.loads(found.out)[1] == {
        "provisioned_product_id": OTHER,
        "provisioned_product_name": "guardrails",
        "provisioned_product_status": "TAINTED",
        "account": TWO,
        "region": EU,
        "status": "INOPERABLE",
        "detailed_status": None,
        "status_reason": None,
        "accepted": None,
        "status_since": written(ago(minutes=5)),
        "provisioned_product_status_since": written(ago(hours=3, minutes=5)),
        "observed_at": written(ago(minutes=5)),
    }


def written(moment: datetime) -> str:
    """Write a moment as JSON has it."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def test_the_stored_reasons_are_printed(store: SqliteStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The state has what CloudFormation said at the last poll, and how far a rollout was."""
    accounts = [f"{number:012d}" for number in range(7)]
    statuses = {(account, EU): Status.OUTDATED for account in accounts}
    operation = Operation("op", "UPDATE", "RUNNING", "", ago(minutes=1), None, Progress(7, 0, 6))
    reasons = {key: InstanceDetail("FAILED", f"logs-{key[0]}-{EU} exists") for key in list(statuses)[:6]}
    details = StackSetDetails(reasons, operation=operation)
    store.commit(replace(baseline(statuses, PLAIN, ago(minutes=1)), details=details))
    store.close()
    found = status(capsys, configuration(tmp_path, PRODUCT))
    first, *_, reason, _, _, _ = found.out.splitlines()
    assert first == f"baseline ({PRODUCT}): AVAILABLE for 1m, rollout at 6 of 7, 6 failed, 7 OUTDATED, polled 1m ago"
    assert reason == f"FAILED: logs-ACCOUNT-REGION exists ({', '.join(accounts[:5])} and 1 more account)"


def test_an_account_can_be_chosen(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The counts and the exit code are those of its instances; an account without any may be misspelled."""
    only = status(capsys, path, "--account", TWO)
    assert (only.code, only.out.splitlines()[4]) == (1, "1 product: 1 INOPERABLE, polled 5m ago")
    assert status(capsys, path, "--account", ONE, "--product", "baseline").code == 0
    unknown = "stackset-monitor: --account: no stack instance is in 000000000000\n"
    assert status(capsys, path, "--account", "000000000000") == Result(2, "", unknown)


def test_products_without_data_are_reported(
    store: SqliteStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3: nothing says that they are CURRENT. The others are printed."""
    store.mark_missing(PRODUCT)
    store.close()
    found = status(capsys, configuration(tmp_path, PRODUCT, OTHER, "pp-new"), "--output", "csv")
    assert (found.code, found.out.count("\n")) == (3, 3)
    assert found.err == (
        "stackset-monitor: AWS does not know: baseline\nstackset-monitor: no poll was complete yet of: pp-new\n"
    )


def test_old_data_is_reported(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A snapshot that is too old for /metrics does not say what is CURRENT now; exit code 3."""
    with Path(path).open("a") as file:
        file.write("poll: {stale_after: 2m, interval: 1m}\n")
    found = status(capsys, path)
    assert (found.code, found.out.count("\n")) == (3, 8)
    assert found.err == (
        "stackset-monitor: old data, is the daemon running? Last complete poll of: guardrails (5m ago)\n"
    )


def test_discovered_products_are_included(
    store: SqliteStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are those that the last search found."""
    store.save_discovered_products("hub", [GUARDRAILS])
    store.close()
    path = tmp_path / "monitor.yaml"
    path.write_text(f"sources: [{{name: hub, discover: {{}}}}]\nstate: {{path: {tmp_path}/monitor.db}}\n")
    found = status(capsys, str(path))
    assert (found.code, found.out.splitlines()[-3]) == (
        1,
        "1 product: 1 CURRENT, 1 OUTDATED, 1 INOPERABLE, polled 5m ago",
    )


def test_the_products_of_another_shard_are_not_expected(
    path: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the pod of a shard, its environment says which products are in the state."""
    products = []
    for shard in ("0/2", "1/2"):
        monkeypatch.setenv("STACKSET_MONITOR_SHARD", shard)
        products += [
            row["provisioned_product_id"] for row in json.loads(status(capsys, path, "--all", "--output", "json").out)
        ]
    assert sorted(products) == [PRODUCT] * 2 + [OTHER] * 3


def test_no_state_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3, and no file is created."""
    message = f"stackset-monitor: there is no state file {tmp_path}/monitor.db\n"
    assert status(capsys, configuration(tmp_path)) == Result(3, "", message)
    assert [path.name for path in tmp_path.iterdir()] == ["monitor.yaml"]


def test_the_daemon_may_be_writing(store: SqliteStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The state can be read while a daemon has it open."""
    assert status(capsys, configuration(tmp_path, PRODUCT)).code == 0
    store.close()
