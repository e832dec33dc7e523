"""The wheel that is built from this folder."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_wheel_ships_the_package_and_its_types(tmp_path: Path) -> None:
    """It has every module, `py.typed` and the runbooks, and neither tests nor test doubles."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "wheel"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", f"--wheel-dir={tmp_path}"]
    subprocess.run([*pip, *options, str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = {str(path.relative_to(ROOT)) for path in (ROOT / "monitor").rglob("*") if "__pycache__" not in path.parts}
    runbooks = {f"monitor/web/runbooks/{path.name}" for path in (ROOT / "docs" / "runbooks").iterdir()}
    assert names == {name for name in package if (ROOT / name).is_file()} | runbooks
    assert "monitor/py.typed" in names
