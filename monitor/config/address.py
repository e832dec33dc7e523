"""The format of an address to listen on."""

import re

PATTERN = r"^(\[[0-9A-Fa-f:.]+\]|([A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*)?):[0-9]{1,5}$"
PORT_MAX = 65535


def checked_address(text: str) -> str:
    """Return the text if it is `HOST:PORT`, `[IPv6]:PORT`, or `:PORT` for all addresses.

    Raises:
        ValueError: it is none of these. The message continues a sentence that starts with the text: `is not ...`.
    """
    if not re.fullmatch(PATTERN.removesuffix("$"), text):
        message = "is not an address to listen on: write HOST:PORT, [IPv6]:PORT or :PORT, for example :9935"
        raise ValueError(message)
    if int(text.rpartition(":")[2]) > PORT_MAX:
        message = f"has a port above {PORT_MAX}"
        raise ValueError(message)
    return text
