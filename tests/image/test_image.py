"""Contents and settings of the image."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor import __version__
from tests.image.conftest import BASE, REVISION, ROOT, Built

pytestmark = [pytest.mark.needs("mmdebstrap", "podman", "runc"), pytest.mark.timeout(400)]
USER = 65532
VENV, STATE = "opt/stackset-monitor", "var/lib/stackset-monitor"


def added(built: Built) -> dict[str, os.stat_result]:
    """Return the files and folders that the image adds to or changes in its base."""
    found = {}
    for path in built.root.rglob("*"):
        name = str(path.relative_to(built.root))
        before, now = built.base / name, path.lstat()
        if stat.S_ISDIR(now.st_mode) and before.is_dir():
            continue
        if not os.path.lexists(before) or _look(before.lstat()) != _look(now):
            found[name] = now
    return found


def _look(status: os.stat_result) -> tuple[int, int, int, float]:
    return status.st_mode, status.st_uid, status.st_size, status.st_mtime


def test_image_settings(built: Built) -> None:
    """Numeric user, entry point without a shell, port, volume, working directory and labels."""
    (image,) = json.loads(built.podman("image", "inspect", built.name))
    settings: dict[str, Any] = image["Config"]
    print(f"image: {image['Size'] / 1e6:.0f} MB")
    assert settings["User"] == f"{USER}:{USER}"
    assert settings["Entrypoint"] == ["stackset-monitor"]
    assert settings["Cmd"] == ["run", "--config", "/etc/stackset-monitor/monitor.yaml"]
    assert settings["StopSignal"] == "SIGTERM"
    assert list(settings["ExposedPorts"]) == ["9935/tcp"]
    assert list(settings["Volumes"]) == [settings["WorkingDir"]] == [f"/{STATE}"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in settings["Labels"].items()}
    assert labels["title"] == "stackset-monitor"
    assert labels["licenses"] == "Apache-2.0"
    assert labels["base.name"] == BASE
    assert (labels["version"], labels["revision"], labels["source"]) == ("1.2.3", REVISION, "urn:source")


def test_added_files(built: Built) -> None:
    """The image adds only the environment, the state folder and bytecode: no pip, caches, build tools or tests."""
    names = added(built)
    elsewhere = [name for name in names if not name.startswith((VENV, STATE)) and "__pycache__" not in name]
    assert elsewhere == []
    packages = {Path(name).name for name in names if re.fullmatch(r".*/site-packages/[^/]*", name)}
    assert {"monitor", "boto3", "uvicorn"} <= packages
    assert not packages & {"pip", "setuptools", "wheel", "hatchling", "moto", "pytest", "tests"}
    commands = [name for name in names if name.startswith(f"{VENV}/bin/pip")]
    assert commands == []


def test_pip_is_absent(built: Built) -> None:
    """Neither the base image nor the environment has pip, its bundled wheel, or a command of it."""
    names = [str(path.relative_to(built.root)) for path in built.root.rglob("*")]
    assert [name for name in names if re.search(r"(-packages|bin)/pip[^/]*$|/pip-[^/]*\.whl$|/ensurepip$", name)] == []
    for python in ("python3", f"/{VENV}/bin/python3"):
        for module in ("pip", "ensurepip"):
            code, _, error = built.podman.run_to_end(f"--entrypoint={python}", built.name, "-m", module)
            assert (code, error.strip().rpartition(": ")[2]) == (1, f"No module named {module}")


def test_files_are_not_writable(built: Built) -> None:
    """All files except the state folder belong to root, and none is setuid or writable by others."""
    for name, status in added(built).items():
        owner = USER if name == STATE else 0
        assert (status.st_uid, status.st_gid) == (owner, owner), name
        assert stat.S_ISLNK(status.st_mode) or not status.st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH), name
    assert (built.root / STATE).lstat().st_mode & stat.S_IRWXU == stat.S_IRWXU


def test_package_equals_the_wheel_of_a_clean_clone(built: Built, tmp_path: Path) -> None:
    """The package in the image has exactly the files of a wheel that is built from tracked files."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in tracked.strip("\0").split("\0"):
        copy = tmp_path / "clone" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy, follow_symlinks=False)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [
        "install",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
        "--no-compile",
        f"--target={tmp_path / 'to'}",
    ]
    subprocess.run([*pip, *build, str(tmp_path / "clone")], check=True)

    (there,) = (built.root / VENV / "lib").glob("python3*/site-packages/monitor")

    def sources(package: Path) -> dict[str, bytes]:
        files = [path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"]
        return {str(path.relative_to(package)): path.read_bytes() for path in files}

    here = sources(tmp_path / "to" / "monitor")
    assert len(here) > 50
    assert sources(there) == here


def test_build_context_has_only_sources(built: Built) -> None:
    """.dockerignore limits the build context to the sources and lock files."""
    ignore = f"--ignorefile={ROOT / '.dockerignore'}"
    name = "localhost/context"
    built.podman("build", ignore, f"--tag={name}", "--file=-", str(ROOT), stdin="FROM scratch\nCOPY . /\n")
    root = Path(built.podman("image", "mount", name))
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    sources = {
        str(path.relative_to(ROOT))
        for folder in (ROOT / "monitor", ROOT / "docs" / "runbooks")
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    locks = {".ci/requirements/build.txt", ".ci/requirements/run.txt"}
    assert files == sources | locks | {"LICENSE", "README.md", "pyproject.toml"}


def test_bytecode_is_precompiled(built: Built) -> None:
    """Every module that the daemon imports has its bytecode in the image."""
    code = (
        "import os, sys, monitor.cli.run, monitor.daemon.daemon, monitor.web\n"
        "specs = [m.__spec__ for m in sys.modules.values() if getattr(m, '__spec__', None)]\n"
        "print(*sorted(s.name for s in specs if s.has_location and s.cached and not os.path.exists(s.cached)))\n"
        "print(len(specs))"
    )
    exit_code, printed, _ = built.podman.run_to_end("--entrypoint=python3", built.name, "-c", code)
    assert exit_code == 0
    missing, count = printed.splitlines()
    assert missing == ""
    assert int(count) > 500


def test_version_command(built: Built) -> None:
    """`docker run IMAGE version` passes the command to the entry point."""
    assert built.podman.run_to_end(built.name, "version") == (0, f"stackset-monitor {__version__}\n", "")


def test_check_command(built: Built, configuration: Path) -> None:
    """`check` refuses an invalid file with exit code 2 and its line."""
    (configuration / "monitor.yaml").write_text("products: [pp-aaaaaaaaaaaaa]\npoll: {interval: often}\n")
    mount = f"--volume={configuration}:/etc/stackset-monitor:ro"
    code, _, printed = built.podman.run_to_end(
        mount, built.name, "check", "--config", "/etc/stackset-monitor/monitor.yaml"
    )
    assert code == 2
    assert "/etc/stackset-monitor/monitor.yaml:2" in printed
    assert "poll.interval" in printed
