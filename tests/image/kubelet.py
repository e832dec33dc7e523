"""What a kubelet does with a pod of the API server: it mounts volumes and starts containers, here with podman."""

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.conftest import Namespace
from tests.e2e.process import DaemonProcess
from tests.image.podman import SANDBOX, Podman

Object = dict[str, Any]


@dataclass(frozen=True)
class Kubelet:
    """Runs containers of one pod exactly as the pod says."""

    podman: Podman
    namespace: Namespace
    pod: Object
    folder: Path
    """Where the volumes are."""

    def container(self, name: str) -> Object:
        """Return the specification of a container or init container."""
        spec = self.pod["spec"]
        (found,) = (one for one in [*spec.get("initContainers", []), *spec["containers"]] if one["name"] == name)
        return dict(found)

    def command(self, name: str) -> list[str]:
        """Return the podman command that starts a container. Creates the volumes that it mounts."""
        one = self.container(name)
        options = [f"--name={name}", *self._security(one), *self._network()]
        options += [f"--env={entry['name']}={entry.get('value', '')}" for entry in one.get("env", [])]
        options += [self._mount(mount) for mount in one.get("volumeMounts", [])]
        if "workingDir" in one:
            options.append(f"--workdir={one['workingDir']}")
        arguments: list[str] = [*one.get("command", []), *one.get("args", [])]
        if "command" in one:
            options.append(f"--entrypoint={arguments.pop(0)}")
        return self.podman.command("run", "--rm", "--pull=never", *SANDBOX, *options, one["image"], *arguments)

    def _security(self, container: Object) -> list[str]:
        """Return the options for the security contexts of the pod and the container."""
        context = {**self.pod["spec"]["securityContext"], **container["securityContext"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, "the default of podman, too"
        options = [
            f"--user={context['runAsUser']}:{context['runAsGroup']}",
            f"--group-add={context['fsGroup']}",
            f"--read-only={str(context['readOnlyRootFilesystem']).lower()}",
        ]
        options += [f"--cap-drop={capability}" for capability in context["capabilities"]["drop"]]
        if context["allowPrivilegeEscalation"] is False:
            options.append("--security-opt=no-new-privileges")
        return options

    def _network(self) -> list[str]:
        """Return the names of the pods, which the DNS of a cluster resolves. All share the loopback of this machine."""
        service = self.namespace.items("service")[0]["metadata"]["name"]
        pods = [pod["metadata"]["name"] for pod in self.namespace.items("pod")]
        return [f"--add-host={pod}.{service}.{self.namespace.name}.svc:127.0.0.1" for pod in pods]

    def _mount(self, mount: Object) -> str:
        (volume,) = (one for one in self.pod["spec"]["volumes"] if one["name"] == mount["name"])
        path = self.folder / mount["name"]
        if not path.exists():
            self._create(path, volume)
        return f"--volume={path}:{mount['mountPath']}:{'ro' if mount.get('readOnly') else 'rw'}"

    def _create(self, path: Path, volume: Object) -> None:
        """Create the folder of a volume, which the group of the pod (`fsGroup`) may write."""
        group = self.pod["spec"]["securityContext"]["fsGroup"]
        path.mkdir()
        for source in volume.get("projected", {}).get("sources", []):
            for name, content in self._files(source).items():
                (path / name).write_bytes(content)
                os.chown(path / name, 0, group)
                (path / name).chmod(volume["projected"]["defaultMode"])
        os.chown(path, 0, group)
        path.chmod(0o2775)

    def _files(self, source: Object) -> dict[str, bytes]:
        """Return the files of a ConfigMap or Secret, as the API server has them."""
        if "secret" in source:
            data = self.namespace.get("secret", source["secret"]["name"])["data"]
            return {name: base64.b64decode(value) for name, value in data.items()}
        data = self.namespace.get("configmap", source["configMap"]["name"])["data"]
        return {name: value.encode() for name, value in data.items()}


class PodContainer(DaemonProcess):
    """The container of the monitor, as its pod says."""

    def __init__(self, kubelet: Kubelet) -> None:
        """Start it."""
        self._kubelet = kubelet
        self._start(kubelet.command("stackset-monitor"))

    def close(self) -> list[dict[str, object]]:
        """Remove the container if it still runs, because it does not end with podman."""
        self._kubelet.podman("rm", "--force", "--ignore", "--time=0", "stackset-monitor")
        return super().close()

    def wait(self, seconds: float) -> int:
        """Wait until the container has ended, and return its exit code."""
        code = self._process.wait(seconds)
        self._reader.join(seconds)
        return code
