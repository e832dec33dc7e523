"""Tables of measurements: printed, and written into docs/performance.md between the markers of their section."""

import os
import platform
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

DOCUMENT = Path("docs/performance.md")


@dataclass(frozen=True, slots=True)
class Table:
    """The measurements of one section."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """Return the table in Markdown, with aligned columns."""
        widths = [max(map(len, column)) for column in zip(self.columns, *self.rows, strict=True)]

        def line(cells: Sequence[str]) -> str:
            return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

        return "\n".join([line(self.columns), line(["-" * width for width in widths]), *map(line, self.rows)])


def median_ratio(ours: Sequence[float], other: Sequence[float]) -> float:
    """Return the median of the ratios of paired runs: a change in the speed of the machine affects both of a pair."""
    return statistics.median(one / two for one, two in zip(ours, other, strict=True))


def milliseconds(seconds: Sequence[float]) -> str:
    """Return the median in milliseconds."""
    value = statistics.median(seconds) * 1e3
    return f"{value:.2f} ms" if value < 10 else f"{value:.0f} ms"  # noqa: PLR2004 - three digits


def write(section: str, table: Table) -> None:
    """Write a table into the document, with the date and the machine."""
    text = DOCUMENT.read_text()
    begin, end = f"<!-- {section} -->", f"<!-- /{section} -->"
    content = f"{begin}\n{table.text()}\n\nMeasured on {machine()}.\n{end}"
    replaced, count = re.subn(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: content, text, flags=re.DOTALL)
    if count != 1:
        message = f"{DOCUMENT} has no markers for {section}"
        raise RuntimeError(message)
    DOCUMENT.write_text(replaced)


def machine() -> str:
    """Return the date and a description of the machine."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    gib = int(memory[1]) / 2**20 if memory else 0
    release = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} x {cpu[1] if cpu else platform.machine()}, {gib:.0f} GiB,"
        f" {release}, Linux {platform.release()}, Python {platform.python_version()}"
    )
