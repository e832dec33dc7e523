"""A Kubernetes control plane on loopback: etcd, API server, controllers, scheduler, and nodes that kwok simulates."""

import base64
import json
import os
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme

from tests.e2e.process import eventually, program

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "build" / "programs" / "cluster"
START = 90.0
"""Seconds that a program may take to start; the API server takes 6 on an idle machine."""
NODES = {"one": "eu-west-1a", "two": "eu-west-1b", "three": "eu-west-1c"}
"""The nodes, with their zones."""

Object = dict[str, Any]


@dataclass(frozen=True)
class ControlPlane:
    """A running control plane, and its clients with all permissions."""

    folder: Path

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl and return its stdout.

        Raises:
            AssertionError: It failed; the message is what it printed.
        """
        done = self.run("kubectl", *arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *arguments: str) -> Object:
        """Return what `kubectl get` prints: one object, or a list with `items`."""
        found: Object = json.loads(self.kubectl("get", "--output=json", *arguments))
        return found

    def items(self, *arguments: str) -> list[Object]:
        """Return the objects of a list."""
        found: list[Object] = self.get(*arguments)["items"]
        return found

    def create(self, *objects: Object) -> None:
        """Create objects, or change them."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(listed))

    def run(self, name: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run kubectl or Helm."""
        return subprocess.run(
            [PROGRAMS / name, *arguments],
            env={**os.environ, **self._environment()},
            cwd=ROOT,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def _environment(self) -> dict[str, str]:
        own = {f"HELM_{name}_HOME": str(self.folder / "helm") for name in ("CACHE", "CONFIG", "DATA")}
        return {"KUBECONFIG": str(self.folder / "kubeconfig"), "KUBECACHEDIR": str(self.folder / "cache"), **own}


@contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    """Run a control plane with three nodes, a StorageClass and the definitions of the Prometheus Operator."""
    etcd, peer, api = (f"127.0.0.1:{port}" for port in _free_ports(3))
    _write_credentials(folder, api)
    with ExitStack() as running:

        def start(name: str, *options: str) -> None:
            running.enter_context(program(str(PROGRAMS / name), *options, cwd=folder))

        start(
            "etcd",
            "--data-dir=etcd",
            "--unsafe-no-fsync",
            f"--listen-client-urls=http://{etcd}",
            f"--advertise-client-urls=http://{etcd}",
            f"--listen-peer-urls=http://{peer}",
            f"--initial-advertise-peer-urls=http://{peer}",
            f"--initial-cluster=default=http://{peer}",
        )
        start(
            "kube-apiserver",
            f"--etcd-servers=http://{etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={api.rpartition(':')[2]}",
            "--endpoint-reconciler-type=none",  # otherwise it needs an address other than loopback
            "--tls-cert-file=server.pem",
            "--tls-private-key-file=server.key",
            "--client-ca-file=ca.pem",
            "--authorization-mode=Node,RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-key-file=server.key",
            "--service-account-signing-key-file=server.key",
            "--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112",  # dual-stack
        )
        _wait_for_api(folder, f"https://{api}/readyz")
        local = ("--kubeconfig=kubeconfig", "--bind-address=127.0.0.1", "--secure-port=0", "--leader-elect=false")
        keys = ("--service-account-private-key-file=server.key", "--root-ca-file=ca.pem")
        start("kube-controller-manager", *local, *keys)
        start("kube-scheduler", *local)
        stages = [*sorted((PROGRAMS / "stages").glob("*.yaml")), Path(__file__).parent / "stages.yaml"]
        start("kwok", "--kubeconfig=kubeconfig", "--manage-all-nodes", *[f"--config={path}" for path in stages])
        cluster = ControlPlane(folder)
        _fill(cluster)
        yield cluster


def _free_ports(count: int) -> list[int]:
    with ExitStack() as opened:
        servers = [opened.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


def _write_credentials(folder: Path, api: str) -> None:
    """Write a CA, the certificate of the API server, and a kubeconfig of an administrator."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server = authority.issue_cert("127.0.0.1", "kubernetes.default.svc")
    server.private_key_pem.write_to_path(folder / "server.key")
    server.cert_chain_pems[0].write_to_path(folder / "server.pem")
    admin = authority.issue_cert("admin", common_name="admin", organization_name="system:masters")
    admin.private_key_and_cert_chain_pem.write_to_path(folder / "admin.pem")

    def encoded(blob: trustme.Blob) -> str:
        return base64.b64encode(blob.bytes()).decode()

    user = {
        "client-certificate-data": encoded(admin.cert_chain_pems[0]),
        "client-key-data": encoded(admin.private_key_pem),
    }
    cluster = {"server": f"https://{api}", "certificate-authority-data": encoded(authority.cert_pem)}
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": cluster}],
        "users": [{"name": "admin", "user": user}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "admin"}}],
        "current-context": "tests",
    }
    (folder / "kubeconfig").write_text(json.dumps(kubeconfig))


def _wait_for_api(folder: Path, url: str) -> None:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "admin.pem")

    def ready() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=10, context=context) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    assert eventually(ready, START), (folder / "kube-apiserver.log").read_text()[-2000:]


def _fill(cluster: ControlPlane) -> None:
    """Create nodes in three zones, the classes of volumes, and the definitions of the Prometheus Operator."""
    nodes = [_node(name, zone, place) for place, (name, zone) in enumerate(NODES.items())]
    cluster.create(*nodes, storage_class("standard", default=True))
    definitions = str(PROGRAMS / "definitions")
    cluster.kubectl("apply", "--server-side", f"--filename={definitions}")
    cluster.kubectl("wait", "--for=condition=Established", f"--filename={definitions}", "--timeout=60s")
    cluster.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s")


def _node(name: str, zone: str, place: int) -> Object:
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/arch": "arm64", "topology.kubernetes.io/zone": zone}
    addresses = [f"10.244.{place}.0/24", f"fd00:10:244:{place}::/64"]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"podCIDR": addresses[0], "podCIDRs": addresses},
    }


def storage_class(name: str, *, default: bool = False) -> Object:
    """Return a StorageClass whose volumes kwok makes."""
    annotations = {"storageclass.kubernetes.io/is-default-class": str(default).lower()}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": annotations},
        "provisioner": "volumes.example.com",
    }
