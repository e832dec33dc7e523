"""`/livez` fails if the scheduler or the supervisor stands still."""

from dataclasses import dataclass

from monitor.daemon.health import SUPERVISOR_SECONDS, Health


@dataclass
class Probes:
    """A scheduler and a product set, in one."""

    is_responsive: bool = True
    is_ready: bool = False

    def responsive(self) -> bool:
        """Return whether the scheduler works."""
        return self.is_responsive

    def ready(self) -> bool:
        """Return whether the products are ready."""
        return self.is_ready


def test_alive_while_the_scheduler_and_the_supervisor_work() -> None:
    """A supervisor that does not report for 30 seconds is stuck; its next report repairs that."""
    probes, now = Probes(), [100.0]
    health = Health(probes, probes, lambda: now[0])
    assert health.alive()
    now[0] += SUPERVISOR_SECONDS
    assert not health.alive()
    health.report()
    assert health.alive()
    probes.is_responsive = False
    assert not health.alive()


def test_ready_as_the_products_are() -> None:
    """Readiness is that of the product set."""
    probes = Probes()
    health = Health(probes, probes)
    assert not health.ready()
    probes.is_ready = True
    assert health.ready()
