"""The pip settings of this machine, as two secrets for a container build."""

import ast
import os
import subprocess
import sys
from pathlib import Path

TAKEN = {"default-timeout", "extra-index-url", "index-url", "proxy", "timeout", "trusted-host"}
"""Settings for reaching a package index."""


def secrets(folder: Path) -> list[str]:
    """Write pip.conf with the CA of this machine, and return the options of the build."""
    settings = _settings()
    # A container cannot see package folders of this machine.
    taken = {name: [each for each in settings.get(name, "").split() if not each.startswith("file:")] for name in TAKEN}
    lines = ["[global]", *(f"{name} = {' '.join(values)}" for name, values in sorted(taken.items()) if values)]
    options = [f"--secret=id=pip.conf,src={folder / 'pip.conf'}"]
    if certificates := settings.get("cert") or os.environ.get("SSL_CERT_FILE"):
        lines.append("cert = /run/secrets/ca.pem")
        options.append(f"--secret=id=ca.pem,src={certificates}")
    (folder / "pip.conf").write_text("\n".join(lines) + "\n")
    return options


def _settings() -> dict[str, str]:
    """Return the settings of pip from its files and environment; the last one wins."""
    done = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    settings: dict[str, str] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition("=")
        settings[key.rpartition(".")[2]] = ast.literal_eval(value)
    return settings
