"""The Pod Security Standard "restricted" (Kubernetes documentation, "Pod Security Standards")."""

from collections.abc import Iterator
from typing import Any

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def violations(pod: dict[str, Any]) -> Iterator[str]:
    """Yield each violation of the standard in a pod specification."""
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key):
            yield key
    for volume in pod.get("volumes", []):
        if not set(volume) - {"name"} <= VOLUMES:
            yield f"volume {volume['name']}"
    whole = pod.get("securityContext", {})
    if "sysctls" in whole:
        yield "sysctls"
    for container in (*pod.get("initContainers", []), *pod["containers"], *pod.get("ephemeralContainers", [])):
        yield from (f"{container['name']}: {what}" for what in _container(container, whole))


def _container(container: dict[str, Any], whole: dict[str, Any]) -> Iterator[str]:
    own = container.get("securityContext", {})
    both = {**whole, **own}
    if both.get("runAsNonRoot") is not True:
        yield "may run as root"
    if both.get("runAsUser") == 0:
        yield "runs as root"
    if both.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "has no seccomp profile"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if own.get("privileged"):
        yield "is privileged"
    capabilities = own.get("capabilities", {})
    if capabilities.get("drop") != ["ALL"] or not set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"}:
        yield "has capabilities"
    if own.get("procMount", "Default") != "Default":
        yield "has another /proc"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield "has a port of the host"
