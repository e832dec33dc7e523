"""The runbooks as pages."""

import re
from pathlib import Path

import pytest
import yaml

from monitor.web.pages.runbooks import names, runbook
from tests.browser.fleet import BASELINE
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


def test_the_page_of_a_product_links_to_the_runbooks() -> None:
    """What to do about a status leads to its runbook."""
    links = Links(get(f"/products/{BASELINE.id}").body.decode()).followed
    assert {"/runbooks/StackInstanceInoperable", "/runbooks/ProvisionedProductFailed"} <= links
