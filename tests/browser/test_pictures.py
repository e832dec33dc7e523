"""The pictures of the README."""

import re
import struct
import subprocess
import sys
from pathlib import Path

from tests.browser.pictures import FOLDER, PICTURES, SCHEMES, WIDTH

ROOT = FOLDER.parents[1]
PNG = b"\x89PNG\r\n\x1a\n"


def size(file: Path) -> tuple[int, int]:
    """Return the width and the height of a PNG."""
    content = file.read_bytes()
    assert content.startswith(PNG)
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def test_the_command_draws_each_picture(tmp_path: Path) -> None:
    """`make pictures` writes each page in light and dark, below 200 kB, as large as the stored ones."""
    # A process of its own: playwright allows one event loop a thread.
    subprocess.run([sys.executable, "-m", "tests.browser.pictures", str(tmp_path)], check=True, cwd=ROOT)
    for picture in PICTURES:
        for scheme in SCHEMES:
            name = f"{picture.name}-{scheme}.png"
            assert size(tmp_path / name) == size(FOLDER / name) == (WIDTH, picture.height)
            assert max((tmp_path / name).stat().st_size, (FOLDER / name).stat().st_size) < 200_000


def test_the_documents_show_each_picture() -> None:
    """No picture is drawn for nothing."""
    text = (ROOT / "README.md").read_text() + (ROOT / "docs" / "web.md").read_text()
    shown = {Path(path).name for path in re.findall(r"images/[\w-]+\.png", text)}
    assert {f"{picture.name}-{scheme}.png" for picture in PICTURES for scheme in SCHEMES} <= shown
