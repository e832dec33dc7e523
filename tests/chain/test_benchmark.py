"""The benchmark of rule evaluations, with few instances."""

import pytest

from benchmarks import rules
from benchmarks.fleets import Fleet
from monitor.model.instances import Status


@pytest.mark.needs("prometheus")
@pytest.mark.timeout(120)
def test_rule_evaluations_are_measured() -> None:
    """The benchmark returns as many durations as requested, for both sets of rules."""
    ours, plain = rules.measure(Fleet(1, 100), 2, Status.OUTDATED, interval="500ms")
    assert len(ours) == len(plain) == 2
    assert all(0 < seconds < 10 for seconds in (*ours, *plain))
