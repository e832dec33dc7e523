"""Addresses to listen on, written `HOST:PORT`."""

import re

PATTERN = r"^(\[[0-9A-Fa-f:.]+\]|([A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*)?):[0-9]{1,5}$"
LAST_PORT = 65535


def checked_address(text: str) -> str:
    """Return the text where it is an address: `0.0.0.0:9935`, `localhost:9935`, `[::1]:9935` or `:9935`.

    Raises `ValueError` where it is not; the message goes on after the text: `is not ...`.
    """
    if not re.fullmatch(PATTERN.removesuffix("$"), text):
        message = "is not an address to listen on: write it as HOST:PORT, like 0.0.0.0:9935, [::]:9935 or :9935"
        raise ValueError(message)
    if int(text.rpartition(":")[2]) > LAST_PORT:
        message = f"has a port that does not exist: {LAST_PORT} is the last one"
        raise ValueError(message)
    return text
