"""What may be said of an error: one short line, and no credential in it.

AWS tells back what it was sent: the message of a signature that does not match has the session token in it.
"""

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote_plus

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

LONGEST = 400
"""Characters of a message; an HTML page instead of an error of AWS would be a log line of its own size."""
HIDDEN = "[hidden]"

_REMEMBERED = 32
_SHORTEST = 4
"""Characters of a secret that is hidden wherever it stands: a shorter one would hide half of every message."""
_KEY_ID = re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}\b")
_WEB_TOKEN = re.compile(r"\beyJ[\w-]{8,}(?:\.[\w-]+)*")
_RANDOM = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
_FORM_SECRETS = ("ExternalId", "WebIdentityToken", "TokenCode", "SAMLAssertion")


def sentence(text: str) -> str:
    """Return text as one line of bounded length, without what looks like a credential."""
    line = " ".join(text[: 16 * LONGEST].split())
    line = _KEY_ID.sub(HIDDEN, _WEB_TOKEN.sub(HIDDEN, line))
    line = _RANDOM.sub(lambda found: HIDDEN if _looks_random(found[0]) else found[0], line)
    return line if len(line) <= LONGEST else f"{line[:LONGEST].rstrip()}..."


def _looks_random(text: str) -> bool:
    """Tell secret keys and session tokens from hexadecimal digests and words."""
    return any(map(str.isupper, text)) and any(map(str.islower, text)) and any(map(str.isdigit, text))


class Secrets:
    """What was sent of late that no message may have in it. Safe to use from many threads."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: dict[str, None] = {}

    def sent(self, request: "AWSPreparedRequest") -> None:
        """Take note of what a request carries: the session token, and what roles are assumed with."""
        self._add(_text(request.headers.get("X-Amz-Security-Token")))
        if "form-urlencoded" in _text(request.headers.get("Content-Type")):
            form = parse_qs(_text(request.body))
            for name in _FORM_SECRETS:
                for secret in form.get(name, ()):
                    self._add(secret)
                    self._add(quote_plus(secret))

    def hide(self, text: str) -> str:
        """Return text as `sentence` does, without any of what was sent."""
        for secret in sorted(self._known, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return sentence(text)

    def _add(self, secret: str) -> None:
        if len(secret) < _SHORTEST or secret in self._known:
            return
        self._known[secret] = None
        if len(self._known) > _REMEMBERED:
            self._known.pop(next(iter(tuple(self._known))), None)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
