"""What a message must not show: external IDs, and text that looks like a credential.

A value that is refused may be a secret in the wrong place. Only the external ID has a key of its own, but a shifted
line puts it under another key, or makes a key of it.
"""

import re
from collections.abc import Iterable

# Is shown instead of a secret.
HIDDEN = "<redacted>"
# Keys whose refused values are not shown. A Region is shown if it is a misspelled one (`region.py`).
_SECRET_KEY = re.compile("external[^a-z]*id|region", re.IGNORECASE)
# An access key ID, the bcrypt hash of a password, a JSON Web Token, a private key in PEM format.
_CREDENTIAL = re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}\b|\$2[a-z]?\$|\beyJ[\w-]{8,}|PRIVATE KEY--")
# A secret access key has 40 characters, a session token hundreds.
_RANDOM = re.compile(r"[A-Za-z0-9+/=]{40,}")


def is_secret(path: Iterable[str | int]) -> bool:
    """Return whether the value at a path must not be shown. A value below a secret is one, too."""
    return any(isinstance(part, str) and _SECRET_KEY.fullmatch(part) for part in path)


def may_have_secret(text: str) -> bool:
    """Return whether some lines of a file may have a secret in them."""
    return _SECRET_KEY.search(text) is not None or looks_like_a_credential(text)


def looks_like_a_credential(text: str) -> bool:
    """Return whether text has the form of an AWS credential, a token or the hash of a password."""
    return _CREDENTIAL.search(text) is not None or any(
        re.search("[A-Z]", word) and re.search("[a-z]", word) and re.search("[0-9]", word)
        for word in _RANDOM.findall(text)
    )
