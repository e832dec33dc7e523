"""`poll` lists every product once and prints the result."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.cli.report import POLL_COLUMNS
from tests.cli.commands import OTHER, PRODUCT, Result, configuration, here, process, python, started
from tests.conftest import Aws
from tests.making import EU, ONE, TWO, US

NAMED = (f"{{id: {PRODUCT}, name: baseline}}", f"{{id: {OTHER}, name: guardrails}}")


def poll(capsys: pytest.CaptureFixture[str], path: str, *more: str) -> Result:
    """Run `poll` in this process."""
    return here(capsys, "poll", "--config", path, *more)


@pytest.fixture
def fleet(aws: Aws) -> Aws:
    """Simulate a product whose three instances are CURRENT, and one with an instance of every status."""
    for product_id, name in ((PRODUCT, "baseline"), (OTHER, "guardrails")):
        aws.stack_sets.add_product(product_id, name)
    for account, region in ((ONE, EU), (ONE, US), (TWO, EU)):
        aws.stack_sets.set(PRODUCT, account, region, "CURRENT")
    for number, status in enumerate(("CURRENT", "OUTDATED", "INOPERABLE", "IMAGINARY")):
        aws.stack_sets.set(OTHER, f"{number}" * 12, EU, status)
    return aws


def test_all_instances_current(fleet: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, one line, nothing on stderr, nothing stored."""
    assert poll(capsys, configuration(tmp_path, NAMED[0])) == Result(0, "1 product: 3 CURRENT\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["monitor.yaml"]


def test_only_what_is_not_current_is_printed(fleet: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Products and instances come the worst first, in 80 columns, with a summary and the meaning of each status."""
    fleet.stack_sets.set_status(OTHER, "TAINTED")
    found = poll(capsys, configuration(tmp_path, *NAMED))
    assert found == Result(
        1,
        """\
guardrails (pp-bbbbbbbbbbbbb): TAINTED, 1 CURRENT, 1 OUTDATED, 1 INOPERABLE, 1 UNKNOWN
STATUS      ACCOUNT       REGIONS
INOPERABLE  222222222222  eu-west-1
UNKNOWN     333333333333  eu-west-1
OUTDATED    111111111111  eu-west-1

2 products: 4 CURRENT, 1 OUTDATED, 1 INOPERABLE, 1 UNKNOWN
INOPERABLE: a delete failed, and every later update skips the instance
OUTDATED: the last rollout did not reach the instance, or failed there
UNKNOWN: AWS reports a status that this version does not know
""",
        "",
    )


def test_every_instance_is_printed_on_request(fleet: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--all` prints what is CURRENT, too."""
    found = poll(capsys, configuration(tmp_path, NAMED[0]), "--all")
    assert found == Result(
        0,
        """\
baseline (pp-aaaaaaaaaaaaa): AVAILABLE, 3 CURRENT
STATUS   ACCOUNT       REGIONS
CURRENT  111111111111  eu-west-1, us-east-1
CURRENT  222222222222  eu-west-1

1 product: 3 CURRENT
""",
        "",
    )


@pytest.mark.parametrize("status", ["OUTDATED", "INOPERABLE", "A_STATUS_OF_THE_FUTURE"])
def test_an_instance_that_is_not_current(
    status: str, fleet: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, whichever status it is."""
    fleet.stack_sets.set(PRODUCT, TWO, EU, status)
    found = poll(capsys, configuration(tmp_path, PRODUCT), "--output", "csv")
    assert (found.code, found.err) == (1, "")
    shown = status if status in {"OUTDATED", "INOPERABLE"} else "UNKNOWN"
    assert found.out.splitlines()[-1] == f"{PRODUCT},baseline,AVAILABLE,{TWO},{EU},{shown},,,"


def test_json_is_an_array_of_objects(fleet: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the order of the configuration, and sorted by account and Region."""
    path = configuration(tmp_path, *reversed(NAMED))
    rows = [
        (OTHER, "guardrails", "AVAILABLE", "000000000000", EU, "CURRENT"),
        (OTHER, "guardrails", "AVAILABLE", "111111111111", EU, "OUTDATED"),
        (OTHER, "guardrails", "AVAILABLE", "222222222222", EU, "INOPERABLE"),
        (OTHER, "guardrails", "AVAILABLE", "333333333333", EU, "UNKNOWN"),
        (PRODUCT, "baseline", "AVAILABLE", ONE, EU, "CURRENT"),
        (PRODUCT, "baseline", "AVAILABLE", ONE, US, "CURRENT"),
        (PRODUCT, "baseline", "AVAILABLE", TWO, EU, "CURRENT"),
    ]
    every = [dict(zip(POLL_COLUMNS, (*row, None, None, None), strict=True)) for row in rows]
    for more, expected in ((), every[1:4]), (("--all",), every):
        found = poll(capsys, path, "--output", "json", *more)
        assert (found.code, found.err) == (1, "")
        assert json.loads(found.out) == expected
        assert found.out.count("\n") == len(expected) + 2


def test_csv_has_a_header_and_quotes(fleet: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names with commas, quotes and newlines stay one field."""
    name = json.dumps('a, "b"\nc 🚦')
    path = configuration(tmp_path, f"{{id: {OTHER}, name: {name}}}")
    found = poll(capsys, path, "--all", "--output", "csv")
    assert found.out.splitlines()[:3] == [
        ",".join(POLL_COLUMNS),
        'pp-bbbbbbbbbbbbb,"a, ""b""',
        'c 🚦",AVAILABLE,000000000000,eu-west-1,CURRENT,,,',
    ]


def test_no_instances_give_no_rows(aws: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A product without stack instances is no problem."""
    aws.stack_sets.add_product(PRODUCT, "baseline")
    path = configuration(tmp_path, PRODUCT)
    assert poll(capsys, path, "--output", "json") == Result(0, "[]\n", "")
    assert poll(capsys, path, "--output", "csv").out.count("\n") == 1
    assert poll(capsys, path) == Result(0, "1 product: no stack instances\n", "")


def test_only_the_products_that_are_asked_for(fleet: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--product` can be repeated; the exit code is that of the chosen products."""
    path = configuration(tmp_path, PRODUCT, OTHER, "pp-nobodyknowsit")
    only = poll(capsys, path, "--all", "--output", "csv", "--product", PRODUCT)
    assert (only.code, only.out.count(PRODUCT), only.out.count(OTHER)) == (0, 3, 0)
    both = poll(capsys, path, "--all", "--output", "csv", "--product", OTHER, "--product", PRODUCT, "--product", OTHER)
    assert (both.code, both.out.count(PRODUCT), both.out.count(OTHER)) == (1, 3, 4)


def test_a_product_can_be_chosen_by_name(fleet: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By its name at AWS, or by the one that the configuration gives it."""
    path = configuration(tmp_path, PRODUCT, f"{{id: {OTHER}, name: rails}}")
    assert (
        poll(capsys, path, "--all", "--output", "csv", "--product", "baseline").out.count(f"{PRODUCT},baseline,") == 3
    )
    assert poll(capsys, path, "--all", "--output", "csv", "--product", "rails").out.count(f"{OTHER},rails,") == 4


def test_an_unknown_product_is_wrong_usage(fleet: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It may be misspelled, so nothing is listed. If each product has a name, AWS is not called."""
    path = configuration(tmp_path, *NAMED)
    found = poll(capsys, path, "--product", PRODUCT, "--product", "guardrail")
    message = "stackset-monitor: --product: there is no product 'guardrail'; did you mean 'guardrails'?\n"
    assert found == Result(2, "", message)
    assert not fleet.stack_sets.calls


WITH_DETAILS = "sources: [{name: hub, region: eu-west-1, details: true}]\n"


def test_the_reasons_of_cloudformation_are_printed(
    fleet: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `details`, each reason comes with its accounts; the other formats have them in columns."""
    fleet.stack_sets.set(OTHER, "111111111111", EU, "OUTDATED", "FAILED", "bucket exists")
    path = configuration(tmp_path, OTHER, more=WITH_DETAILS)
    assert "FAILED: bucket exists (111111111111)\n" in poll(capsys, path).out
    found = json.loads(poll(capsys, path, "--output", "json").out)[0]
    assert (found["account"], found["detailed_status"], found["status_reason"]) == (
        "111111111111", "FAILED", "bucket exists",
    )  # fmt: skip


def test_reasons_that_cannot_be_read_are_reported(
    fleet: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The instances are printed all the same, and the exit code is theirs."""
    fleet.stack_sets.denied.add("ListStackInstances")
    found = poll(capsys, configuration(tmp_path, OTHER, more=WITH_DETAILS))
    assert (found.code, f"OUTDATED    {ONE}" in found.out) == (1, True)
    assert found.err.startswith(f"stackset-monitor: cannot read why instances of {OTHER} are not CURRENT: ")


def test_accepted_instances_are_printed_and_do_not_fail(
    fleet: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0 if nothing else is not CURRENT."""
    fleet.stack_sets.set(PRODUCT, TWO, EU, "OUTDATED")
    accepted = f"{{account: '{TWO}', statuses: [OUTDATED], until: 9999-01-31, reason: suspended}}"
    found = poll(capsys, configuration(tmp_path, PRODUCT, more=f"accepted: [{accepted}]\n"))
    assert found == Result(
        0,
        f"""\
baseline ({PRODUCT}): AVAILABLE, 2 CURRENT, 1 OUTDATED
STATUS    ACCOUNT       REGIONS
OUTDATED  {TWO}  {EU}
accepted until 9999-01-31: suspended ({TWO})

1 product: 2 CURRENT, 1 OUTDATED, 1 of them accepted
OUTDATED: the last rollout did not reach the instance, or failed there
""",
        "",
    )
    fleet.stack_sets.set(PRODUCT, ONE, EU, "OUTDATED")
    assert poll(capsys, str(tmp_path / "monitor.yaml")).code == 1


def test_a_name_that_cannot_be_read_is_reported(fleet: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The product has its ID as name and no status then, and the exit code is that of the instances."""
    fleet.stack_sets.denied.add("DescribeProvisionedProduct")
    found = poll(capsys, configuration(tmp_path, PRODUCT), "--all", "--output", "csv")
    assert (found.code, found.out.count(f"{PRODUCT},{PRODUCT},,")) == (0, 3)
    assert found.err.startswith(f"stackset-monitor: cannot describe {PRODUCT}: ")
    found = poll(capsys, configuration(tmp_path, PRODUCT), "--product", "baseline")
    assert (found.code, found.out) == (3, "")
    assert found.err.splitlines()[1] == (
        "stackset-monitor: --product: cannot look up 'baseline', because some names could not be read"
    )


def test_a_missing_region_comes_with_what_to_set(
    aws: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is that of `check --aws`."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    found = poll(capsys, configuration(tmp_path, PRODUCT))
    assert found.code == 3
    assert found.err.endswith(". To fix it, set `region` in the source, or AWS_DEFAULT_REGION\n")


def test_a_product_that_cannot_be_listed(fleet: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each product has one sentence with the message of AWS; exit code 3."""
    fleet.stack_sets.add_product("pp-notastackset", "bucket", stack_set=False)
    path = configuration(tmp_path, "pp-nobodyknowsit", NAMED[0], "pp-notastackset")
    found = poll(capsys, path, "--all", "--output", "csv")
    assert found == Result(
        3,
        f"""\
{",".join(POLL_COLUMNS)}
{PRODUCT},baseline,AVAILABLE,{ONE},{EU},CURRENT,,,
{PRODUCT},baseline,AVAILABLE,{ONE},{US},CURRENT,,,
{PRODUCT},baseline,AVAILABLE,{TWO},{EU},CURRENT,,,
""",
        "stackset-monitor: cannot list pp-nobodyknowsit: Provisioned product pp-nobodyknowsit not found"
        " (not_found, ResourceNotFoundException)\n"
        "stackset-monitor: cannot list pp-notastackset: Provisioned product pp-notastackset is not of type"
        " CFN_STACKSET (other, InvalidParametersException)\n",
    )


def test_more_products_than_threads(aws: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is listed once, and printed in the order of the configuration."""
    products = [f"pp-{number:02d}" for number in range(12)]
    for product in products:
        aws.stack_sets.add_product(product, product)
        aws.stack_sets.set(product, ONE, EU, "CURRENT")
    path = configuration(
        tmp_path, *products, more="poll: {concurrency: 2}\nsources: [{name: a, calls_per_second: 1000}]\n"
    )
    found = poll(capsys, path, "--all", "--output", "csv")
    assert (found.code, found.err) == (0, "")
    assert [line.partition(",")[0] for line in found.out.splitlines()[1:]] == products


def test_the_deadline_ends_a_poll(
    aws: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that never answers does not block the command."""
    with silent_server() as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url_of(silent))
        found = poll(capsys, configuration(tmp_path, PRODUCT, more="poll: {timeout: 300ms}\n"), "--output", "json")
    assert found == Result(
        3,
        "[]\n",
        f"stackset-monitor: cannot list {PRODUCT}: the poll was not complete after 0.3 s (timeout, DeadlineExceeded)\n",
    )


def test_a_bug_in_a_listing_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception in a thread ends the command."""
    monkeypatch.setattr("monitor.aws.source.Source.list_stack_instances", lambda *_: 1 // 0)
    found = poll(capsys, configuration(tmp_path, PRODUCT, OTHER))
    assert (found.code, found.out) == (3, "")
    assert found.err.startswith("stackset-monitor: this is a bug, please report it: ZeroDivisionError in ")


def test_a_process_of_its_own(fleet: Aws, tmp_path: Path) -> None:
    """Without a terminal there are no progress bar and no colors."""
    found = process(python("poll", "--config", configuration(tmp_path, *NAMED)))
    assert (found.code, found.err) == (1, "")
    assert found.out.splitlines()[2] == "INOPERABLE  222222222222  eu-west-1"
    assert "\x1b" not in found.out


def test_a_bar_and_colours_are_for_terminals(fleet: Aws, tmp_path: Path) -> None:
    """A terminal shows a progress bar, which is removed before the colored table."""
    command = python("poll", "--config", configuration(tmp_path, *NAMED))
    terminal, end = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    with subprocess.Popen(command, stdout=end, stderr=end, stdin=end, env=env) as running:
        os.close(end)
        shown = b""
        while chunk := read(terminal):
            shown += chunk
    os.close(terminal)
    text = shown.decode()
    bar, wiped, table = text.rpartition("\x1b[2K")
    assert running.returncode == 1
    assert wiped
    assert "2/2 products, 2 pages, 7 instances" in re.sub(r"\x1b\[[0-9;]*m", "", bar)
    assert "listing" not in table
    assert "\x1b[1mguardrails\x1b[0m (pp-bbbbbbbbbbbbb)" in table
    assert "\x1b[1mSTATUS" in table
    assert f"\x1b[31mINOPERABLE\x1b[0m  {TWO}  {EU}\r\n" in table


def test_ctrl_c_ends_it_at_once(aws: Aws, tmp_path: Path) -> None:
    """While AWS does not answer, Ctrl-C gives exit code 130 without output."""
    # SIGINT may be ignored by the shell that runs the tests, and a process inherits that.
    script = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    script += "; from monitor.cli import main; main(sys.argv[1:])"
    path = configuration(tmp_path, PRODUCT, OTHER)
    with silent_server() as silent:
        env = {**os.environ, "AWS_ENDPOINT_URL": url_of(silent)}
        command = [sys.executable, "-c", script, "poll", "--config", path]
        with started(command, env) as running:
            silent.settimeout(40)
            with silent.accept()[0], silent.accept()[0]:  # both polls are under way
                running.send_signal(signal.SIGINT)
                out, err = running.communicate(timeout=5)
    assert (running.returncode, out, err.strip()) == (130, "", "")


def silent_server() -> socket.socket:
    """Return a server on loopback that accepts connections and never answers."""
    return socket.create_server(("127.0.0.1", 0))


def url_of(server: socket.socket) -> str:
    """Return the URL of a server."""
    return "http://{}:{}".format(*server.getsockname())


def read(terminal: int) -> bytes:
    """Read from a terminal; return nothing if its other end is closed."""
    try:
        return os.read(terminal, 65536)
    except OSError:  # EIO: Linux reports the end like this
        return b""
