"""Whether this process can use the files that a configuration names."""

import tempfile
from pathlib import Path


def read_error(path: Path) -> OSError | None:
    """Return the error of reading a file, or None if it can be read."""
    from monitor.config.validation import read_file

    try:
        read_file(path)
    except OSError as error:
        return error
    return None


def create_error(path: Path) -> OSError | None:
    """Return the error of creating a file with its folders, or None if it can be created or exists.

    A temporary file is created in the nearest folder that exists, and deleted: permissions alone do not tell about
    read-only file systems and folders like /proc.
    """
    if path.is_dir():
        return IsADirectoryError(0, "Is a directory")
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error
