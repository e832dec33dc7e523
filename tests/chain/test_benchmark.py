"""The benchmark of the rules, on a fleet that is small enough."""

import pytest

from benchmarks import rules
from benchmarks.fleets import Fleet
from monitor.model.instances import Status


@pytest.mark.needs("prometheus")
@pytest.mark.timeout(120)
def test_evaluations_of_our_rules_and_of_plain_ones_are_measured() -> None:
    """As many as are asked for, each with a time of both."""
    ours, plain = rules.measure(Fleet(1, 100), 2, Status.OUTDATED, interval="500ms")
    assert len(ours) == len(plain) == 2
    assert all(0 < seconds < 10 for seconds in (*ours, *plain))
