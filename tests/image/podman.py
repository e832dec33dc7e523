"""podman with its own storage in a temporary folder."""

import subprocess
from pathlib import Path

HARDENED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
"""Options of docs/install.md."""
SANDBOX = (
    "--network=host",  # the simulated AWS, and pytest, are on this machine's loopback
    "--read-only-tmpfs=false",  # podman would make /tmp writable, which Docker and Kubernetes do not
    "--ulimit=nofile=1024:1024",  # podman would raise the limits, which a CI machine may refuse
    "--ulimit=nproc=1000:1000",
)


class Podman:
    """Podman commands that work without systemd, without a registry, and as root in a container."""

    def __init__(self, folder: Path) -> None:
        """Keep images, containers and volumes below a folder."""
        self._options = (
            f"--root={folder / 'root'}",
            f"--runroot={folder / 'runroot'}",
            f"--tmpdir={folder / 'tmp'}",
            "--cgroup-manager=cgroupfs",
            "--events-backend=none",
            "--runtime=runc",
        )

    def command(self, *arguments: str) -> list[str]:
        """Return a command line."""
        return ["podman", *self._options, *arguments]

    def run(self, *arguments: str) -> list[str]:
        """Return the command line of a hardened container that is removed when it ends."""
        return self.command("run", "--rm", *HARDENED, *SANDBOX, *arguments)

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Run a command and return its stdout; a failure raises AssertionError with the output of podman."""
        done = subprocess.run(self.command(*arguments), input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"podman {' '.join(arguments)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout.strip()

    def run_to_end(self, *arguments: str) -> tuple[int, str, str]:
        """Run a hardened container until it ends, and return exit code, stdout and stderr."""
        done = subprocess.run(self.run(*arguments), capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr
