"""Ways to damage a state file."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path


def garbage(path: Path) -> None:
    """Replace the content by text."""
    path.write_bytes(b"this is not a database, whatever its name says" * 100)


def truncated(path: Path) -> None:
    """Keep the first half."""
    os.truncate(path, path.stat().st_size // 2)


def overwritten(path: Path) -> None:
    """Overwrite the pages after the first with random bytes."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(3 * 4096))


def execute(path: Path, *statements: str) -> None:
    """Change rows behind the back of the store."""
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


DAMAGES: list[Callable[[Path], None]] = [garbage, truncated, overwritten]
