"""A source: its requests, and the settings of botocore that it uses."""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import botocore
import pytest

from monitor import __version__
from monitor.aws.http_session import INVALID_PROXY
from monitor.aws.source import LIST_STACK_INSTANCES, Source
from monitor.config.settings import SourceSettings
from monitor.model.deadline import Deadline
from monitor.model.errors import Reason
from monitor.model.instances import Listing, Status
from tests.aws.polls import PRODUCT, counted, failure
from tests.conftest import Aws
from tests.faulty_aws import faults
from tests.faulty_aws.exchange import Plan, Request, Response
from tests.faulty_aws.server import FaultyAws, forward_to
from tests.making import EU, ONE, THREE, TWO
from tests.support import Observer, source_settings


@pytest.fixture(autouse=True)
def fleet(aws: Aws) -> None:
    """Add one product of three instances."""
    aws.stack_sets.add_product(PRODUCT, "baseline")
    for account in (ONE, TWO, THREE):
        aws.stack_sets.set(PRODUCT, account, EU, "CURRENT")


def test_a_listing_is_requested_page_by_page(aws: Aws, observer: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests carry the page size, language and Region of the source and the User-Agent of the monitor."""
    asked: list[Request] = []
    forward = forward_to(aws.url)

    def watch(request: Request) -> Response:
        asked.append(request)
        return forward(request)

    server = FaultyAws(watch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.start())
    reported: list[tuple[int, int]] = []
    source = Source(SourceSettings("hub", "eu-west-1", 1e6, 2, "jp"), observer, 1)
    deadline = Deadline(30.0)
    listing = source.list_stack_instances(
        PRODUCT, deadline, lambda pages, instances: reported.append((pages, instances))
    )
    server.stop()
    assert listing == Listing({(account, EU): Status.CURRENT for account in (ONE, TWO, THREE)}, 2, {})
    assert reported == [(1, 2), (2, 3)]
    assert observer.attempts == {LIST_STACK_INSTANCES: 2}
    first, second = (json.loads(request.body) for request in asked)
    assert first == {"ProvisionedProductId": PRODUCT, "PageSize": 2, "AcceptLanguage": "jp"}
    assert second == {**first, "PageToken": second["PageToken"]}
    headers = dict(asked[0].headers)
    agent = f"stackset-monitor/{__version__} Boto3/{boto3.__version__} Botocore/{botocore.__version__}"
    assert headers["User-Agent"] == agent
    assert "/eu-west-1/servicecatalog/aws4_request" in headers["Authorization"]


def test_a_source_without_a_region_uses_that_of_the_environment(
    faulty: FaultyAws, observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS_DEFAULT_REGION is set."""
    source = Source(source_settings(region=None), observer, 1)
    assert counted(source) == 3


def test_a_missing_region_fails_a_poll_and_not_the_daemon(
    faulty: FaultyAws, observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next poll finds it."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    source = Source(source_settings(region=None), observer, 1)
    assert failure(source) == (
        Reason.OTHER,
        "NoRegionError",
        "You must specify a region.",
    )
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert counted(source) == 3


@pytest.mark.parametrize(
    ("name", "value", "code", "message"),
    [
        ("AWS_ENDPOINT_URL", "not a URL", "ValueError", "Invalid endpoint: not a URL"),
        ("AWS_MAX_ATTEMPTS", "many", "ValueError", "invalid literal for int() with base 10: 'many'"),
        ("AWS_CONFIG_FILE", "BROKEN", "ConfigParseError", "Unable to parse config file: BROKEN"),
    ],
)
def test_a_wrong_setting_fails_a_poll_and_not_the_daemon(
    name: str,
    value: str,
    code: str,
    message: str,
    faulty: FaultyAws,
    source: Source,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The message names the problem, and the next poll uses the corrected setting."""
    before = os.environ.get(name)
    if value == "BROKEN":
        (tmp_path / "config").write_text("no section\n")
        value = os.fspath(tmp_path / "config")
        message = message.replace("BROKEN", value)
    monkeypatch.setenv(name, value)
    assert failure(source) == (Reason.OTHER, code, message)
    assert faulty.requests == ()
    if before is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, before)
    assert counted(source) == 3


@pytest.mark.parametrize(("where", "attempts"), [("environment", 5), ("file", 2)])
def test_the_attempts_are_those_of_botocores_own_settings(
    where: str,
    attempts: int,
    source: Source,
    faulty: FaultyAws,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """AWS_MAX_ATTEMPTS, or `max_attempts` of the AWS configuration file."""
    if where == "environment":
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "5")
    if where == "file":
        monkeypatch.delenv("AWS_MAX_ATTEMPTS")
        (tmp_path / "config").write_text("[default]\nmax_attempts = 2\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", os.fspath(tmp_path / "config"))
    faulty.plan(Plan(faults.THROTTLED, times=None))
    failure(source)
    assert len(faulty.requests) == attempts


def test_by_default_throttled_calls_are_retried_until_the_deadline(
    source: Source, faulty: FaultyAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing of many pages is not thrown away after three throttled responses."""
    monkeypatch.delenv("AWS_MAX_ATTEMPTS")
    faulty.plan(Plan(faults.THROTTLED, times=6))
    assert counted(source) == 3
    assert len(faulty.requests) == 7


def test_requests_use_the_proxy_of_the_environment(
    source: Source, faulty: FaultyAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`http_proxy` and `no_proxy` work as in botocore."""
    place = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    monkeypatch.setenv("http_proxy", f"http://{place.netloc}")
    monkeypatch.setenv("no_proxy", "other.example")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://aws.example:8080")
    assert counted(source) == 3
    assert len(faulty.requests) == 1


def test_a_proxy_that_is_no_url_is_not_shown(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unescaped slash in a password makes urllib3 show a part of it."""
    monkeypatch.setenv("http_proxy", "http://user:canary/secret@127.0.0.1:1")
    assert failure(source) == (Reason.OTHER, "InvalidProxyURL", INVALID_PROXY)


def test_no_proxy_excludes_a_host(source: Source, faulty: FaultyAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy of this test would refuse the connection."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert counted(source) == 3


def test_sources_share_the_api_descriptions(faulty: FaultyAws, observer: Observer) -> None:
    """Each source would take 9 MB for them."""
    descriptions = {
        id(Source(source_settings(name), observer, 1)._connect().service_catalog.meta.service_model.metadata)
        for name in "abc"
    }
    assert len(descriptions) == 1
