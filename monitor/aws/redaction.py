"""Removes credentials from error messages, and shortens them to one line.

AWS repeats what it received: the message of a signature that does not match contains the session token.
"""

import re
from collections import deque
from collections.abc import Callable
from urllib.parse import parse_qs, quote_plus

from botocore.awsrequest import AWSPreparedRequest

# Characters of a message. An AccessDenied message with two ARNs has about 400; a proxy may send a whole HTML page.
MAXIMUM_LENGTH = 600
REDACTED = "[hidden]"

_REMEMBERED_SECRETS = 32
# Characters. Hiding a shorter secret everywhere would hide parts of most words.
_SHORTEST_SECRET = 4
_ARN = re.compile(r"\barn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:\d*:[\w+=,.@:/*-]+")
_URL_CREDENTIALS = re.compile(r"(?<=://)[^\s\"'<>]*@")
_HTTP_CREDENTIALS = re.compile(r"\b(Basic|Bearer)\s+\S+", re.IGNORECASE)
_KEY_ID = re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}\b")
_WEB_TOKEN = re.compile(r"\beyJ[\w-]{8,}(?:\.[\w-]+)*")
_RANDOM = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
_FORM_SECRETS = ("ExternalId", "WebIdentityToken", "TokenCode", "SAMLAssertion")


def sentence(text: str) -> str:
    """Return text as one line of bounded length, without anything that looks like a credential."""
    # Also a terminal must be able to show it: no escape sequence gets through.
    line = "".join(filter(str.isprintable, " ".join(text[: 16 * MAXIMUM_LENGTH].split())))
    line = _URL_CREDENTIALS.sub(f"{REDACTED}@", _HTTP_CREDENTIALS.sub(rf"\1 {REDACTED}", line))
    line = _KEY_ID.sub(REDACTED, _WEB_TOKEN.sub(REDACTED, line))
    line = _outside_arns(line, lambda part: _RANDOM.sub(_redact_random, part))
    return line if len(line) <= MAXIMUM_LENGTH else f"{line[:MAXIMUM_LENGTH].rstrip()}..."


def _redact_random(found: re.Match[str]) -> str:
    # Secret keys and session tokens have all three kinds; hexadecimal digests and words do not.
    text = found[0]
    random = any(map(str.isupper, text)) and any(map(str.islower, text)) and any(map(str.isdigit, text))
    return REDACTED if random else text


def _outside_arns(text: str, redact: Callable[[str], str]) -> str:
    # Without the principal and the resource, an AccessDenied message is useless. A path of a role
    # may look like a random string, and an external id may be an account id.
    parts, end = [], 0
    for arn in _ARN.finditer(text):
        parts += [redact(text[end : arn.start()]), arn[0]]
        end = arn.end()
    return "".join([*parts, redact(text[end:])])


class Secrets:
    """Secrets of the latest requests, which no message may contain. Safe to use from many threads."""

    def __init__(self) -> None:
        """Know no secret yet."""
        self._known: deque[str] = deque(maxlen=_REMEMBERED_SECRETS)

    def add_from(self, request: AWSPreparedRequest) -> None:
        """Remember the session token of a request, and what a role is assumed with."""
        self._add(_text(request.headers.get("X-Amz-Security-Token")))
        if "form-urlencoded" in _text(request.headers.get("Content-Type")):
            form = parse_qs(_text(request.body))
            for name in _FORM_SECRETS:
                for secret in form.get(name, ()):
                    self._add(secret)
                    self._add(quote_plus(secret))

    def redact(self, text: str) -> str:
        """Return text as `sentence` does, without the remembered secrets."""
        return sentence(_outside_arns(text, self._redact_known))

    def _redact_known(self, text: str) -> str:
        for secret in sorted(self._known, key=len, reverse=True):
            text = text.replace(secret, REDACTED)
        return text

    def _add(self, secret: str) -> None:
        if len(secret) >= _SHORTEST_SECRET and secret not in self._known:
            self._known.append(secret)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
