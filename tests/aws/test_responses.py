"""Responses as JSON and as CBOR, and the codes of error responses."""

import io
import json
from typing import Any

import botocore.model
import pytest
from botocore.serialize import RpcV2CBORSerializer

from monitor.aws.responses import read_body, read_error
from monitor.aws.source import Source
from monitor.model.deadline import Deadline
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Listing, Status
from tests.faulty_aws.exchange import Response
from tests.faulty_aws.server import FaultyAws
from tests.support import Observer, source_settings

PRODUCT = "pp-aaaaaaaaaaaaa"
JSON = "application/x-amz-json-1.1"
CBOR = "application/cbor"
PAGE = {"StackInstances": [{"Account": "1", "Region": "r", "StackInstanceStatus": "CURRENT"}]}


def cbor(value: Any) -> bytes:
    """Encode a value of strings, integers, lists and objects (RFC 8949)."""
    match value:
        case str():
            return _head(3, len(value.encode())) + value.encode()
        case int():
            return _head(0, value)
        case list():
            return _head(4, len(value)) + b"".join(map(cbor, value))
        case dict():
            return _head(5, len(value)) + b"".join(cbor(key) + cbor(member) for key, member in value.items())
    return b"\xf6"  # null


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    return bytes([major << 5 | 25]) + number.to_bytes(2, "big")


def serve(response: Response, monkeypatch: pytest.MonkeyPatch) -> FaultyAws:
    """Serve one response forever."""
    server = FaultyAws(lambda _: response)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.start())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "simulated")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "simulated")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return server


def listed(monkeypatch: pytest.MonkeyPatch, response: Response) -> Listing | PollFailedError:
    """List a product once."""
    server = serve(response, monkeypatch)
    try:
        return Source(source_settings(), Observer(), 1).list_stack_instances(PRODUCT, Deadline(10.0))
    except PollFailedError as error:
        return error
    finally:
        server.stop()


@pytest.fixture(params=["json", "smithy-rpc-v2-cbor"])
def protocol(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let botocore prefer one of the two protocols that it declares for Service Catalog."""
    monkeypatch.setattr(botocore.model, "PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", (request.param,))
    return str(request.param)


@pytest.mark.parametrize(("content_type", "encode"), [(JSON, lambda value: json.dumps(value).encode()), (CBOR, cbor)])
def test_a_listing_is_read_by_its_content_type(
    content_type: str, encode: Any, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This holds whichever protocol the client sends."""
    assert listed(monkeypatch, Response(200, encode(PAGE), content_type)) == Listing(
        {("1", "r"): Status.CURRENT}, 1, {}
    )
    error = listed(monkeypatch, Response(200, encode({"StackInstances": {}}), content_type))
    assert isinstance(error, PollFailedError)
    assert (error.reason, error.error_code) == (Reason.INCOMPLETE, "NotAListing")
    denied = {"__type": "com.amazonaws.servicecatalog#AccessDeniedException", "Message": "No."}
    error = listed(monkeypatch, Response(400, encode(denied), content_type))
    assert isinstance(error, PollFailedError)
    assert (error.reason, error.error_code, error.message) == (Reason.ACCESS_DENIED, "AccessDeniedException", "No.")


def test_without_a_content_type_the_protocol_of_the_client_decides(
    protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body in the other encoding is refused."""
    for name, body in (("json", json.dumps(PAGE).encode()), ("smithy-rpc-v2-cbor", cbor(PAGE))):
        assert isinstance(listed(monkeypatch, Response(200, body, "")), Listing) is (name == protocol)


def test_the_cbor_of_these_tests_is_that_of_botocore() -> None:
    """Otherwise they would show nothing."""
    serializer: Any = RpcV2CBORSerializer()
    shape = botocore.model.StringShape("Name", {"type": "string"})
    serialized = bytearray()
    serializer._serialize_data_item(serialized, "x" * 300, shape)
    assert cbor("x" * 300) == bytes(serialized)
    assert read_body(io.BytesIO(cbor(PAGE)).read(), CBOR) == PAGE


@pytest.mark.parametrize("body", [b"", cbor(PAGE)[:-1], cbor(PAGE) + b"\x00", b"\xff", b"<html>", b"\x1f"])
def test_broken_cbor_is_refused(body: bytes) -> None:
    """Truncated bodies and bytes after the end are broken, too."""
    with pytest.raises(PollFailedError) as caught:
        read_body(body, CBOR)
    assert (caught.value.reason, caught.value.error_code) == (Reason.INCOMPLETE, "NotCBOR")


@pytest.mark.parametrize(
    ("body", "header", "code", "message"),
    [
        ({"__type": "ThrottlingException", "Message": "Rate"}, None, "ThrottlingException", "Rate"),
        ({"__type": "com.aws#ThrottlingException", "message": "Rate"}, None, "ThrottlingException", "Rate"),
        ({"code": "ThrottlingException"}, None, "ThrottlingException", ""),
        ({"Code": "ThrottlingException:http://internal/"}, None, "ThrottlingException", ""),
        ({}, "ThrottlingException:http://internal.amazon.com/", "ThrottlingException", ""),
        ({"__type": "Other"}, "com.amazonaws#ThrottlingException", "ThrottlingException", ""),
        ({"code": "ThrottlingException"}, "no code", "ThrottlingException", ""),
        ({"code": 400, "message": ["a"]}, None, "", ""),
        ([], None, "", ""),
        (None, "ThrottlingException", "ThrottlingException", ""),
    ],
    ids=repr,
)
def test_the_code_of_an_error_is_found_wherever_aws_writes_it(
    body: object, header: str | None, code: str, message: str
) -> None:
    """The header `x-amzn-ErrorType` comes first."""
    assert read_error(json.dumps(body).encode(), JSON, header) == {"Code": code, "Message": message}


def test_an_error_that_is_not_json_has_the_code_of_its_header() -> None:
    """An HTML page of a proxy has none."""
    assert read_error(b"<html>", "text/html", "ThrottlingException") == {"Code": "ThrottlingException", "Message": ""}
    assert read_error(b"<html>", "text/html", None) == {"Code": "", "Message": ""}


def test_throttling_that_only_the_body_code_shows_is_throttling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Botocore alone would return the status as the code."""
    error = listed(monkeypatch, Response(400, b'{"code": "ThrottlingException", "message": "Rate exceeded"}', JSON))
    assert isinstance(error, PollFailedError)
    assert (error.reason, error.error_code, error.message) == (
        Reason.THROTTLED, "ThrottlingException", "Rate exceeded",
    )  # fmt: skip
