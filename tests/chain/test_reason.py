"""The link of a notification leads to the page that says why the instance is not CURRENT."""

import re
import urllib.request
from html import unescape

import pytest

from tests.chain.conftest import PRODUCT, Chain
from tests.e2e.process import eventually
from tests.making import EU, US

pytestmark = [pytest.mark.needs("prometheus", "prometheus-alertmanager"), pytest.mark.timeout(120)]

SHIPPED = "https://stackset-monitor.example.com"
"""The address of the monitor in the shipped rules, which an operator replaces."""
ACCOUNT = "000000000007"
REASON = 'ResourceLogicalId:AuditLogs, ResourceStatusReason:The bucket <logs> & its "copy" are not empty.'


@pytest.mark.parametrize("details", [True])
def test_the_link_of_a_notification_leads_to_the_reason(chain: Chain) -> None:
    """The row of the instance in the alert has the reason of CloudFormation, and another row has another."""
    chain.stack_sets.set(PRODUCT, ACCOUNT, EU, "INOPERABLE", "INOPERABLE", REASON)
    chain.stack_sets.set(PRODUCT, ACCOUNT, US, "OUTDATED", "SKIPPED_SUSPENDED_ACCOUNT", "The account is suspended.")
    (alert,) = chain.webhook.wait_for(1, "StackInstanceInoperable", "firing")["alerts"]
    labels, link = alert["labels"], alert["annotations"]["monitor_url"]
    assert link.startswith(f"{SHIPPED}/")
    link = link.replace(SHIPPED, chain.monitor.url)
    # A poll of one second may end before its details are complete; a later one has them.
    assert eventually(lambda: len(reasons(link)) == 2)
    found = reasons(link)
    assert found[labels["account"], labels["region"]] == f"INOPERABLE {REASON}"
    assert found[ACCOUNT, US] == "SKIPPED_SUSPENDED_ACCOUNT The account is suspended."


def reasons(url: str) -> dict[tuple[str, str], str]:
    """Return the reasons in the table of stack instances on a page, by account and Region."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        page = answer.read().decode()
    table = page[page.index('id="instances"') : page.index('id="history"')]
    found: dict[tuple[str, str], str] = {}
    for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL):
        cells = re.findall(r"<t[hd]\b([^>]*)>(.*?)</t[hd]>", row, re.DOTALL)
        _, account, region, *texts = (unescape(re.sub(r"<[^>]*>", "", cell)).strip() for _, cell in cells)
        for (attributes, _), text in zip(cells[3:], texts, strict=True):
            if "reason" in attributes and text:
                found[account, region] = text
    return found
