"""Products are listed in parallel."""

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.aws.source import Source
from monitor.cli.aws import list_products, open_sources
from monitor.config.load import load_settings
from monitor.model.deadline import Deadline
from monitor.model.errors import PollCancelledError, PollFailedError, Reason
from monitor.model.instances import Listing, Status
from tests.cli.commands import OTHER, PRODUCT, configuration, started
from tests.making import EU, ONE, listing

CURRENT = listing({(ONE, EU): Status.CURRENT})
Answer = Callable[[str, Deadline], Listing]


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Answer], list[Listing | PollFailedError]]:
    """Return a function that lists both products with a given implementation of the listing."""
    settings = load_settings(Path(configuration(tmp_path, PRODUCT, OTHER, more="poll: {timeout: 200ms}\n")))

    def run(answer: Answer) -> list[Listing | PollFailedError]:
        monkeypatch.setattr(Source, "list_stack_instances", lambda _, product, deadline, __: answer(product, deadline))
        return list(list_products(settings, open_sources(settings), settings.products))

    return run


def wait_for_end(deadline: Deadline) -> Listing:
    """Wait until the deadline ends or is cancelled."""
    deadline.wait(20)
    return CURRENT


def test_outcomes_come_in_the_order_of_the_products(
    outcomes: Callable[[Answer], list[Listing | PollFailedError]],
) -> None:
    """The order does not depend on which task ends first."""
    other_ended = threading.Event()
    empty = listing({})

    def answer(product: str, _: Deadline) -> Listing:
        if product == OTHER:
            other_ended.set()
            return empty
        assert other_ended.wait(20)
        return CURRENT

    assert outcomes(answer) == [CURRENT, empty]


def test_the_deadline_interrupts_a_wait(outcomes: Callable[[Answer], list[Listing | PollFailedError]]) -> None:
    """A timeout of one product does not affect the other."""
    late, there = outcomes(lambda product, deadline: wait_for_end(deadline) if product == PRODUCT else CURRENT)
    assert isinstance(late, PollFailedError)
    assert late.reason is Reason.TIMEOUT
    assert there == CURRENT


def test_a_bug_cancels_the_other_tasks(outcomes: Callable[[Answer], list[Listing | PollFailedError]]) -> None:
    """An unexpected exception is raised, and the other tasks are cancelled."""
    waits, cancelled = threading.Event(), threading.Event()

    def answer(product: str, deadline: Deadline) -> Listing:
        if product == PRODUCT:
            waits.set()
            try:
                return wait_for_end(deadline)
            except PollCancelledError:
                cancelled.set()
                raise
        assert waits.wait(20)
        raise LookupError(product)

    with pytest.raises(LookupError):
        outcomes(answer)
    assert cancelled.wait(20)


def test_ctrl_c_does_not_wait_for_blocked_threads(tmp_path: Path) -> None:
    """A name lookup may take half a minute."""
    script = f"""
import signal, threading
from monitor.aws.source import Source
from monitor.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
Source.list_stack_instances = lambda *_: (print("listing", flush=True), threading.Event().wait())
main(["poll", "--config", {configuration(tmp_path)!r}])
"""
    command = [sys.executable, "-c", script]
    with started(command) as running:
        assert running.stdout
        assert running.stdout.readline() == "listing\n"
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=10)
    assert (running.returncode, out, err.strip()) == (130, "", "")
