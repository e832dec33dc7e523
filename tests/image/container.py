"""The daemon in its container."""

from collections.abc import Sequence
from pathlib import Path

from tests.e2e.process import WAIT, DaemonProcess
from tests.image.conftest import Built

SETTINGS = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def mounts(configuration: Path) -> tuple[str, str]:
    """Return the volume options of a container: configuration and state."""
    return f"--volume={configuration}:/etc/stackset-monitor:ro", "--volume=state:/var/lib/stackset-monitor"


class DaemonContainer(DaemonProcess):
    """One container of the image, with its default command or other arguments."""

    def __init__(self, built: Built, configuration: Path, *arguments: str, options: Sequence[str] = ()) -> None:
        """Start the container with a volume for its state, which podman creates on the first run."""
        self._podman = built.podman
        mounted = (*mounts(configuration), *(f"--env={name}" for name in SETTINGS), *options)
        self._start(self._podman.run("--name=monitor", "--env=PYTHONWARNINGS=error", *mounted, built.name, *arguments))

    def close(self) -> list[dict[str, object]]:
        """Remove the container if it still runs, because it does not end with podman."""
        self._podman("rm", "--force", "--ignore", "--time=0", "monitor")
        return super().close()

    def inside(self, *command: str) -> str:
        """Run a command in the container and return its output."""
        return self._podman("exec", "monitor", *command)

    def stop_as_docker_does(self) -> int:
        """Stop the container as `docker stop` does, with a kill after ten seconds, and return the exit code."""
        self._podman("stop", "--time=10", "monitor")
        code = self._process.wait(WAIT)
        self._reader.join(WAIT)
        return code
