"""No message contains a credential."""

import json
import logging
import os
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from botocore.awsrequest import AWSPreparedRequest

from monitor.aws.redaction import MAXIMUM_LENGTH, Secrets, sentence
from monitor.aws.source import Source
from monitor.model.deadline import Deadline
from monitor.model.errors import PollFailedError
from tests.faulty_aws import faults
from tests.faulty_aws.exchange import Change, Fault, Plan, Request, Response
from tests.faulty_aws.server import FaultyAws
from tests.support import Observer

PRODUCT = "pp-aaaaaaaaaaaaa"
KEY_ID = "AKIACANARYCANARY0001"
SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLECANARY"
TOKEN = "IQoJb3JpZ2luX2VjEJb//////////wEaCWV1LXdlc3QtMSJHMEUCIQ+CANARY" * 4
EXTERNAL_ID = "canary/between us"
WEB_IDENTITY = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJDQU5BUlkifQ.c2lnbmF0dXJlLUNBTkFSWQ"
ROLE = "arn:aws:sts::123456789012:assumed-role/Team/Platform1/StacksetMonitorReadOnlyProductionRole/session"
CANARIES = (
    KEY_ID,
    SECRET,
    TOKEN,
    EXTERNAL_ID,
    quote_plus(EXTERNAL_ID),
    WEB_IDENTITY,
    *WEB_IDENTITY.split("."),
    TOKEN[:40],
)


def _everything(request: Request) -> str:
    """Return the request, the secrets first: the rest may be cut off."""
    headers = sorted(request.headers, key=lambda header: header[0] not in {"X-Amz-Security-Token", "Authorization"})
    return "\n".join([request.body.decode(), *(f"{name}: {value}" for name, value in headers)])


def _tells_back(name: str, change: Change) -> Fault:
    return Fault(name, change=change)


def _as_an_error(request: Request, _: Response) -> Response:
    message = f"The Canonical String for this request should have been\n{_everything(request)}"
    return Response(400, json.dumps({"__type": "InvalidSignatureException", "Message": message}).encode())


def _as_an_xml_error(request: Request, _: Response) -> Response:
    text = _everything(request).replace("&", "&amp;").replace("<", "&lt;")
    error = f"<Error><Code>IncompleteSignature</Code><Message>{text}</Message></Error>"
    return Response(400, f"<ErrorResponse>{error}</ErrorResponse>".encode(), "text/xml")


def _as_a_page_for_people(request: Request, _: Response) -> Response:
    return Response(502, f"<html><pre>{_everything(request)}</pre></html>".encode(), "text/html")


def _as_a_code(request: Request, _: Response) -> Response:
    token = dict(request.headers).get("X-Amz-Security-Token", KEY_ID)
    return Response(400, json.dumps({"__type": token, "Message": token}).encode())


TELLING_BACK = (
    _tells_back("JSON", _as_an_error),
    _tells_back("XML", _as_an_xml_error),
    _tells_back("HTML", _as_a_page_for_people),
    _tells_back("code", _as_a_code),
)


@pytest.fixture(autouse=True)
def keys(page_server: FaultyAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign with canaries."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)


HANGING = {fault.name for fault in (*faults.SILENT_WAITS, *faults.slow(), faults.FRESH_TOKENS)}


def tells_nothing(
    source: Source, observer: Observer, caplog: pytest.LogCaptureFixture, seconds: float = 30.0
) -> str | None:
    """List a product, assert that no canary is in any output, and return the message of the failure."""
    message = None
    source._connect()
    deadline = Deadline(seconds)
    with caplog.at_level(logging.WARNING):
        try:
            source.list_stack_instances(PRODUCT, deadline)
        except PollFailedError as error:
            message = str(error)
            printed = [message, error.error_code, caplog.text, *(code for _, code in observer.errors)]
            assert [canary for canary in CANARIES if any(canary in text for text in printed)] == []
            assert len(message) <= MAXIMUM_LENGTH + 64
            assert "\n" not in message
    return message


def test_no_fault_reveals_a_credential(
    page_source: Source, page_server: FaultyAws, observer: Observer, caplog: pytest.LogCaptureFixture
) -> None:
    """This holds for each fault."""
    for name, fault in faults.FAULTS.items():
        page_server.clear()
        page_server.plan(Plan(fault, times=None))
        tells_nothing(page_source, observer, caplog, 0.2 if name in HANGING else 30.0)
        assert {seen.key_id for seen in page_server.requests} == {KEY_ID}


@pytest.mark.parametrize("fault", TELLING_BACK, ids=str)
def test_secrets_that_aws_repeats_are_hidden(
    fault: Fault, page_source: Source, page_server: FaultyAws, observer: Observer, caplog: pytest.LogCaptureFixture
) -> None:
    """AWS repeats them when a signature does not match."""
    page_server.plan(Plan(fault, times=None))
    message = tells_nothing(page_source, observer, caplog)
    assert message is not None
    if fault.name == "JSON":
        assert message.startswith("The Canonical String for this request should have been ")
        assert "X-Amz-Security-Token: [hidden]" in message


@pytest.mark.parametrize("fault", TELLING_BACK, ids=str)
@pytest.mark.parametrize("operation", ["AssumeRole", "AssumeRoleWithWebIdentity"])
def test_the_secrets_of_assume_role_are_hidden(
    operation: str,
    fault: Fault,
    page_source: Source,
    page_server: FaultyAws,
    observer: Observer,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """These are the external id and the web identity token."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    role = "role_arn = arn:aws:iam::123456789012:role/stackset-monitor\n"
    if operation == "AssumeRole":
        keys = f"aws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\naws_session_token = {TOKEN}\n"
        text = f"[default]\n{role}external_id = {EXTERNAL_ID}\nsource_profile = keys\n[profile keys]\n{keys}"
    else:
        (tmp_path / "token").write_text(WEB_IDENTITY)
        text = f"[default]\n{role}web_identity_token_file = {tmp_path / 'token'}\n"
    (tmp_path / "config").write_text(text)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.fspath(tmp_path / "config"))
    page_server.plan(Plan(fault, operation=operation, times=None))
    message = tells_nothing(page_source, observer, caplog)
    assert message is not None
    assert message.startswith("no credentials: ")
    if fault.name == "XML":
        assert ("ExternalId=[hidden]" if operation == "AssumeRole" else "WebIdentityToken=[hidden]") in message
    assert {seen.operation for seen in page_server.requests} == {operation}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Rate exceeded", "Rate exceeded"),
        ("two\nlines \t and\r\nmore", "two lines and more"),
        (
            "User: arn:aws:sts::123456789012:assumed-role/stackset-monitor/botocore-session-1700000000 may not",
            "User: arn:aws:sts::123456789012:assumed-role/stackset-monitor/botocore-session-1700000000 may not",
        ),
        (f"User: {ROLE} is not authorized on resource: {ROLE}", f"User: {ROLE} is not authorized on resource: {ROLE}"),
        ("proxy socks5://me:pass@host:1080/ failed", "proxy socks5://[hidden]@host:1080/ failed"),
        ('endpoint URL: "http://me:p/a@ss@host/x"', 'endpoint URL: "http://[hidden]@host/x"'),
        ("Proxy-Authorization: Basic bWU6cGFzcw== refused", "Proxy-Authorization: Basic [hidden] refused"),
        ("see https://host/path for 1@2", "see https://host/path for 1@2"),
        (f"the key {KEY_ID} is not there", "the key [hidden] is not there"),
        (f"secret={SECRET}", "secret=[hidden]"),
        (f"token: {TOKEN}.", "token: [hidden]."),
        (f"token {WEB_IDENTITY} has expired", "token [hidden] has expired"),
        ("sha256 " + "0123456789abcdef" * 4, "sha256 " + "0123456789abcdef" * 4),
        ("x" * (MAXIMUM_LENGTH + 1), "x" * MAXIMUM_LENGTH + "..."),
        ("", ""),
    ],
)
def test_a_sentence_is_one_short_line_without_what_looks_like_a_credential(text: str, expected: str) -> None:
    """ARNs and digests are not changed."""
    assert sentence(text) == expected


def request(**headers: str) -> AWSPreparedRequest:
    """Return a request with headers."""
    return AWSPreparedRequest("POST", "http://127.0.0.1/", headers, b"", stream_output=False)


def test_a_session_token_of_any_form_is_hidden() -> None:
    """It is known from the request."""
    secrets = Secrets()
    assert secrets.redact("the token plain-words was refused") == "the token plain-words was refused"
    secrets.add_from(request(**{"X-Amz-Security-Token": "plain-words"}))
    secrets.add_from(request())
    assert secrets.redact("the token plain-words was refused") == "the token [hidden] was refused"


def test_an_external_id_does_not_hide_parts_of_an_arn() -> None:
    """Many external ids are account ids; alone they are hidden."""
    secrets = Secrets()
    body = "Action=AssumeRole&ExternalId=123456789012"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    secrets.add_from(AWSPreparedRequest("POST", "http://127.0.0.1/", headers, body, stream_output=False))
    assert secrets.redact(f"{ROLE} may not, with 123456789012") == f"{ROLE} may not, with [hidden]"


def test_only_the_latest_secrets_are_remembered_and_no_short_ones() -> None:
    """A value like `me` would hide parts of many words."""
    secrets = Secrets()
    for number in range(100):
        secrets.add_from(request(**{"X-Amz-Security-Token": f"token-number-{number:03}"}))
    secrets.add_from(request(**{"X-Amz-Security-Token": "me"}))
    assert len(secrets._known) == 32
    assert secrets.redact("token-number-067 token-number-099 me") == "token-number-067 [hidden] me"
