"""The JSON API, without a server: what each path returns, and what it says about a wrong request."""

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from monitor.model.accepted import Acceptance
from monitor.model.details import InstanceDetail, Operation, Progress, StackSetDetails
from monitor.model.diff import Transition
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Product, Status
from monitor.model.paging import Page, TransitionFilter
from monitor.model.products import ProductStatus
from monitor.model.views import DiscoveryView, PollFailure, ProductView, Severity
from monitor.web.api.models import Severity as ApiSeverity
from monitor.web.api.parameters import StatusAfter
from monitor.web.app import application
from monitor.web.web_config import WebConfigReloader
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, THREE, TWO, US, detail
from tests.web.asgi import request
from tests.web.fake_views import FakeViews, product_view, source_view
from tests.web.served import Answer, FakeHealth, FakeMetrics, served

GUARDRAILS = Product("pp-bbbbbbbbbbbbb", "guardrails")
TWIN = Product("pp-ccccccccccccc", "guardrails")
FAILURE = PollFailure(Reason.THROTTLED, "ThrottlingException", "Rate exceeded.", LATER)
MIXED = {
    (ONE, EU): Status.CURRENT,
    (ONE, US): Status.OUTDATED,
    (TWO, EU): Status.INOPERABLE,
    (THREE, EU): Status.CURRENT,
}
T0, T1 = "2026-01-02T03:04:05.678Z", "2026-01-02T03:09:05.678Z"


def get(path: str, views: FakeViews | None = None, status: int = 200) -> Any:
    """Return the JSON that a path answers with, after a look at its headers."""
    found = asked(path, views)
    assert found.status == status, found.body
    assert found.headers["content-type"] == "application/json"
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["x-content-type-options"] == "nosniff"
    return json.loads(found.body)


def asked(path: str, views: FakeViews | None = None, method: str = "GET") -> Answer:
    """Return the response to one request."""
    return request(application(FakeMetrics(), FakeHealth(), views or FakeViews(), version="1.2.3"), path, method)


def error(path: str, status: int, views: FakeViews | None = None) -> str:
    """Return the sentence of an error, which is all that the response has."""
    found = get(path, views, status)
    assert list(found) == ["error"]
    return str(found["error"])


def transition(minutes: int, product: Product = BASELINE, status: Status | None = Status.OUTDATED) -> Transition:
    """Return a transition some minutes after the epoch."""
    return Transition(
        f"event-{minutes}", "poll", product, ONE, EU, Status.CURRENT, status, EPOCH, EPOCH + timedelta(minutes=minutes)
    )


def fleet() -> FakeViews:
    """Return three products in any order, of which two have one name."""
    return FakeViews(
        [
            product_view(MIXED, GUARDRAILS, failure=FAILURE, stale=True, next_poll_at=LATER),
            product_view({(ONE, EU): Status.CURRENT}, BASELINE, status_since=EPOCH),
            product_view(None, TWIN),
        ]
    )


def test_a_product() -> None:
    """Everything that the monitor knows about it, with times in RFC 3339 and durations in seconds."""
    assert get("/api/v1/products/pp-bbbbbbbbbbbbb", fleet()) == {
        "id": "pp-bbbbbbbbbbbbb",
        "name": "guardrails",
        "source": "default",
        "severity": "broken",
        "status": "AVAILABLE",
        "status_since": None,
        "account": ONE,
        "region": EU,
        "catalog_product_id": "prod-1",
        "provisioning_artifact_id": "pa-1",
        "instances": {"CURRENT": 2, "OUTDATED": 1, "INOPERABLE": 1},
        "accepted": 0,
        "rollout": None,
        "details_error": None,
        "missing": False,
        "stale": True,
        "polled_at": T0,
        "poll_seconds": 1.5,
        "failure": {
            "reason": "throttled",
            "error_code": "ThrottlingException",
            "message": "Rate exceeded.",
            "at": T1,
        },
        "interval_seconds": 300.0,
        "next_poll_at": T1,
    }


def test_the_details_of_a_product() -> None:
    """Why instances are not CURRENT, how far the rollout is, and why the details are old."""
    operation = Operation("op-1", "UPDATE", "RUNNING", "", EPOCH, None, Progress(40, 30, 2))
    failed = InstanceDetail("FAILED", "ResourceLogicalId:Role", "op-1")
    denied = PollFailedError(Reason.ACCESS_DENIED, "AccessDenied", "Not allowed.")
    details = StackSetDetails({(ONE, US): failed}, None, operation, denied)
    views = FakeViews([product_view(MIXED, detail=replace(detail(), account="", region=""), details=details)])
    found = get("/api/v1/products/baseline", views)
    assert found["rollout"] == {
        "operation_id": "op-1",
        "action": "UPDATE",
        "status": "RUNNING",
        "reason": None,
        "started_at": T0,
        "ended_at": None,
        "total": 40,
        "succeeded": 30,
        "failed": 2,
        "remaining": 8,
    }
    assert found["details_error"] == "Not allowed."
    assert (found["account"], found["region"]) == (None, None)  # AWS did not say
    one, two = get("/api/v1/instances?status=OUTDATED&status=INOPERABLE", views)["instances"]
    assert (one["detailed_status"], one["status_reason"], one["operation_id"]) == (
        "FAILED",
        "ResourceLogicalId:Role",
        "op-1",
    )
    assert (two["detailed_status"], two["status_reason"], two["operation_id"]) == (None, None, None)
    views.history = [replace(transition(1), detailed_status="FAILED", status_reason="Why.", operation_id="op-1")]
    (logged,) = get("/api/v1/transitions?since=100y", views)["transitions"]
    assert (logged["detailed_status"], logged["status_reason"], logged["operation_id"]) == ("FAILED", "Why.", "op-1")


def test_accepted_instances() -> None:
    """They are listed with the reason, counted, and do not make a product worse."""
    until = date(2027, 1, 31)
    entry = Acceptance(TWO, frozenset({Status.INOPERABLE}), until, "account is suspended")
    views = FakeViews([product_view(MIXED, accepted={(TWO, EU): entry})])
    found = get("/api/v1/products/baseline", views)
    assert (found["accepted"], found["severity"]) == (1, "behind")
    one, two = get("/api/v1/instances?status=OUTDATED&status=INOPERABLE", views)["instances"]
    assert one["accepted"] is None
    assert two["accepted"] == {"reason": "account is suspended", "until": "2027-01-31"}


def test_a_product_that_was_never_polled() -> None:
    """What is not known is null, and no instances is not the same as none known."""
    found = get("/api/v1/products/pp-ccccccccccccc", fleet())
    assert {name for name, value in found.items() if value is None} == {
        "status", "status_since", "account", "region", "catalog_product_id", "provisioning_artifact_id", "instances",
        "rollout", "details_error", "polled_at", "poll_seconds", "failure", "next_poll_at",
    }  # fmt: skip
    assert found["severity"] == "pending"


def test_a_name_with_a_newline_is_a_name() -> None:
    """It is not found like any other, with JSON."""
    assert error("/api/v1/products/a\nb", 404) == "there is no product with the ID or name 'a\\nb'"


def test_an_id_or_a_name() -> None:
    """A product is found by both; a name that several have leads to their IDs."""
    assert get("/api/v1/products/baseline", fleet())["id"] == BASELINE.id
    assert get("/api/v1/products/baseline/instances", fleet())["instances"][0]["account"] == ONE
    assert error("/api/v1/products/baseline?x=1", 400, fleet()) == "there is no parameter 'x'; there is none"
    several = "2 products have the name 'guardrails': use one of the IDs pp-bbbbbbbbbbbbb, pp-ccccccccccccc"
    assert error("/api/v1/products/guardrails", 404, fleet()) == several
    unknown = "there is no product with the ID or name 'pp-x'"
    assert error("/api/v1/products/pp-x", 404, fleet()) == unknown
    assert error("/api/v1/products/pp-x/instances", 404, fleet()) == unknown
    assert error("/api/v1/instances?product=pp-x", 404, fleet()) == f"product: {unknown}"


def test_all_products() -> None:
    """By ID, a page at a time, with the totals of all on each page."""
    first = get("/api/v1/products?limit=2", fleet())
    second = get(f"/api/v1/products?limit=2&cursor={first['cursor']}", fleet())
    assert [one["id"] for one in first["products"]] == ["pp-aaaaaaaaaaaaa", "pp-bbbbbbbbbbbbb"]
    assert [one["id"] for one in second["products"]] == ["pp-ccccccccccccc"]
    assert second["cursor"] is None
    totals = {
        "products": 3,
        "instances": {"CURRENT": 3, "OUTDATED": 1, "INOPERABLE": 1},
        "product_statuses": {"AVAILABLE": 2},
        "severities": {"broken": 1, "unreadable": 0, "behind": 0, "pending": 1, "fine": 1},
        "oldest_poll_at": T0,
    }
    assert first["totals"] == second["totals"] == totals
    assert get("/api/v1/products")["products"] == []


def test_the_instances_of_a_product() -> None:
    """By account and Region, filtered by each parameter, of which each may be repeated."""
    path = "/api/v1/products/pp-bbbbbbbbbbbbb/instances"

    def found(query: str) -> list[tuple[str, str]]:
        return [(one["account"], one["region"]) for one in get(f"{path}{query}", fleet())["instances"]]

    assert get(f"{path}?limit=1", fleet())["instances"] == [
        {
            "provisioned_product_id": "pp-bbbbbbbbbbbbb",
            "provisioned_product_name": "guardrails",
            "account": ONE,
            "region": EU,
            "status": "CURRENT",
            "since": T0,
            "detailed_status": None,
            "status_reason": None,
            "operation_id": None,
            "accepted": None,
        }
    ]
    assert found("") == [(ONE, EU), (ONE, US), (TWO, EU), (THREE, EU)]
    assert found("?status=OUTDATED&status=INOPERABLE") == [(ONE, US), (TWO, EU)]
    assert found(f"?account={ONE}&account={THREE}") == [(ONE, EU), (ONE, US), (THREE, EU)]
    assert found(f"?region={US}") == [(ONE, US)]
    assert found(f"?status=CURRENT&account={ONE}&region={EU}") == [(ONE, EU)]
    assert found("?region=eu-north-1") == []


def test_the_instances_of_all_products() -> None:
    """By product, account and Region; pages end with a null cursor."""
    walked: list[tuple[str, str, str]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = get(f"/api/v1/instances?limit=2{cursor and f'&cursor={cursor}'}", fleet())
        walked += [(one["provisioned_product_id"], one["account"], one["region"]) for one in page["instances"]]
        cursor = page["cursor"]
    expected = [(BASELINE.id, ONE, EU), *((GUARDRAILS.id, *key) for key in sorted(MIXED))]
    assert walked == expected
    only = get("/api/v1/instances?product=guardrails&product=pp-ccccccccccccc&status=CURRENT", fleet())
    assert [one["account"] for one in only["instances"]] == [ONE, THREE]


def test_transitions() -> None:
    """The newest first, since a moment, of a product by ID or name, also of one that is not monitored any more."""
    gone = Product("pp-ddddddddddddd", "gone")
    views = fleet()
    views.history = [transition(1), transition(2, GUARDRAILS, None), transition(3, gone)]

    def found(query: str) -> list[str]:
        return [one["event_id"] for one in get(f"/api/v1/transitions{query}", views)["transitions"]]

    since = "?since=2026-01-01T00:00:00Z"
    assert get(f"/api/v1/transitions{since}&status=ABSENT", views)["transitions"] == [
        {
            "event_id": "event-2",
            "poll_id": "poll",
            "observed_at": "2026-01-02T03:06:05.678Z",
            "provisioned_product_id": "pp-bbbbbbbbbbbbb",
            "provisioned_product_name": "guardrails",
            "provisioned_product_status": None,
            "account": ONE,
            "region": EU,
            "previous_status": "CURRENT",
            "previous_since": T0,
            "status": None,
            "detailed_status": None,
            "status_reason": None,
            "operation_id": None,
        }
    ]
    assert found(since) == ["event-3", "event-2", "event-1"]
    assert found("?since=100y") == ["event-3", "event-2", "event-1"]
    assert found("?since=2026-01-02T04:06:00%2B01:00") == ["event-3", "event-2"]
    assert found("?since=2026-01-02T03:07:00") == ["event-3"]
    assert found("") == []  # the last 24 hours
    assert found(f"{since}&product=baseline&product=pp-ddddddddddddd") == ["event-3", "event-1"]
    assert found(f"{since}&account={TWO}") == []
    assert found(f"{since}&status=OUTDATED") == ["event-3", "event-1"]
    first = get(f"/api/v1/transitions{since}&limit=2", views)
    assert found(f"{since}&cursor={first['cursor']}") == ["event-1"]


def test_a_state_that_cannot_be_read() -> None:
    """It is a 503 with the reason; the paths that need no history go on."""
    views = fleet()
    views.broken = "the state file monitor.db: disk I/O error"
    assert error("/api/v1/transitions", 503, views) == "the state file monitor.db: disk I/O error"
    assert get("/api/v1/products", views)["totals"]["products"] == 3


def test_sources() -> None:
    """By name, with budget, failures and the search for products. The external ID of a source is in no view."""
    search = DiscoveryView(900.0, ("baseline-*",), {"team": "platform"}, EPOCH, 12, FAILURE)
    hub = source_view(
        "hub",
        role_arn="arn:aws:iam::111111111111:role/m",
        accounts=(ONE,),
        failing=1,
        failure=FAILURE,
        discovery=search,
    )
    views = FakeViews(found_sources=[hub, source_view(region=None)])
    found = get("/api/v1/sources", views)
    assert [one["name"] for one in found["sources"]] == ["default", "hub"]
    assert (found["sources"][0]["region"], found["sources"][0]["discovery"]) == (None, None)
    assert found["sources"][1] == {
        "name": "hub",
        "region": "eu-west-1",
        "role_arn": "arn:aws:iam::111111111111:role/m",
        "profile": None,
        "accounts": [ONE],
        "calls_per_second": 10.0,
        "allowed_calls_per_second": 10.0,
        "used_calls_per_second": 1.25,
        "products": 1,
        "failing": 1,
        "failure": {"reason": "throttled", "error_code": "ThrottlingException", "message": "Rate exceeded.", "at": T1},
        "discovery": {
            "names": ["baseline-*"],
            "tags": {"team": "platform"},
            "interval_seconds": 900.0,
            "searched_at": T0,
            "found": 12,
            "failure": {
                "reason": "throttled",
                "error_code": "ThrottlingException",
                "message": "Rate exceeded.",
                "at": T1,
            },
        },
    }
    page = get("/api/v1/sources?limit=1", views)
    assert get(f"/api/v1/sources?cursor={page['cursor']}", views)["sources"][0]["name"] == "hub"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("limit=0", "limit: '0' is not from 1 to 1000"),
        ("limit=1001", "limit: '1001' is not from 1 to 1000"),
        ("limit=ten", "limit: 'ten' is not a whole number"),
        ("limit=", "limit: '' is not a whole number"),
        (f"limit={'9' * 5000}", f"limit: '{'9' * 79} is not a whole number"),
        ("cursor=abc", "cursor: 'abc' is not a cursor of this list; leave it out to begin with the first page"),
        ("acount=1", "there is no parameter 'acount'; did you mean 'account'?"),
        ("x=1", "there is no parameter 'x'; there is limit, cursor, since, product, account, status"),
        ("status=CURRENT&status=BAD", "status: 'BAD' is not CURRENT, OUTDATED, INOPERABLE, UNKNOWN or ABSENT"),
        ("since=soon", "since: 'soon' is neither a duration like 24h nor a time like 2026-01-31T18:00:00Z"),
        ("since=0001-01-01T00:00:00%2B14:00", "since: '0001-01-01T00:00:00+14:00' is neither a duration like 24h"),
        ("since=", "since: '' is neither a duration"),
    ],
)
def test_a_wrong_parameter(query: str, sentence: str) -> None:
    """The response is a 400 whose one sentence names the parameter, shows the value and says what is possible."""
    views = FakeViews(history=[transition(1)])
    assert error(f"/api/v1/transitions?{query}", 400, views).startswith(sentence)


@pytest.mark.parametrize("path", ["/api/", "/api/v1", "/api/v1/", "/api/v1/products/", "/api/v2/products", "/api/docs"])
def test_an_unknown_path(path: str) -> None:
    """It is a 404 that leads to the OpenAPI document; no page of another host's scripts is served."""
    assert error(path, 404) == "there is nothing at this path; /api/openapi.json describes the API"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods(method: str) -> None:
    """The API is read-only, and says so."""
    found = asked("/api/v1/products", method=method)
    assert (found.status, json.loads(found.body)) == (405, {"error": "the API is read-only: use GET"})
    assert found.headers["allow"] == "GET"


def test_head() -> None:
    """A real HEAD request has the headers of the GET request, and no body."""
    with served(views=fleet()) as one:
        assert one.get("/api/v1/products", "HEAD").headers["content-length"] == str(
            len(one.get("/api/v1/products").body)
        )
        assert one.get("/api/v1/products", "HEAD").body == b""
        assert one.get("/api/v1/products/pp-x", "HEAD").status == 404


def test_what_is_refused_before_the_api_sees_it() -> None:
    """A URL that is too long is an error in JSON like the others."""
    with served(views=fleet()) as one:
        found = one.get(f"/api/v1/instances?account={'1' * 10_000}")
    assert (found.status, json.loads(found.body)) == (414, {"error": "URI Too Long"})


def test_names_are_data() -> None:
    """Whatever a name contains, JSON has it as it is."""
    name = 'a"\\\n<script>\x1b[31m=cmd|é🚦'
    views = FakeViews([product_view({(ONE, EU): Status.CURRENT}, Product("pp-1", name))])
    assert get("/api/v1/products/pp-1", views)["name"] == name


class DefectiveViews(FakeViews):
    """Views that raise what they should not."""

    def products(self) -> Sequence[ProductView]:
        """Fail."""
        raise RuntimeError("secret details")


def test_a_defect(caplog: pytest.LogCaptureFixture) -> None:
    """It is a 500 without the details, which the server logs."""
    with served(views=DefectiveViews()) as one:
        found = one.get("/api/v1/products")
    assert (found.status, json.loads(found.body)) == (
        500,
        {"error": "a defect of the monitor; its log has the details"},
    )
    assert "RuntimeError: secret details" in caplog.text


@dataclass
class SlowViews(FakeViews):
    """Views that wait until a test lets them continue, and note their thread."""

    def __post_init__(self) -> None:
        """Block."""
        self.entered, self.go_on = threading.Semaphore(0), threading.Event()

    def transitions(self, wanted: TransitionFilter, limit: int, cursor: str | None) -> Page[Transition]:
        """Wait."""
        self.entered.release()
        assert self.go_on.wait(20)
        return super().transitions(wanted, limit, cursor)


def test_a_slow_request_delays_no_scrape() -> None:
    """While one request reads a slow disk and others wait for it, scrapes and probes are answered."""
    views = SlowViews()
    with served(views=views) as one:
        clients = [threading.Thread(target=one.get, args=("/api/v1/transitions",)) for _ in range(5)]
        for client in clients:
            client.start()
        assert views.entered.acquire(timeout=20)
        assert one.get("/metrics").status == 200
        assert one.get("/livez").status == 200
        assert not views.entered.acquire(timeout=0)  # one at a time
        views.go_on.set()
        for client in clients:
            client.join(20)


def test_the_users_of_the_web_configuration_protect_it(tmp_path: Path) -> None:
    """Without the password there is a 401, as for every path but the probes."""
    users = tmp_path / "web.yml"
    users.write_text(f"basic_auth_users: {{someone: {bcrypt.hashpw(b'password', bcrypt.gensalt(4)).decode()}}}")
    with served(web_config=WebConfigReloader(users), views=fleet()) as one:
        refused = one.get("/api/v1/products")
        assert (refused.status, json.loads(refused.body)) == (401, {"error": "Unauthorized"})
        assert refused.headers["www-authenticate"].startswith("Basic ")
        assert one.get("/api/openapi.json").status == 401


def test_the_openapi_document() -> None:
    """It is complete, names no other host, and each operation and property is described."""
    document = get("/api/openapi.json")
    assert document["info"]["version"] == "1.2.3"
    assert sorted(document["paths"]) == [
        "/api/v1/instances",
        "/api/v1/products",
        "/api/v1/products/{product}",
        "/api/v1/products/{product}/instances",
        "/api/v1/sources",
        "/api/v1/transitions",
    ]
    assert "http" not in json.dumps(document)
    for operations in document["paths"].values():
        assert list(operations) == ["get"]
        assert operations["get"]["description"]
        assert "422" not in operations["get"]["responses"]
    assert all(schema["description"] for schema in document["components"]["schemas"].values())
    time = document["components"]["schemas"]["Instance"]["properties"]["since"]
    assert (time["type"], time["format"]) == ("string", "date-time")


def test_enumerations_match_the_model() -> None:
    """The API has each severity, and each status after a transition."""
    assert [one.name for one in ApiSeverity] == [one.name for one in Severity]
    assert [one.value for one in StatusAfter] == [*Status, "ABSENT"]


def test_tainted_products_are_broken() -> None:
    """The severity is that of the views."""
    views = FakeViews([product_view({(ONE, EU): Status.CURRENT}, detail=detail(ProductStatus.TAINTED))])
    assert get("/api/v1/products/baseline", views)["severity"] == "broken"


def test_the_start_does_not_import_it() -> None:
    """The daemon starts without FastAPI, Jinja2 and markdown-it, which take 0.15 s and 11 MiB."""
    program = "import sys, monitor.daemon.daemon; sys.exit(any(name in sys.modules for name in sys.argv[1:]))"
    command = [sys.executable, "-c", program, "fastapi", "jinja2", "markdown_it"]
    assert subprocess.run(command, check=False).returncode == 0
