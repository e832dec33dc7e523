"""Each page links its JSON twin, and the API answers it, whatever filters the page has."""

import re
from html import unescape

import pytest

from monitor.web.app import application
from tests.browser.fleet import BASELINE, fleet
from tests.making import ONE
from tests.web.asgi import request
from tests.web.served import FakeHealth, FakeMetrics

PRODUCT = f"/products/{BASELINE.id}"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        f"/?account={ONE}",
        "/?status=INOPERABLE&region=eu-west-1&account=",
        "/?status=any",
        PRODUCT,
        f"{PRODUCT}?since=7d&status=OUTDATED",
        f"{PRODUCT}?since=&status=any&account={ONE}&region=",
        "/transitions",
        f"/transitions?since=7d&product=baseline&account={ONE}&status=ABSENT",
        "/transitions?since=&product=&account=&status=",
        "/sources",
    ],
)
def test_the_twin_of_a_page(path: str) -> None:
    """Every link into the API on the page is answered with 200."""
    app = application(FakeMetrics(), FakeHealth(), fleet(), version="1.2.3")
    page = request(app, path)
    assert page.status == 200
    twins = [unescape(link) for link in re.findall(r'href="(/api/[^"]*)"', page.body.decode())]
    assert twins
    for twin in twins:
        found = request(app, twin)
        assert (found.status, found.headers["content-type"]) == (200, "application/json"), (twin, found.body)
