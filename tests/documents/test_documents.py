"""Documents match the code."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.aws.source import operations
from monitor.cli import COMMANDS
from monitor.cli.history import COLUMNS as HISTORY_COLUMNS
from monitor.cli.report import POLL_COLUMNS, STATUS_COLUMNS
from monitor.config.load import parse_settings
from monitor.events.names import EventName
from monitor.events.transitions import transition_fields
from monitor.metrics.families import FAMILIES, INSTANCE, PRODUCT
from monitor.model.diff import diff
from monitor.model.instances import Status
from tests.cli.commands import here
from tests.making import BASELINE, EU, LATER, ONE, listing, snapshot

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
IAM = (ROOT / "docs" / "iam.md").read_text()
EVERYTHING = """\
sources:
  - {name: hub, details: true, discover: {}, role_arn: 'arn:aws:iam::111122223333:role/stackset-monitor'}
"""
"""A source that needs every right there is."""
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def rows(name: str) -> list[list[str]]:
    """Return the cells of each table row whose first cell is code."""
    text = (ROOT / "docs" / name).read_text()
    found = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")
    ]
    return [[row[0].strip("`"), *row[1:]] for row in found]


def test_documented_metrics_match_the_families() -> None:
    """docs/metrics.md has each metric family once, in order, with its type and labels."""
    documented = [
        (name, kind, re.findall(r"\bI\b|\bP\b|`(\w+)`", labels), labels) for name, kind, labels, _ in rows("metrics.md")
    ]
    for (name, kind, own, labels), family in zip(documented, FAMILIES, strict=True):
        common = INSTANCE if labels.startswith("I") else PRODUCT if labels.startswith("P") else ()
        assert (name, kind, (*common, *filter(None, own))) == (family.name, family.kind, family.labels)


def test_documented_events_match_the_code() -> None:
    """docs/events.md has each event once, in order."""
    assert [row[0] for row in rows("events.md")] == list(EventName)


def test_documented_transition_fields_match_the_code() -> None:
    """docs/events.md has the fields of a transition in order."""
    now = listing({(ONE, EU): Status.CURRENT})
    (change,) = diff(snapshot({}), now, BASELINE, "poll-2", LATER).transitions
    explained = replace(change, detailed_status="FAILED", status_reason="no quota", operation_id="op-1")
    fields = re.findall(r"`(\w+)`", rows("events.md")[0][2])
    assert fields == list(transition_fields(explained))


def named(pattern: str) -> set[tuple[str, str]]:
    """Return what matches in the documents, each with the name of its document."""
    return {(document.name, found) for document in DOCUMENTS for found in re.findall(pattern, document.read_text())}


def test_named_metrics_exist() -> None:
    """Each metric name in a document is the name of a family."""
    names = {family.name for family in FAMILIES}
    found = named(r"\b(?:servicecatalog|stackset_monitor)_[a-z_]+\b")
    assert found
    assert {place for place in found if place[1] not in names} == set()


def test_named_commands_exist() -> None:
    """Each `stackset-monitor WORD` in a document is a command."""
    found = named(r"stackset-monitor ([a-z][a-z-]*) --")
    assert found
    assert {place for place in found if place[1] not in COMMANDS} == set()


def test_documented_columns_match_the_output() -> None:
    """docs/commands.md has the columns of the CSV output in order."""
    poll, status, history = (re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", row[1])) for row in rows("commands.md"))
    assert tuple(poll) == POLL_COLUMNS
    assert (*POLL_COLUMNS, *status[1:]) == STATUS_COLUMNS
    assert tuple(history) == HISTORY_COLUMNS


def test_readme_configuration_is_valid() -> None:
    """The first configuration of the README can be loaded."""
    (text,) = re.findall(r"```yaml\n(# monitor\.yaml\n.*?)```", README, re.DOTALL)
    settings = parse_settings(text.encode(), Path("README.md"))
    assert [monitored.product.name for monitored in settings.products] == ["pp-aaaaaaaaaaaaa", "guardrails"]


def test_readme_lists_every_command() -> None:
    """The README has each command once, in the order of --help."""
    table = README.partition("| command | what it does |")[2].partition("\n\n")[0]
    assert re.findall(r"(?m)^\| `([a-z-]+)` \|", table) == list(COMMANDS)


def test_documented_policies_match_the_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each policy equals the output of the command above it."""
    monkeypatch.chdir(tmp_path)
    for name, text in re.findall(r"```yaml\n# (\S+\.yaml)\n(.*?)```", IAM, re.DOTALL):
        Path(name).write_text(text)
    shown = re.findall(
        r"```console\nstackset-monitor (iam-policy [^\n>]*)>[^\n]*\n```\n\n```json\n(.*?)```", IAM, re.DOTALL
    )
    assert len(shown) == 4
    for command, policy in shown:
        printed = here(capsys, *command.split())
        assert printed.code == 0, printed.err
        assert json.loads(policy) == json.loads(printed.out), command


def test_documented_policies_are_valid() -> None:
    """Each policy is JSON with actions, and with either a resource or a principal."""
    documents = [json.loads(text) for text in re.findall(r"```json\n(.*?)\n *```", IAM, re.DOTALL)]
    assert len(documents) == 6
    for document in documents:
        assert document["Version"] == "2012-10-17"
        for statement in document["Statement"]:
            assert statement["Action"]
            assert ("Resource" in statement) != ("Principal" in statement)


def test_documented_permissions_match_the_operations() -> None:
    """docs/iam.md has each operation that a source can call."""
    (source,) = parse_settings(EVERYTHING.encode(), Path("monitor.yaml")).sources
    assert sorted(row[0].partition(":")[2] for row in rows("iam.md")) == sorted(operations(source))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_relative_links_exist(document: Path) -> None:
    """Each relative link of a document is an existing file."""
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        if "://" not in link:
            assert (document.parent / link).exists(), f"{document.name} links to {link}"
