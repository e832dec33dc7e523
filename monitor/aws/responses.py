"""Reads the responses of Service Catalog before botocore does.

botocore returns a body that it cannot read (HTML, truncated, empty) as a success without `StackInstances` and
without a next token, and an object or a string in their place as an empty list. Either would be an empty product.
It also finds an error code only in the `__type` of a JSON body.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from botocore.hooks import BaseEventHooks
from botocore.parsers import create_parser

from monitor.model.errors import PollFailedError, Reason

# The member of a response that holds what the check of its operation returned.
ANSWER = "Answer"
ERROR_CODE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
# Characters (API: `PageToken`).
MAXIMUM_TOKEN_LENGTH = 2024
# Below it, botocore reads a response as a success.
_FIRST_ERROR_STATUS = 301
_CBOR = "smithy-rpc-v2-cbor"
# An object without members. Any other protocol that botocore has for Service Catalog is JSON.
_EMPTY_BODIES = {_CBOR: b"\xa0"}


def incomplete(code: str, message: str) -> PollFailedError:
    """Return the error for a response that is not accepted."""
    return PollFailedError(Reason.INCOMPLETE, code, message)


def check_responses(events: BaseEventHooks, checks: Mapping[str, Callable[[Any], object]]) -> None:
    """Apply a check to the decoded body of each successful response of a client, by operation.

    `events` are those of the client (`client.meta.events`). The result of the check is the member `ANSWER` of the
    response. Errors get their code and message from `read_error`.
    """
    for operation, check in checks.items():
        events.register(f"before-parse.service-catalog.{operation}", _before_parse(check))


def _before_parse(check: Callable[[Any], object]) -> Callable[..., None]:
    def read(
        operation_model: Any, response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
    ) -> None:
        protocol = operation_model.service_model.resolved_protocol
        body, headers = response_dict["body"], response_dict["headers"]
        content_type = headers.get("Content-Type") or protocol
        if response_dict["status_code"] < _FIRST_ERROR_STATUS:
            customized_response_dict[ANSWER] = check(read_body(body, content_type))
        else:
            customized_response_dict["Error"] = read_error(body, content_type, headers.get("x-amzn-ErrorType"))
        response_dict["body"] = _EMPTY_BODIES.get(protocol, b"{}")  # nothing is left for botocore to misread

    return read


def read_body(body: bytes, content_type: str) -> Any:
    """Decode a JSON or CBOR body.

    botocore declares both protocols for Service Catalog and today prefers JSON.

    Raises:
        PollFailedError: the body is neither (incomplete).
    """
    if "cbor" in content_type:
        return _read_cbor(body)
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise incomplete("NotJSON", "the response is not JSON") from error


def _read_cbor(body: bytes) -> Any:
    parser: Any = create_parser(_CBOR)  # RpcV2CBORParser
    stream = parser.get_peekable_stream_from_bytes(body)
    try:
        answer = parser.parse_data_item(stream)
    except Exception as error:
        raise incomplete("NotCBOR", "the response is not CBOR") from error
    if stream.read(1):
        raise incomplete("NotCBOR", "the response is not CBOR")
    return answer


def read_error(body: bytes, content_type: str, error_type: str | None) -> dict[str, str]:
    """Return `Code` and `Message` of an error response; a code that is nowhere is empty.

    AWS services write the code into the header `x-amzn-ErrorType`, or into `__type`, `code` or `Code` of the body,
    with a namespace before it (`com.amazonaws#Code`) or a URL after it (`Code:http://...`).
    """
    try:
        answer = read_body(body, content_type)
    except PollFailedError:
        answer = None
    members = answer if isinstance(answer, dict) else {}
    candidates = (error_type, *(members.get(name) for name in ("__type", "code", "Code")))
    codes = [text.partition(":")[0].rpartition("#")[2].strip() for text in candidates if isinstance(text, str)]
    messages = [members.get(name) for name in ("message", "Message")]
    return {
        "Code": next((code for code in codes if ERROR_CODE.fullmatch(code)), ""),
        "Message": next((text for text in messages if isinstance(text, str)), ""),
    }


def next_token(answer: Mapping[str, Any]) -> str | None:
    """Return the token of the next page, or None after the last page.

    Raises:
        PollFailedError: the token is neither a string nor null, or too long (incomplete).
    """
    token = answer.get("NextPageToken")
    if token is not None and not isinstance(token, str):
        raise incomplete("BadPageToken", "the page token is not a string")
    if token and len(token) > MAXIMUM_TOKEN_LENGTH:
        raise incomplete("BadPageToken", f"the page token has more than {MAXIMUM_TOKEN_LENGTH} characters")
    return token or None
