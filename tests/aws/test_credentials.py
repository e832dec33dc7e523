"""Credentials of the real client: expired, rotated, refused, and an STS that is down."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.aws import credentials
from monitor.aws.credentials import GET_CREDENTIALS
from monitor.aws.source import LIST_STACK_INSTANCES, Source
from monitor.model.errors import PollFailedError, Reason
from tests.aws.polls import PRODUCT, counted, failure
from tests.conftest import Aws
from tests.faulty_aws import faults
from tests.faulty_aws.exchange import Fault, Plan, Request, Response
from tests.faulty_aws.script import Upstream
from tests.faulty_aws.server import FaultyAws
from tests.faulty_aws.upstream import respond
from tests.making import EU, ONE
from tests.support import Observer, source_settings, until

ROLE = "arn:aws:iam::123456789012:role/stackset-monitor"
EXPIRED = (Reason.CREDENTIALS, "ExpiredTokenException", "The security token included in the request is expired")


@dataclass
class TokenService:
    """STS and an EKS agent that return `ASIA1`, `ASIA2` and so on, valid for `lifetime` seconds."""

    lifetime: float = 3600.0
    issued: int = 0
    asked: list[Request] = field(default_factory=list)

    def before(self, upstream: Upstream) -> Upstream:
        """Answer requests for credentials; leave the rest to the simulated AWS."""

        def ask(request: Request) -> Response:
            if request.operation not in {"AssumeRole", "AssumeRoleWithWebIdentity", "GET /agent"}:
                return upstream(request)
            self.asked.append(request)
            self.issued += 1
            end = (datetime.now(UTC) + timedelta(seconds=self.lifetime)).strftime("%Y-%m-%dT%H:%M:%SZ")
            members = {"AccessKeyId": f"ASIA{self.issued}", "SecretAccessKey": "secret", "Expiration": end}
            if request.operation == "GET /agent":
                return Response(
                    body=json.dumps({**members, "Token": "token"}).encode(), content_type="application/json"
                )
            inner = "".join(f"<{name}>{value}</{name}>" for name, value in {**members, "SessionToken": "token"}.items())
            name = request.operation
            body = f"<{name}Response><{name}Result><Credentials>{inner}</Credentials></{name}Result></{name}Response>"
            return Response(body=body.encode(), content_type="text/xml")

        return ask


@pytest.fixture
def tokens() -> TokenService:
    """Return a service without failures."""
    return TokenService()


@pytest.fixture
def faulty(aws: Aws, tokens: TokenService, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyAws]:
    """Put a faulty server before the simulated AWS and the token service."""
    aws.stack_sets.add_product(PRODUCT, "baseline")
    aws.stack_sets.set(PRODUCT, ONE, EU, "CURRENT")
    server = FaultyAws(tokens.before(respond))
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.start())
    yield server
    server.stop()


@pytest.fixture(params=["AssumeRoleWithWebIdentity", "AssumeRole", "GET /agent"])
def way(request: pytest.FixtureRequest, faulty: FaultyAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Set up one kind of temporary credentials: IRSA, the role of a profile, Pod Identity."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    if request.param == "AssumeRoleWithWebIdentity":
        (tmp_path / "token").write_text("eyJhbGciOiJSUzI1NiJ9.web.identity")
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", os.fspath(tmp_path / "token"))
        monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    elif request.param == "AssumeRole":
        (tmp_path / "config").write_text(
            f"[profile hub]\nrole_arn = {ROLE}\nexternal_id = a secret between us\nsource_profile = keys\n"
            "[profile keys]\naws_access_key_id = AKIASOURCE\naws_secret_access_key = secret\n"
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", os.fspath(tmp_path / "config"))
        monkeypatch.setenv("AWS_PROFILE", "hub")
    else:
        (tmp_path / "token").write_text("the agent's own token")
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{os.environ['AWS_ENDPOINT_URL']}/agent")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", os.fspath(tmp_path / "token"))
    return str(request.param)


def keys(faulty: FaultyAws) -> list[str | None]:
    """Return the access key of each call."""
    return [seen.key_id for seen in faulty.requests if seen.operation == LIST_STACK_INSTANCES]


def use_keys(where: str, name: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Put static keys where botocore finds them."""
    if where == "environment":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", name)
        return
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    (folder / "credentials").write_text(f"[default]\naws_access_key_id = {name}\naws_secret_access_key = secret\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.fspath(folder / "credentials"))


@pytest.mark.parametrize("where", ["environment", "shared file"])
def test_rotated_keys_are_read_again_within_the_poll(
    where: str, source: Source, faulty: FaultyAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The refused call is made again, signed with the new key."""
    use_keys(where, "AKIAOLD", monkeypatch, tmp_path)
    assert counted(source) == 1
    faulty.plan(Plan(faults.EXPIRED_TOKEN, key_id="AKIAOLD", times=None))
    use_keys(where, "AKIANEW", monkeypatch, tmp_path)
    assert counted(source) == 1
    assert keys(faulty) == ["AKIAOLD", "AKIAOLD", "AKIANEW"]


@pytest.mark.parametrize("fault", [faults.EXPIRED_TOKEN, faults.UNRECOGNIZED_CLIENT], ids=str)
def test_refused_keys_are_tried_twice_then_once_a_poll(
    fault: Fault, source: Source, faulty: FaultyAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Only keys that were accepted before are read again within the poll. Recovery needs no restart."""
    use_keys("shared file", "AKIAOLD", monkeypatch, tmp_path)
    assert counted(source) == 1
    faulty.plan(Plan(fault, key_id="AKIAOLD", times=None))
    assert failure(source)[:2] == (Reason.CREDENTIALS, fault.name)
    assert len(keys(faulty)) == 1 + 2
    assert failure(source)[:2] == (Reason.CREDENTIALS, fault.name)
    assert failure(source)[:2] == (Reason.CREDENTIALS, fault.name)
    assert len(keys(faulty)) == 1 + 2 + 1 + 1
    use_keys("shared file", "AKIANEW", monkeypatch, tmp_path)
    assert counted(source) == 1
    assert keys(faulty)[-1] == "AKIANEW"


def test_keys_that_appear_after_the_start_are_found(
    source: Source, faulty: FaultyAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, observer: Observer
) -> None:
    """Without credentials nothing is sent; with them the next poll is complete."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    expected = (Reason.CREDENTIALS, "NoCredentialsError", "no credentials: Unable to locate credentials")
    assert [failure(source) for _ in range(2)] == [expected] * 2
    assert faulty.requests == ()
    assert observer.errors == {(GET_CREDENTIALS, "NoCredentialsError"): 2}
    use_keys("shared file", "AKIANEW", monkeypatch, tmp_path)
    assert counted(source) == 1


def test_a_profile_that_is_not_there_fails_a_poll_and_not_the_daemon(
    source: Source, faulty: FaultyAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The next poll finds it."""
    monkeypatch.setenv("AWS_PROFILE", "hub")
    assert failure(source) == (Reason.CREDENTIALS, "ProfileNotFound", "The config profile (hub) could not be found")
    (tmp_path / "config").write_text("[profile hub]\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.fspath(tmp_path / "config"))
    assert counted(source) == 1


def test_credentials_are_requested_through_the_transport(
    way: str, source: Source, faulty: FaultyAws, observer: Observer
) -> None:
    """There is one request for credentials, and the calls are signed with them."""
    assert [counted(source) for _ in range(3)] == [1] * 3
    assert [seen.operation for seen in faulty.requests] == [way, *[LIST_STACK_INSTANCES] * 3]
    assert keys(faulty) == ["ASIA1"] * 3
    assert observer.errors == {}


def test_refused_credentials_are_requested_again_within_the_poll(way: str, source: Source, faulty: FaultyAws) -> None:
    """The sessions of a role may have been revoked."""
    assert counted(source) == 1
    faulty.plan(Plan(faults.EXPIRED_TOKEN, key_id="ASIA1", times=None))
    assert counted(source) == 1
    assert keys(faulty) == ["ASIA1", "ASIA1", "ASIA2"]


def test_polling_continues_while_the_token_service_is_down(
    way: str, source: Source, faulty: FaultyAws, tokens: TokenService
) -> None:
    """The credentials are valid for five minutes. botocore alone fails in the last ten."""
    tokens.lifetime = 300.0
    assert counted(source) == 1
    faulty.plan(Plan(faults.INTERNAL_ERROR, operation=way, times=None))
    assert [counted(source) for _ in range(3)] == [1] * 3
    assert len(set(keys(faulty))) == 1


def test_without_credentials_polls_fail_until_they_are_granted(
    way: str, source: Source, faulty: FaultyAws, observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No call is sent, and each poll makes a bounded number of requests."""
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    faulty.plan(Plan(faults.sts_error("AccessDenied", "Not authorized."), operation=way, times=None))
    reason, code, message = failure(source)
    assert reason is Reason.CREDENTIALS
    assert (code, message) == (
        ("AccessDenied", "no credentials: Not authorized.")
        if way != "GET /agent"
        else (
            "CredentialRetrievalError",
            (
                "no credentials: Error when retrieving credentials from container-role: Error retrieving metadata:"
                " Received non 200 response 403 from container metadata: <ErrorResponse><Error>"
                "<Code>AccessDenied</Code><Message>Not authorized.</Message></Error></ErrorResponse>"
            ),
        )
    )
    asked = [seen.operation for seen in faulty.requests]
    assert asked == [way] * (3 if way == "GET /agent" else 1)
    assert observer.errors == {(GET_CREDENTIALS, code): 1}
    faulty.clear()
    assert counted(source) == 1


@pytest.mark.parametrize("fault", [faults.FAULTS["HTML"], faults.FAULTS["cut body"], faults.INTERNAL_ERROR], ids=str)
def test_a_broken_response_with_credentials_is_retried(
    fault: Fault, way: str, source: Source, faulty: FaultyAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same poll succeeds."""
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    faulty.plan(Plan(fault, operation=way))
    assert counted(source) == 1
    assert [seen.operation for seen in faulty.requests] == [way, way, LIST_STACK_INSTANCES]


@pytest.mark.parametrize("fault", [faults.SILENCE, faults.dripping(0.05)], ids=str)
def test_the_deadline_ends_a_poll_that_waits_for_credentials(
    fault: Fault, way: str, source: Source, faulty: FaultyAws
) -> None:
    """The token service hangs, not Service Catalog."""
    faulty.plan(Plan(fault, operation=way, times=None))
    begun = time.monotonic()
    assert failure(source, seconds=0.3) == (Reason.TIMEOUT, "DeadlineExceeded", "the poll was not complete after 0.3 s")
    assert 0.3 <= time.monotonic() - begun < 3.3
    assert keys(faulty) == []


def test_the_web_identity_token_is_read_again(
    source: Source,
    faulty: FaultyAws,
    tokens: TokenService,
    tmp_path: Path,
    observer: Observer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kubernetes replaces it about once an hour."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    file = tmp_path / "token"
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", os.fspath(file))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    file.write_text("first")
    assert counted(source) == 1
    file.write_text("second")
    faulty.plan(Plan(faults.EXPIRED_TOKEN, key_id="ASIA1", times=None))
    assert counted(source) == 1
    assert observer.errors == {(LIST_STACK_INSTANCES, "ExpiredTokenException"): 1}
    assert [b"WebIdentityToken=first" in request.body for request in tokens.asked] == [True, False]
    assert [b"WebIdentityToken=second" in request.body for request in tokens.asked] == [False, True]


def test_a_source_may_have_a_profile_of_its_own(
    faulty: FaultyAws, observer: Observer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes precedence over AWS_PROFILE and over keys in the environment, and also signs AssumeRole."""
    (tmp_path / "config").write_text(
        "[profile hub]\naws_access_key_id = AKIAHUB\naws_secret_access_key = secret\nregion = eu-west-3\n"
        "[profile spoke]\naws_access_key_id = AKIASPOKE\naws_secret_access_key = secret\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", os.fspath(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "spoke")
    settings = replace(source_settings(region=None), profile="hub")
    assert counted(Source(settings, observer, 4)) == 1
    assert keys(faulty) == ["AKIAHUB"]
    assert counted(Source(replace(settings, role_arn=ROLE), observer, 4)) == 1
    assert [seen.key_id for seen in faulty.requests if seen.operation == "AssumeRole"] == ["AKIAHUB"]
    assert failure(Source(replace(settings, profile="none"), observer, 4)) == (
        Reason.CREDENTIALS,
        "ProfileNotFound",
        "The config profile (none) could not be found",
    )


def test_a_credential_process_that_hangs_is_started_again(
    source: Source, faulty: FaultyAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A poll during the outage fails with a clear message, and recovery needs no restart."""
    monkeypatch.setattr(credentials, "FETCH_SECONDS", 0.1)
    answer = json.dumps({"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "secret"})
    script, pipe = tmp_path / "process", tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "answer").write_text(answer)
    script.write_text(f"#!/bin/sh\nif [ -e {tmp_path}/hung ]; then cat {tmp_path}/answer; exit; fi\n")
    with script.open("a") as file:
        file.write(f"touch {tmp_path}/hung; cat {pipe}\n")
    script.chmod(0o755)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {script}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.fspath(tmp_path / "config"))
    assert failure(source) == (
        Reason.CREDENTIALS,
        "DeadlineExceeded",
        "no credentials: there was no answer within 60 s",
    )
    until(lambda: poll_or_none(source))
    assert set(keys(faulty)) == {"AKIAPROCESS"}
    pipe.write_text(answer)


def poll_or_none(source: Source) -> int | None:
    """Poll once; return None if that failed."""
    try:
        return counted(source)
    except PollFailedError:
        return None


def test_a_role_is_assumed_with_any_kind_of_credentials(
    way: str, faulty: FaultyAws, tokens: TokenService, observer: Observer, impatient: None
) -> None:
    """IRSA, a profile or Pod Identity sign AssumeRole, and its credentials sign the calls."""
    settings = replace(source_settings(), role_arn="arn:aws:iam::111122223333:role/stackset-monitor")
    assert counted(Source(settings, observer, 4)) == 1
    assert [seen.operation for seen in faulty.requests][:2] == [way, "AssumeRole"]
    assert keys(faulty) == ["ASIA2"]
    (signed,) = [seen.key_id for seen in faulty.requests if seen.operation == "AssumeRole"][-1:]
    assert signed == "ASIA1"


def test_expired_base_credentials_are_found_again_for_the_role(
    faulty: FaultyAws, observer: Observer, impatient: None
) -> None:
    """The same poll succeeds."""
    settings = replace(source_settings(), role_arn="arn:aws:iam::111122223333:role/stackset-monitor")
    source = Source(settings, observer, 4)
    assert counted(source) == 1
    faulty.plan(
        Plan(faults.EXPIRED_TOKEN, operation=LIST_STACK_INSTANCES, times=1),
        Plan(faults.EXPIRED_TOKEN, operation="AssumeRole", times=1),
    )
    assert counted(source) == 1
    assert [seen.fault for seen in faulty.requests if seen.operation == "AssumeRole"] == [
        None, "ExpiredTokenException", None,
    ]  # fmt: skip
