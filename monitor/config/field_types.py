"""The types of the values in the configuration files, each with the message for a value that is not of its type.

The message of a validator continues a sentence that starts with the value: `"5 m"` `is not a duration: ...`.
"""

import re
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from monitor.config import duration, region

# IAM allows almost any character in a path. `*`, `?` and `$` would be a pattern or a variable in a policy.
_ROLE_ARN = "^arn:aws(-[a-z]+)*:iam::[0-9]{12}:role/([!-#%-)+->@-~]{1,510}/)?[A-Za-z0-9_+=,.@-]{1,64}$"
_EXTERNAL_ID = "[A-Za-z0-9_+=,.@:/-]"
_ADDRESS = r"^(\[[0-9A-Fa-f:.]+\]|([A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*)?):[0-9]{1,5}$"
_PORT_MAX = 65535
_ACCOUNT_ID = "^[0-9]{12}$"
_DAY = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_TABLE = "^[A-Za-z0-9_.-]{3,255}$"
_ENDPOINT = r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/?$"
_PRODUCT_ID = "^[A-Za-z0-9_-]{1,100}$"


def checked_address(text: str) -> str:
    """Return the text if it is `HOST:PORT`, `[IPv6]:PORT`, or `:PORT` for all addresses.

    Raises `ValueError` if it is none of these.
    """
    if not re.fullmatch(_ADDRESS.removesuffix("$"), text):
        message = "is not an address to listen on: write HOST:PORT, [IPv6]:PORT or :PORT, for example :9935"
        raise ValueError(message)
    if int(text.rpartition(":")[2]) > _PORT_MAX:
        message = f"has a port above {_PORT_MAX}"
        raise ValueError(message)
    return text


def _duration(value: object) -> float:
    # Of another type, it is no duration either: the message then shows the value as it is written.
    return duration.parse_duration(value if isinstance(value, str) else "")


def _day(value: object) -> date:
    # YAML reads a date without quotes as a date, JSON has only text.
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        message = "is not a date like 2027-01-31"
        raise ValueError(message) from None


def _matching(pattern: str, expected: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern.removesuffix("$"), value):
            message = f"is not {expected}"
            raise ValueError(message)
        return value

    return AfterValidator(check)


def _endpoint(value: str) -> str:
    # The value is not shown, since it may have a password in it.
    if not re.fullmatch(_ENDPOINT.removesuffix("$"), value):
        sentence = "is not the URL of an endpoint like http://localhost:8000, without user information"
        raise PydanticCustomError("sentence", "{sentence}", {"sentence": sentence})
    return value


def _path(value: object) -> object:
    # Text of several lines is the content of a file, perhaps a private key: no later message may show it.
    if isinstance(value, str) and not (value and value.isprintable()):
        message = "is not a file path"
        raise ValueError(message)
    return value


def _given(value: object) -> object:
    if value is None:
        message = "is empty"
        raise ValueError(message)
    return value


# For a key that may be absent but not empty: `basic_auth_users:` without users would allow everyone.
Given = BeforeValidator(_given)
Duration = Annotated[
    float,
    BeforeValidator(_duration),
    WithJsonSchema(
        {"type": "string", "pattern": duration.PATTERN, "minLength": 2, "examples": ["90s", "5m", "1h30m", "7d"]}
    ),
]
Name = Annotated[str, Field(min_length=1, max_length=128)]
Region = Annotated[
    str,
    AfterValidator(region.checked_region),
    WithJsonSchema({"type": "string", "pattern": region.PATTERN, "examples": ["eu-west-1"]}),
]
RoleArn = Annotated[
    str,
    _matching(_ROLE_ARN, "the ARN of an IAM role like arn:aws:iam::111122223333:role/stackset-monitor"),
    WithJsonSchema(
        {"type": "string", "pattern": _ROLE_ARN, "examples": ["arn:aws:iam::111122223333:role/stackset-monitor"]}
    ),
]
ExternalId = Annotated[
    str,
    _matching(f"{_EXTERNAL_ID}{{2,1224}}", "an external ID: 2 to 1224 letters, digits and characters of _+=,.@:/-"),
    # Helm validates with Go's regular expressions, which repeat at most 1,000 times.
    WithJsonSchema({"type": "string", "pattern": f"^{_EXTERNAL_ID}+$", "minLength": 2, "maxLength": 1224}),
]
Tag = Annotated[str, Field(min_length=1, max_length=128)]
TagValue = Annotated[str, Field(max_length=256)]
ProductId = Annotated[
    str,
    _matching(
        _PRODUCT_ID,
        "the ID of a provisioned product like pp-aaaaaaaaaaaaa (up to 100 letters, digits, hyphens and underscores)",
    ),
    WithJsonSchema({"type": "string", "pattern": _PRODUCT_ID, "examples": ["pp-aaaaaaaaaaaaa"]}),
]
AccountId = Annotated[
    str,
    _matching(_ACCOUNT_ID, 'the ID of an AWS account: 12 digits in quotes, like "444455556666"'),
    WithJsonSchema({"type": "string", "pattern": _ACCOUNT_ID, "examples": ["444455556666"]}),
]
Day = Annotated[
    date,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "pattern": _DAY, "examples": ["2027-01-31"]}),
]
Reason = Annotated[str, Field(min_length=1, max_length=500)]
Listen = Annotated[
    str,
    AfterValidator(checked_address),
    WithJsonSchema({"type": "string", "pattern": _ADDRESS, "examples": [":9935", "0.0.0.0:9935", "[::1]:9935"]}),
]
TableName = Annotated[
    str,
    _matching(_TABLE, "the name of a DynamoDB table: 3 to 255 letters, digits, hyphens, underscores and dots"),
    WithJsonSchema({"type": "string", "pattern": _TABLE, "examples": ["stackset-monitor"]}),
]
Endpoint = Annotated[
    str,
    AfterValidator(_endpoint),
    WithJsonSchema({"type": "string", "pattern": _ENDPOINT, "examples": ["http://localhost:8000"]}),
]
FilePath = Annotated[
    Path, Field(strict=False), BeforeValidator(_path), WithJsonSchema({"type": "string", "minLength": 1})
]
