"""The audit of the lock files, and the SBOM that is made of them."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / ".ci" / "lock_file.py"
HASH = "a" * 64
PROJECT = {"dependencies": ["One>=1"]}
ONE = f"one==1.0 \\\n    --hash=sha256:{HASH}\n    # via demo (pyproject.toml)\n"
TWO = f"two==2.0 ; sys_platform == 'linux' \\\n    --hash=sha256:{HASH}\n    # via\n    #   one\n    #   three\n"
WINDOWS = f"three==3.0 ; sys_platform == 'win32' \\\n    --hash=sha256:{HASH}\n    # via one\n"


@pytest.fixture(scope="module")
def lock_file() -> Any:
    """Import the script, which is not part of a package."""
    spec = importlib.util.spec_from_file_location("lock_file", SCRIPT)
    assert spec
    assert spec.loader
    module = sys.modules["lock_file"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def audited(lock_file: Any, folder: Path, advisories: Path | None = None, **locks: str) -> list[str]:
    """Return the problems of some lock files."""
    for name, text in locks.items():
        (folder / f"{name}.txt").write_text(text)
    return list(lock_file.audit(folder, PROJECT, advisories))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"one>=1.0 \\\n    --hash=sha256:{HASH}\n", "run.txt: 'one>=1.0' is not pinned to one version with =="),
        (f"one==1.* \\\n    --hash=sha256:{HASH}\n", "run.txt: 'one==1.*' is not pinned to one version with =="),
        ("one==1.0\n", "run.txt: 'one==1.0' has no SHA-256 hash"),
        ("-e .\n", "run.txt: '-e .' is not a requirement"),
        ("one @ file:///one.whl\n", "run.txt: 'one @ file:///one.whl' is not pinned to one version with =="),
    ],
)
def test_a_line_that_is_not_exact_and_hashed_is_a_problem(
    lock_file: Any, tmp_path: Path, text: str, problem: str
) -> None:
    """The name of the file and the line are in the sentence."""
    assert audited(lock_file, tmp_path, run=text)[0] == problem


def test_lock_files_must_agree_with_each_other_and_with_the_project(lock_file: Any, tmp_path: Path) -> None:
    """Different versions, a dependency that is not locked, and a version that is not allowed are problems."""
    assert audited(lock_file, tmp_path, dev=ONE, run=ONE.replace("1.0", "1.1")) == [
        "run.txt: one is 1.1, but 1.0 in dev.txt"
    ]
    assert audited(lock_file, tmp_path, dev=TWO, run=TWO) == ["pyproject.toml: one is in no lock file"]
    old = ONE.replace("1.0", "0.9")
    assert audited(lock_file, tmp_path, dev=old, run=old) == [
        "pyproject.toml: One>=1 does not allow the locked version 0.9"
    ]


@pytest.mark.parametrize(
    ("affected", "vulnerable"),
    [
        ({"versions": ["0.9", "1.0"]}, True),
        ({"versions": ["0.9"]}, False),
        ({"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}]}, True),
        ({"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.0"}]}]}, False),
        ({"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1.1"}]}]}, False),
        ({"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"last_affected": "1.0"}]}]}, True),
        ({"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}, False),
    ],
)
def test_a_local_advisory_database_reports_vulnerable_versions(
    lock_file: Any, tmp_path: Path, affected: dict[str, Any], vulnerable: bool
) -> None:
    """Versions and ranges are evaluated as the OSV schema defines them."""
    folder = tmp_path / "advisories"
    folder.mkdir()
    package = {"ecosystem": "PyPI", "name": "One"}
    advisory = {"id": "PYSEC-1", "summary": "It is unsafe", "affected": [{"package": package, **affected}]}
    (folder / "PYSEC-1.json").write_text(json.dumps(advisory))
    (folder / "PYSEC-2.json").write_text(json.dumps({**advisory, "id": "PYSEC-2", "withdrawn": "2026-01-01"}))
    (folder / "README.yaml").write_text("no advisory\n")
    found = audited(lock_file, tmp_path, folder, run=ONE)
    assert found == (["One 1.0: PYSEC-1: It is unsafe"] if vulnerable else [])


def test_a_folder_without_advisories_is_a_problem(lock_file: Any, tmp_path: Path) -> None:
    """A wrong path must not look like a database without findings."""
    empty = tmp_path / "empty"
    empty.mkdir()
    assert audited(lock_file, tmp_path, empty, run=ONE) == [f"{empty} has no advisory in the OSV format"]


def test_the_sbom_has_the_packages_of_the_image_and_what_needs_them(lock_file: Any) -> None:
    """A package for another platform is left out."""
    document = lock_file.sbom(lock_file.read_lock(ONE + TWO + WINDOWS), "demo", "1.2.3", "Apache-2.0")
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert [component["purl"] for component in document["components"]] == ["pkg:pypi/one@1.0", "pkg:pypi/two@2.0"]
    assert document["components"][0]["properties"] == [{"name": "lock-file:sha256", "value": HASH}]
    assert document["dependencies"] == [
        {"ref": "pkg:pypi/demo@1.2.3", "dependsOn": ["pkg:pypi/one@1.0"]},
        {"ref": "pkg:pypi/one@1.0", "dependsOn": ["pkg:pypi/two@2.0"]},
        {"ref": "pkg:pypi/two@2.0", "dependsOn": []},
    ]


def test_the_lock_files_of_the_project_pass() -> None:
    """The command says what it did not check."""
    run = subprocess.run([sys.executable, SCRIPT, "audit"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [
        "The lock files are pinned, hashed and consistent.",
        "Known vulnerabilities were not checked: no --advisories folder was given.",
    ]


def test_the_sbom_of_the_project_is_json_and_reproducible() -> None:
    """Two runs print the same bytes."""
    runs = [subprocess.run([sys.executable, SCRIPT, "sbom"], capture_output=True, check=True).stdout for _ in range(2)]
    assert runs[0] == runs[1]
    names = {component["name"] for component in json.loads(runs[0])["components"]}
    assert {"boto3", "uvicorn"} <= names
    assert not names & {"moto", "pytest", "tzdata"}
