"""`wait` returns when a rollout has ended."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.cli.commands import OTHER, PRODUCT, Result, configuration, here, started
from tests.conftest import Aws
from tests.making import EU, ONE, TWO


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for a rollout that is not visible yet."""
    monkeypatch.setattr("monitor.cli.rollout.SETTLE_SECONDS", 0.0)


@pytest.fixture
def rollout(aws: Aws) -> Aws:
    """Simulate a product with two CURRENT instances."""
    aws.stack_sets.add_product(PRODUCT, "baseline")
    for account in (ONE, TWO):
        aws.stack_sets.set(PRODUCT, account, EU, "CURRENT")
    return aws


def wait(capsys: pytest.CaptureFixture[str], path: str, *more: str) -> Result:
    """Run `wait`."""
    return here(capsys, "wait", "--config", path, *more)


def test_all_current(rollout: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0; the product is named by its name at AWS."""
    path = configuration(tmp_path, PRODUCT)
    assert wait(capsys, path, "--product", "baseline") == Result(0, "1 product: 2 CURRENT\n", "")


def test_not_all_current(rollout: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, and what is not CURRENT."""
    rollout.stack_sets.set(PRODUCT, TWO, EU, "OUTDATED")
    found = wait(capsys, configuration(tmp_path, PRODUCT), "--product", PRODUCT)
    assert (found.code, found.err) == (1, "")
    assert f"OUTDATED  {TWO}  {EU}\n" in found.out


@pytest.mark.parametrize("status", ["TAINTED", "ERROR"])
def test_a_rollout_that_failed(status: str, rollout: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, although every instance is CURRENT: they may have the version before it."""
    rollout.stack_sets.set_status(PRODUCT, status)
    found = wait(capsys, configuration(tmp_path, PRODUCT), "--product", PRODUCT)
    assert found == Result(1, f"baseline ({PRODUCT}): {status}, 2 CURRENT\n\n1 product: 2 CURRENT\n", "")


def test_a_rollout_that_fails_in_accepted_instances_only(
    rollout: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0: the account is suspended, so every rollout leaves the product TAINTED."""
    rollout.stack_sets.set(PRODUCT, TWO, EU, "OUTDATED")
    rollout.stack_sets.set_status(PRODUCT, "TAINTED")
    accepted = f"{{account: '{TWO}', statuses: [OUTDATED], until: 9999-01-31, reason: suspended}}"
    path = configuration(tmp_path, PRODUCT, more=f"accepted: [{accepted}]\n")
    assert wait(capsys, path, "--product", PRODUCT).code == 0
    rollout.stack_sets.set_status(PRODUCT, "ERROR")
    assert wait(capsys, path, "--product", PRODUCT).code == 1


def test_a_rollout_that_does_not_end(rollout: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 4, and the timeout as it was written."""
    rollout.stack_sets.set_status(PRODUCT, "UNDER_CHANGE")
    found = wait(capsys, configuration(tmp_path, PRODUCT), "--product", PRODUCT, "--timeout", "300ms")
    assert (found.code, found.out) == (4, "")
    assert found.err.endswith("stackset-monitor: the rollout did not end within 300ms\n")


def test_a_product_that_does_not_exist(rollout: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3 at once, with the message of AWS."""
    found = wait(capsys, configuration(tmp_path, OTHER), "--product", OTHER)
    assert (found.code, found.out) == (3, "")
    assert found.err == (
        f"stackset-monitor: {OTHER}: Provisioned product {OTHER} not found (not_found, ResourceNotFoundException)\n"
    )


def test_a_name_of_two_products(aws: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is wrong usage: one rollout is waited for."""
    path = configuration(tmp_path, f"{{id: {PRODUCT}, name: same}}", f"{{id: {OTHER}, name: same}}")
    message = "stackset-monitor: --product: 'same' is the name of 2 products; use an ID\n"
    assert wait(capsys, path, "--product", "same") == Result(2, "", message)


def test_ctrl_c_ends_it_at_once(rollout: Aws, tmp_path: Path) -> None:
    """Between two calls, Ctrl-C gives exit code 130."""
    rollout.stack_sets.set_status(PRODUCT, "UNDER_CHANGE")
    # SIGINT may be ignored by the shell that runs the tests, and a process inherits that.
    script = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    script += "; from monitor.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", script, "wait", "--config", configuration(tmp_path), "--product", PRODUCT]
    with started(command, dict(os.environ)) as running:
        assert running.stderr
        assert running.stderr.readline() == "stackset-monitor: baseline: UNDER_CHANGE, 2 CURRENT\n"
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=5)
    assert (running.returncode, out, err.strip()) == (130, "", "")
