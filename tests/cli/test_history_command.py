"""`history` prints the stored transitions."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.model.diff import diff
from monitor.model.instances import Product, Status
from monitor.state.sqlite import SqliteStore
from tests.cli.commands import OTHER, PRODUCT, Result, configuration, here
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, TWO, US, baseline, listing

GUARDRAILS = Product(OTHER, "guard\nrails 🚦")
NOW = datetime.now(UTC)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Store three old transitions, and a new one of another product."""
    state = SqliteStore(tmp_path / "monitor.db")
    first = baseline({(ONE, EU): Status.CURRENT, (TWO, EU): Status.INOPERABLE}, BASELINE, EPOCH)
    second = diff(
        first.snapshot,
        listing({(ONE, EU): Status.OUTDATED, (ONE, US): Status.CURRENT}),
        BASELINE,
        "5b6f1a2e-0000-4000-8000-000000000001",
        LATER,
    )
    third = baseline({(TWO, EU): Status.OUTDATED}, GUARDRAILS, EPOCH)
    fourth = diff(third.snapshot, listing({(TWO, EU): Status.CURRENT}), GUARDRAILS, "poll-2", NOW)
    for change in (first, second, third, fourth):
        state.commit(change)
    state.close()
    return configuration(tmp_path)


def history(capsys: pytest.CaptureFixture[str], path: str, *more: str) -> Result:
    """Run `history`."""
    return here(capsys, "history", "--config", path, *more)


def rows(found: Result) -> list[dict[str, str | None]]:
    """Return the rows of JSON output."""
    assert (found.code, found.err) == (0, "")
    result: list[dict[str, str | None]] = json.loads(found.out)
    return result


def test_a_table_for_people(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows are sorted by time; an instance that is not there is ABSENT, and control characters are escaped."""
    assert history(capsys, path, "--since", "99y") == Result(
        0,
        f"""\
STATUS    WAS         TIME (UTC)        ACCOUNT       REGION     PRODUCT
OUTDATED  CURRENT     2026-01-02 03:09  111111111111  eu-west-1  baseline
CURRENT   ABSENT      2026-01-02 03:09  111111111111  us-east-1  baseline
ABSENT    INOPERABLE  2026-01-02 03:09  222222222222  eu-west-1  baseline
CURRENT   OUTDATED    {NOW:%Y-%m-%d %H:%M}  222222222222  eu-west-1  guard\\nrails 🚦
""",
        "",
    )


def test_the_year_is_left_out_of_a_short_history(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A row fits 80 columns then, also with the longest statuses and Regions."""
    assert history(capsys, path).out.splitlines() == [
        "STATUS   WAS       TIME (UTC)   ACCOUNT       REGION     PRODUCT",
        f"CURRENT  OUTDATED  {NOW:%m-%d %H:%M}  222222222222  eu-west-1  guard\\nrails 🚦",
    ]


def test_no_transitions_are_said_in_words(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A person who sees an empty table may think that nothing is wrong; a program gets no rows."""
    sentence = "no transitions in the last 90m (`status` prints what is not CURRENT now)\n"
    assert history(capsys, path, "--since", "90m", "--account", ONE) == Result(0, sentence, "")
    assert history(capsys, path, "--account", ONE, "--output", "json") == Result(0, "[]\n", "")
    assert history(capsys, path, "--account", ONE, "--output", "csv").out.count("\n") == 1


def test_json_has_the_fields_of_the_event(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Names and values are those of the log line."""
    assert rows(history(capsys, path, "--since", "99y", "--output", "json"))[1] == {
        "event_id": "1e41776d-a705-52f0-93e1-5aa885c9b047",
        "poll_id": "5b6f1a2e-0000-4000-8000-000000000001",
        "provisioned_product_id": "pp-aaaaaaaaaaaaa",
        "provisioned_product_name": "baseline",
        "account": ONE,
        "region": US,
        "previous_status": None,
        "status": "CURRENT",
        "previous_since": None,
        "observed_at": "2026-01-02T03:09:05.678Z",
        "provisioned_product_status": None,
        "detailed_status": None,
        "status_reason": None,
        "operation_id": None,
    }


def test_csv_has_every_field(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The first line is the header; missing values are empty."""
    found = history(capsys, path, "--since", "99y", "--output", "csv", "--account", TWO, "--product", BASELINE.id)
    assert found == Result(
        0,
        "observed_at,provisioned_product_id,provisioned_product_name,account,region,previous_status,status,"
        "previous_since,event_id,poll_id,provisioned_product_status,detailed_status,status_reason,operation_id\n"
        "2026-01-02T03:09:05.678Z,pp-aaaaaaaaaaaaa,baseline,222222222222,eu-west-1,INOPERABLE,,"
        "2026-01-02T03:04:05.678Z,d0ca8de9-8561-50b0-8ff9-6f06c31c7c96,5b6f1a2e-0000-4000-8000-000000000001,,,,\n",
        "",
    )


def test_a_day_is_the_default(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Older transitions are printed with `--since`."""
    recent = rows(history(capsys, path, "--output", "json"))
    assert [row["provisioned_product_name"] for row in recent] == ["guard\nrails 🚦"]
    assert len(rows(history(capsys, path, "--output", "json", "--since", "100y"))) == 4


def test_products_and_accounts_can_be_chosen(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Several of each, by ID or name; a product may be one that is no longer in the configuration."""

    def accounts(*more: str) -> list[str | None]:
        return [row["account"] for row in rows(history(capsys, path, "--since", "99y", "--output", "json", *more))]

    assert accounts("--product", OTHER) == [TWO]
    assert accounts("--product", "baseline") == [ONE, ONE, TWO]
    assert accounts("--product", GUARDRAILS.name) == [TWO]
    assert accounts("--product", OTHER, "--product", BASELINE.id) == [ONE, ONE, TWO, TWO]
    assert accounts("--account", ONE) == [ONE, ONE]
    assert accounts("--account", ONE, "--account", TWO, "--product", BASELINE.id) == [ONE, ONE, TWO]
    assert accounts("--account", "000000000000") == []


def test_an_unknown_product_is_wrong_usage(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is an error, unlike a product without transitions."""
    assert history(capsys, path, "--product", "baselime") == Result(
        2, "", "stackset-monitor: --product: there is no product 'baselime'; did you mean 'baseline'?\n"
    )
    assert history(capsys, path, "--product", PRODUCT).code == 0


@pytest.mark.parametrize("output", ["table", "json", "csv"])
def test_a_missing_state_file_is_reported_before_any_output(
    output: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is printed to stdout, and no file is created."""
    path = configuration(tmp_path)
    found = history(capsys, path, "--output", output)
    assert found == Result(3, "", f"stackset-monitor: there is no state file {tmp_path}/monitor.db\n")
    assert [path.name for path in tmp_path.iterdir()] == ["monitor.yaml"]


def test_a_damaged_state_file_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message is one sentence with the path; exit code 3."""
    (tmp_path / "monitor.db").write_text("this is not a database" * 100)
    found = history(capsys, configuration(tmp_path), "--output", "csv")
    assert (found.code, found.out) == (3, "")
    assert found.err.startswith(f"stackset-monitor: the state file {tmp_path}/monitor.db ")
    assert found.err.count("\n") == 1


def test_the_daemon_may_be_writing(path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The state can be read while a daemon has it open."""
    state = SqliteStore(tmp_path / "monitor.db")
    assert len(rows(history(capsys, path, "--output", "json"))) == 1
    state.close()
