"""The runbooks as pages."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.model.details import SUSPENDED, InstanceDetail, StackSetDetails
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Status
from monitor.model.products import ProductStatus
from monitor.model.views import PollFailure, ProductView
from monitor.web.pages.runbooks import names, runbook
from tests.making import EPOCH, EU, ONE, detail
from tests.web.fake_views import FakeViews, product_view
from tests.web.pages.pages import Links, get, text_of

ROOT = Path(__file__).parents[3]
ALERTS = (ROOT / "helm" / "alerts.yaml").read_text()


def test_each_alert_has_a_runbook_here() -> None:
    """The last part of each runbook_url is the name of a page, so the monitor can be the server of the runbooks."""
    rules = [rule for group in yaml.safe_load(ALERTS)["groups"] for rule in group["rules"]]
    alerts = {rule["annotations"]["runbook_url"].rpartition("/")[2] for rule in rules if "alert" in rule}
    assert alerts <= set(names())
    assert len(alerts) > 20


@pytest.mark.parametrize("name", names())
def test_a_runbook_is_a_page_whose_links_work(name: str) -> None:
    """It has its title, its sections, and links to runbooks and sections that exist."""
    text = text_of(f"/runbooks/{name}")
    assert text.startswith(f"Products {name} Meaning")
    assert "Mitigation" in text
    found = runbook(name)
    assert found
    for link in Links(found.html).followed:
        if not link.startswith("https://"):
            target, _, section = link.partition("#")
            page = get(f"/runbooks/{target or name}")
            assert page.status == 200, link
            assert not section or f'id="{section}"' in page.body.decode(), link


def test_commands_and_tables_are_kept() -> None:
    """A command is a block of its own, and a table is a table."""
    found = runbook("StackInstanceOutdated")
    assert found
    assert "<pre><code" in found.html
    assert re.search(r"<th>cause</th>\s*<th>what to do</th>", found.html)


@pytest.mark.parametrize("name", ["Nothing", "../web", "..%2Fweb", "", "StackInstanceOutdated.md.md"])
def test_another_name_is_not_found(name: str) -> None:
    """Only the runbooks are served."""
    assert get(f"/runbooks/{name}").status == 404


def linked(view: ProductView) -> set[str]:
    """Return the runbooks that the page of a product links, which all exist."""
    links = Links(get(f"/products/{view.product.id}", FakeViews([view])).body.decode()).followed
    found = {link.removeprefix("/runbooks/") for link in links if link.startswith("/runbooks/")}
    assert found <= set(names())
    return found


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"detail": detail(ProductStatus.TAINTED)}, {"ProvisionedProductFailed"}),
        ({"stale": True}, {"StackSetMonitorDataStale"}),
        ({"failure": PollFailure(Reason.ACCESS_DENIED, "Code", "A sentence.", EPOCH)}, {"StackSetMonitorAccessDenied"}),
        ({"failure": PollFailure(Reason.TIMEOUT, "Code", "A sentence.", EPOCH)}, {"StackSetMonitorPollErrors"}),
        (
            {"details": StackSetDetails(error=PollFailedError(Reason.ACCESS_DENIED, "Code", "A sentence."))},
            {"StackSetMonitorDetailsFailed"},
        ),
        ({}, set()),
    ],
)
def test_a_problem_of_a_product_links_its_runbook(fields: dict[str, Any], expected: set[str]) -> None:
    """What is wrong with a product or its poll leads to the runbook about it."""
    assert linked(product_view({(ONE, EU): Status.CURRENT}, **fields)) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.INOPERABLE, {"StackInstanceInoperable"}),
        (Status.OUTDATED, {"StackInstanceOutdated"}),
        (Status.UNKNOWN, {"StackSetMonitorStatusUnknown"}),
    ],
)
def test_a_status_links_its_runbook(status: Status, expected: set[str]) -> None:
    """What to do about a status leads to its runbook, and a suspended account to its own."""
    view = product_view({(ONE, EU): status})
    assert linked(view) == expected
    suspended = StackSetDetails({(ONE, EU): InstanceDetail(SUSPENDED)})
    assert linked(replace(view, details=suspended)) == expected | {"StackInstancesSuspended"}
