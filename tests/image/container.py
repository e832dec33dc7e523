"""The daemon in its container."""

from collections.abc import Sequence
from pathlib import Path

from tests.e2e.process import WAIT, DaemonProcess
from tests.image.conftest import Built

SETTINGS = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def mounts(configuration: Path) -> tuple[str, str]:
    """Return the options for what every container of the monitor sees: its configuration and its state."""
    return f"--volume={configuration}:/etc/stackset-monitor:ro", "--volume=state:/var/lib/stackset-monitor"


class DaemonContainer(DaemonProcess):
    """One run of the image: with its own command, or with other arguments."""

    def __init__(self, built: Built, configuration: Path, *arguments: str, options: Sequence[str] = ()) -> None:
        """Start it with a volume for its state, which podman makes on the first run."""
        self._podman = built.podman
        mounted = (*mounts(configuration), *(f"--env={name}" for name in SETTINGS), *options)
        self._start(self._podman.run("--name=monitor", "--env=PYTHONWARNINGS=error", *mounted, built.name, *arguments))

    def close(self) -> list[dict[str, object]]:
        """Remove the container if it still runs: it does not end with podman."""
        self._podman("rm", "--force", "--ignore", "--time=0", "monitor")
        return super().close()

    def inside(self, *command: str) -> str:
        """Run a command beside the daemon, and return what it prints."""
        return self._podman("exec", "monitor", *command)

    def stop_as_docker_does(self) -> int:
        """Ask podman to stop the container, which kills it after ten seconds; return the daemon's exit code."""
        self._podman("stop", "--time=10", "monitor")
        code = self._process.wait(WAIT)
        self._reader.join(WAIT)
        return code
