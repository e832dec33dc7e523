"""What is never shown: the external id of a role, also where its key is misspelt or its value is no YAML."""

import re
from collections.abc import Iterable

HIDDEN = "what stands here"
"""Is shown in place of a secret."""
_SECRET = re.compile("external[^a-z]*id", re.IGNORECASE)


def is_secret(path: Iterable[str | int]) -> bool:
    """Say whether what is at a path, a key or an item below a secret included, is not to be shown."""
    return any(isinstance(part, str) and _SECRET.fullmatch(part) for part in path)


def has_secret(text: str) -> bool:
    """Say whether there may be a secret in some lines of the file."""
    return _SECRET.search(text) is not None
