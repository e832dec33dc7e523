"""The commands of helm/README.md and docs/install.md, as they are written there."""

import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.control_plane import ROOT, ControlPlane
from tests.e2e.process import eventually

pytestmark = pytest.mark.timeout(180)
README, INSTALL = ROOT / "helm" / "README.md", ROOT / "docs" / "install.md"
NEEDS_KUBELET = ("kubectl logs", "kubectl exec")


def commands(path: Path, *sections: str) -> list[str]:
    """Return the commands of helm and kubectl in sections of a document, in their order."""
    found = []
    for section in sections:
        (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", path.read_text(), re.DOTALL | re.MULTILINE)
        for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
            found += textwrap.dedent(block).replace("\\\n", " ").strip().splitlines()
    return [one for one in found if one.startswith(("helm ", "kubectl ")) and not one.startswith(NEEDS_KUBELET)]


@pytest.fixture
def clean(cluster: ControlPlane) -> Iterator[ControlPlane]:
    """Return the cluster without the namespace of the documents."""
    cluster.kubectl("delete", "namespace", "monitoring", "--ignore-not-found", "--timeout=60s")
    yield cluster
    cluster.kubectl("delete", "namespace", "monitoring", "--ignore-not-found", "--timeout=60s")


def run(cluster: ControlPlane, command: str, values: Path) -> None:
    """Run a command of a document, without the logs, which only a kubelet has."""
    program, *arguments = shlex.split(command.replace("values.yaml", str(values)))
    done = cluster.run(program, *[one for one in arguments if one != "--logs"])
    assert done.returncode == 0, f"{command}: {done.stderr}"


def test_commands_of_the_readme(clean: ControlPlane, tmp_path: Path) -> None:
    """Install, test, upgrade and uninstall work with the first values of helm/README.md, and leave nothing behind."""
    text = re.findall(r"```yaml\n( *# values\.yaml\n.*?)```", README.read_text(), re.DOTALL)[0]
    (tmp_path / "values.yaml").write_text(textwrap.dedent(text))
    found = commands(README, "Install", "Upgrade", "Uninstall")
    assert [one.split()[1] for one in found] == ["install", "test", "upgrade", "uninstall", "delete"]
    for command in found:
        run(clean, command, tmp_path / "values.yaml")
        if " upgrade " in command:
            assert clean.get("pod", "stackset-monitor-0", "--namespace=monitoring")["status"]["phase"] == "Running"

    def left() -> list[str]:
        kinds = "all,configmap,secret,persistentvolumeclaim,servicemonitor,prometheusrule,networkpolicy,pdb"
        return [one["metadata"]["name"] for one in clean.items(kinds, "--namespace=monitoring")]

    assert eventually(lambda: left() == ["kube-root-ca.crt"]), left()


def test_commands_of_the_installation(clean: ControlPlane, tmp_path: Path) -> None:
    """The shortest installation, of docs/install.md, works."""
    for command in commands(INSTALL, "Helm"):
        run(clean, command, tmp_path)
    assert clean.get("statefulset", "stackset-monitor", "--namespace=monitoring")["spec"]["replicas"] == 1
