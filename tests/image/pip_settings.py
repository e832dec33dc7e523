"""How this machine's pip reaches its index, in two files that a build in a container can be given as secrets."""

import ast
import os
import subprocess
import sys
from pathlib import Path

TAKEN = {"default-timeout", "extra-index-url", "index-url", "proxy", "timeout", "trusted-host"}
"""The settings that say how an index is reached."""


def secrets(folder: Path) -> list[str]:
    """Write pip.conf, and the certificates that this machine trusts; return the options of a build."""
    settings = _settings()
    # A container does not have the folders of packages that this machine may have.
    taken = {name: [each for each in settings.get(name, "").split() if not each.startswith("file:")] for name in TAKEN}
    lines = ["[global]", *(f"{name} = {' '.join(values)}" for name, values in sorted(taken.items()) if values)]
    options = [f"--secret=id=pip.conf,src={folder / 'pip.conf'}"]
    if certificates := settings.get("cert") or os.environ.get("SSL_CERT_FILE"):
        lines.append("cert = /run/secrets/ca.pem")
        options.append(f"--secret=id=ca.pem,src={certificates}")
    (folder / "pip.conf").write_text("\n".join(lines) + "\n")
    return options


def _settings() -> dict[str, str]:
    """Ask pip, which knows its files and its environment; what it says last wins."""
    done = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    settings: dict[str, str] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition("=")
        settings[key.rpartition(".")[2]] = ast.literal_eval(value)
    return settings
