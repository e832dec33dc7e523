"""The image, built once from this folder, on a Debian image that replaces the official image of Python."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.conftest import cluster, namespace  # noqa: F401 - fixtures
from tests.image.pip_settings import secrets
from tests.image.podman import Podman

ROOT = Path(__file__).parents[2]
BASE, IMAGE = "localhost/base", "localhost/stackset-monitor"
REVISION = "0123456789abcdef0123456789abcdef01234567"
# Debian 13 has the Python version of the Dockerfile, and the official image is based on it too.
DISTRIBUTION = "trixie"


@dataclass(frozen=True)
class Built:
    """The image, and the mounted root file systems of the image and of its base."""

    podman: Podman
    name: str
    root: Path
    base: Path


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """Return podman with temporary storage, which is deleted at the end."""
    folder = tmp_path_factory.mktemp("podman")
    yield Podman(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def base(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Create a Debian image with Python and without bytecode, like the official one; no registry is reachable."""
    archive = tmp_path_factory.mktemp("base") / "base.tar"
    options = ("--variant=minbase", "--include=ca-certificates,python3-venv", "--quiet")
    bytecode = """--customize-hook=find "$1/usr/lib/python3"* -name __pycache__ -prune -exec rm -rf {} +"""
    subprocess.run(["mmdebstrap", *options, bytecode, DISTRIBUTION, str(archive)], check=True, stdin=subprocess.DEVNULL)
    podman("import", str(archive), BASE)
    archive.unlink()
    return BASE


@pytest.fixture(scope="session")
def built(podman: Podman, base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Build the image as docs/install.md says, with the package index of this machine."""
    arguments = {"BASE_IMAGE": base, "VERSION": "1.2.3", "REVISION": REVISION, "SOURCE": "urn:source"}
    begin = time.monotonic()
    podman(
        "build",
        "--isolation=chroot",
        "--network=host",
        *secrets(tmp_path_factory.mktemp("pip")),
        *[f"--build-arg={name}={value}" for name, value in arguments.items()],
        f"--tag={IMAGE}",
        str(ROOT),
    )
    print(f"built in {time.monotonic() - begin:.0f} s")
    try:
        yield Built(podman, IMAGE, *(Path(podman("image", "mount", name)) for name in (IMAGE, base)))
    finally:
        podman("image", "unmount", "--all")


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """Return a folder for /etc/stackset-monitor that the user of the image can read."""
    folder = tmp_path / "etc"
    folder.mkdir()
    os.chmod(folder, 0o755)  # noqa: PTH101 - the umask must not matter
    return folder
