"""Work with the lock files, without a network: `python .ci/lock_file.py audit` and `... sbom`.

`audit` checks the lock files themselves. Known vulnerabilities are only reported if a local copy of an advisory
database in the OSV format is given, for example a clone of the PyPA advisory database. It does not find out whether a
release was yanked or whether a newer one exists: only the package index knows that.
"""

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
LOCKS = Path(__file__).parent / "requirements"
IMAGE = {"python_full_version": "3.13.0", "python_version": "3.13", "sys_platform": "linux", "os_name": "posix"}
"""The environment of the container image, for the markers of a lock file."""


@dataclass(frozen=True, slots=True)
class Locked:
    """One requirement of a lock file."""

    name: str
    version: Version
    hashes: tuple[str, ...]
    """SHA-256 digests of the files of this release."""
    required_by: tuple[str, ...]
    """Names of the packages that need it; the project itself has the name of pyproject.toml."""
    marker: Marker | None


class LockError(ValueError):
    """A line of a lock file that is not an exact, hashed requirement."""


def read_lock(text: str) -> list[Locked]:
    """Return the requirements of a lock file that uv wrote; raise `LockError`."""
    return [_locked(entry) for entry in re.split(r"\n(?=\S)", text.strip()) if entry]


def _locked(entry: str) -> Locked:
    first = entry.splitlines()[0].rstrip("\\").strip()
    try:
        requirement = Requirement(first)
    except ValueError as error:
        raise LockError(f"{first!r} is not a requirement") from error
    pin = re.fullmatch(r"==([^*]+)", str(requirement.specifier))
    if pin is None or requirement.url:
        raise LockError(f"{first!r} is not pinned to one version with ==")
    hashes = tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})\b", entry))
    if not hashes:
        raise LockError(f"{first!r} has no SHA-256 hash")
    comments = re.findall(r"# +(?:via +)?([\w.-]+)", entry)
    required_by = tuple(canonicalize_name(name) for name in comments if name != "via")
    return Locked(canonicalize_name(requirement.name), Version(pin[1]), hashes, required_by, requirement.marker)


def audit(locks: Path, project: Mapping[str, Any], advisories: Path | None) -> Iterator[str]:
    """Yield one sentence for each problem."""
    versions: dict[str, tuple[Version, str]] = {}
    for path in sorted(locks.glob("*.txt")):
        try:
            entries = read_lock(path.read_text())
        except LockError as error:
            yield f"{path.name}: {error}"
            continue
        for entry in entries:
            version, first = versions.setdefault(entry.name, (entry.version, path.name))
            # One lock may have a version for each range of Python versions, told apart by their markers.
            if version != entry.version and not (entry.marker and first == path.name):
                yield f"{path.name}: {entry.name} is {entry.version}, but {version} in {first}"
    for requirement in map(Requirement, project["dependencies"]):
        name = canonicalize_name(requirement.name)
        if name not in versions:
            yield f"pyproject.toml: {name} is in no lock file"
        elif versions[name][0] not in requirement.specifier:
            yield f"pyproject.toml: {requirement} does not allow the locked version {versions[name][0]}"
    if advisories:
        yield from _vulnerabilities(advisories, {name: version for name, (version, _) in versions.items()})


def _vulnerabilities(folder: Path, versions: Mapping[str, Version]) -> Iterator[str]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix in {".json", ".yaml", ".yml"})
    advisories = [_advisory(path) for path in paths]
    if not any("affected" in advisory for advisory in advisories):
        yield f"{folder} has no advisory in the OSV format"
    for advisory in advisories:
        if "withdrawn" in advisory:
            continue
        for affected in advisory.get("affected", ()):
            package = affected.get("package", {})
            version = versions.get(canonicalize_name(package.get("name", "")))
            if package.get("ecosystem") == "PyPI" and version and _affects(affected, version):
                summary = advisory.get("summary") or advisory.get("details", "").partition("\n")[0]
                yield f"{package['name']} {version}: {advisory['id']}: {summary}"
                break


def _advisory(path: Path) -> Mapping[str, Any]:
    text = path.read_text()
    advisory = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    return advisory if isinstance(advisory, dict) else {}


def _affects(affected: Mapping[str, Any], version: Version) -> bool:
    """Evaluate `versions` and the ECOSYSTEM ranges of an advisory (OSV schema, "affected")."""
    if str(version) in affected.get("versions", ()):
        return True
    for versions in affected.get("ranges", ()):
        vulnerable = False
        for event in versions["events"] if versions["type"] == "ECOSYSTEM" else ():
            if "introduced" in event and version >= Version(event["introduced"]):
                vulnerable = True
            if "fixed" in event and version >= Version(event["fixed"]):
                vulnerable = False
            if "last_affected" in event and version > Version(event["last_affected"]):
                vulnerable = False
        if vulnerable:
            return True
    return False


def sbom(entries: Sequence[Locked], name: str, version: str, licence: str) -> Mapping[str, Any]:
    """Return the CycloneDX document of what the container image installs. The same input gives the same document."""
    installed = [entry for entry in entries if entry.marker is None or entry.marker.evaluate(IMAGE)]
    references = {entry.name: f"pkg:pypi/{entry.name}@{entry.version}" for entry in installed}
    project = f"pkg:pypi/{name}@{version}"
    needs: dict[str, list[str]] = {reference: [] for reference in (project, *references.values())}
    for entry in installed:
        for parent in entry.required_by:
            if (reference := project if parent == name else references.get(parent)) is not None:
                needs[reference].append(references[entry.name])
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": project,
                "name": name,
                "version": version,
                "licenses": [{"license": {"id": licence}}],
                "purl": project,
            }
        },
        "components": [
            {
                "type": "library",
                "bom-ref": references[entry.name],
                "name": entry.name,
                "version": str(entry.version),
                "purl": references[entry.name],
                "properties": [{"name": "lock-file:sha256", "value": value} for value in entry.hashes],
            }
            for entry in installed
        ],
        "dependencies": [{"ref": reference, "dependsOn": sorted(needs[reference])} for reference in needs],
    }


def main() -> int:
    """Run the command line; return 1 if the audit found a problem."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["audit", "sbom"])
    parser.add_argument("--advisories", type=Path, help="folder with advisories in the OSV format (JSON or YAML)")
    chosen = parser.parse_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    if chosen.command == "sbom":
        from monitor import __version__  # noqa: PLC0415 - the audit needs no installed project

        document = sbom(read_lock((LOCKS / "run.txt").read_text()), project["name"], __version__, project["license"])
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return 0
    problems = list(audit(LOCKS, project, chosen.advisories))
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    if not problems:
        sys.stdout.write("The lock files are pinned, hashed and consistent.\n")
    if not chosen.advisories:
        sys.stdout.write("Known vulnerabilities were not checked: no --advisories folder was given.\n")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
