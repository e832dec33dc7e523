"""What a process has used so far, from /proc."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory in KiB."""

    now: int
    peak: int


def memory(pid: int) -> Memory:
    """Return the memory of a process."""
    fields = _status(Path(f"/proc/{pid}"))
    return Memory(int(fields["VmRSS"].split()[0]), int(fields["VmHWM"].split()[0]))


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of the threads of a process, to the nanosecond; `stat` has ticks of 10 ms."""
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in _threads(pid)) / 1e9


def wake_ups(pid: int) -> int:
    """Return how often the threads of a process waited and were woken up."""
    return sum(int(_status(thread)["voluntary_ctxt_switches"]) for thread in _threads(pid))


def _threads(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


def _status(folder: Path) -> dict[str, str]:
    return dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
