"""Draw the dashboard with a recorded day: `python -m tests.dashboard.pictures [FOLDER]`.

Writes the two pictures of the README. If a folder is given, each row of the dashboard is drawn into it, too.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.dashboard.dashboard import EVERYTHING, PANELS, ROWS
from tests.dashboard.pictures.history import History, recorded_day
from tests.dashboard.pictures.panels import COLUMN, GAP, ROW, DrawnPanel, Panel, draw_panel, page

IMAGES = Path(__file__).parents[3] / "docs" / "images"
README = {"dashboard.png": (0, 28), "dashboard-instances.png": (28, 58)}
"""First row of the grid, and the row after the last, of each picture of the README."""


def draw_rows(history: History, top: int, bottom: int) -> tuple[str, Sequence[DrawnPanel]]:
    """Return the page of the panels that lie between two rows of the grid, and these panels."""
    rows = [row for row in ROWS if top <= row["gridPos"]["y"] < bottom]
    panels: list[Panel] = [panel for panel in PANELS if top <= panel["gridPos"]["y"] < bottom]
    drawn = [draw_panel(panel, history, top) for panel in panels]
    return page(drawn, rows, top, bottom - top), drawn


def photograph(html: str, height: int, picture: Path) -> None:
    """Write a page as a PNG with Chromium."""
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "page.html"
        source.write_text(html)
        size = f"--window-size={24 * COLUMN - GAP + 20},{height * (ROW + GAP) + 20}"
        options = (
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--hide-scrollbars",
        )
        command = (
            "chromium",
            *options,
            size,
            f"--user-data-dir={name}/profile",
            f"--screenshot={picture}",
            source.as_uri(),
        )
        subprocess.run(command, check=True, capture_output=True, timeout=60)


def main(arguments: Sequence[str]) -> None:
    """Write the pictures."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, recorded_day(Path(name)) as history:
        for file, (top, bottom) in README.items():
            photograph(draw_rows(history, top, bottom)[0], bottom - top, IMAGES / file)
        for folder in map(Path, arguments):
            folder.mkdir(parents=True, exist_ok=True)
            end = max(one["gridPos"]["y"] + one["gridPos"]["h"] for one in EVERYTHING)
            bounds = [*(row["gridPos"]["y"] for row in ROWS), end]
            for row, top, bottom in zip(ROWS, bounds, bounds[1:], strict=False):
                photograph(draw_rows(history, top, bottom)[0], bottom - top, folder / f"{row['title']}.png")


if __name__ == "__main__":
    main(sys.argv[1:])
