"""`stackset-monitor state migrate`."""

from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest

from monitor.state.sqlite import SqliteStore
from tests.cli.commands import here
from tests.conftest import Aws
from tests.making import BASELINE, baseline
from tests.state.values import STATUSES


@pytest.fixture
def table(aws: Aws) -> str:
    """Create a table in the simulated AWS."""
    name = "migrated"
    client: Any = boto3.client("dynamodb", endpoint_url=aws.url)
    if name in client.list_tables()["TableNames"]:
        client.delete_table(TableName=name)
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    client.close()
    return name


def test_a_state_is_moved_there_and_back(table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says what it copied."""
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    with closing(SqliteStore(first)) as store:
        store.commit(baseline(STATUSES))
    for source, target in ((f"sqlite:{first}", f"dynamodb:{table}"), (f"dynamodb:{table}", f"sqlite:{second}")):
        result = here(capsys, "state", "migrate", "--from", source, "--to", target)
        assert (result.code, result.out) == (0, "copied 1 product, 3 stack instances and 0 transitions\n"), result.err
    with closing(SqliteStore(second)) as store:
        assert store.load(BASELINE.id).snapshot == baseline(STATUSES).snapshot


@pytest.mark.parametrize(
    ("source", "target", "code", "message"),
    [
        ("file", "dynamodb:t", 2, "'file' is not a state: write sqlite:PATH or dynamodb:TABLE"),
        ("sqlite:a", "sqlite:b", 2, "--from and --to must be of different engines"),
        ("sqlite:none.db", "dynamodb:{table}", 3, "there is no state file none.db"),
        ("dynamodb:none", "sqlite:new.db", 3, "the DynamoDB table none in "),
    ],
)
def test_what_cannot_be_moved(
    table: str, source: str, target: str, code: int, message: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """One sentence says why."""
    monkeypatch.chdir(tmp_path)
    result = here(capsys, "state", "migrate", "--from", source, "--to", target.format(table=table))
    assert result.code == code
    assert message in result.err


def test_an_error_names_the_region_of_the_environment(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message says in which Region the table was looked for, or that there is none. No file is left behind."""
    arguments = ("state", "migrate", "--from", "dynamodb:none", "--to", f"sqlite:{tmp_path}/new.db")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert "the DynamoDB table none in eu-west-1: " in here(capsys, *arguments).err
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    result = here(capsys, *arguments)
    message = (
        "stackset-monitor: the DynamoDB table none: no Region; set AWS_DEFAULT_REGION, or `state.dynamodb.region`\n"
    )
    assert (result.code, result.err) == (3, message)
    assert not (tmp_path / "new.db").exists()
