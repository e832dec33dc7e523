"""Each page in light and dark and at the width of a phone: accessible, and without anything from elsewhere."""

import os
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import Scheme, Site
from tests.browser.fleet import BASELINE, GUARDRAILS

PATHS = {
    "fleet": "/",
    "product": f"/products/{BASELINE.id}",
    "rollout": f"/products/{GUARDRAILS.id}",
    "instances": "/?status=OUTDATED",
    "transitions": "/transitions",
    "sources": "/sources",
    "runbook": "/runbooks/StackInstanceInoperable",
}
PHONE, DESKTOP = 390, 1280


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PATHS)
def test_a_page_is_accessible_and_fits(site: Site, name: str, scheme: Scheme, width: int) -> None:
    """The rules of axe find nothing serious, the page is not wider than the window, and the console stays empty."""
    page = site.open(PATHS[name], width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    violations = Axe().run(page).response["violations"]
    assert [f"{one['id']}: {one['nodes'][0]['html']}" for one in violations if one["impact"] != "minor"] == []
    if folder := os.environ.get("STACKSET_MONITOR_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}-{scheme}-{width}.png", full_page=True)


def test_a_status_is_never_a_color_only(site: Site) -> None:
    """Each status of the heat map that is not CURRENT has a symbol of its own, and the word for screen readers."""
    site.views.views = [view for view in site.views.views if view.product == BASELINE]
    page = site.open(f"/products/{BASELINE.id}")
    symbol = "cell => [cell.textContent, getComputedStyle(cell, '::before').content]"
    shown = {tuple(cell.evaluate(symbol)) for cell in page.locator(".map td").all()}
    assert shown == {("CURRENT", '""'), ("OUTDATED", '"!" / ""'), ("INOPERABLE", '"\xd7" / ""'), ("", "none")}


def test_tables_have_headers_and_captions(site: Site) -> None:
    """A screen reader finds the name of each table, and the header of each cell."""
    for path in PATHS.values():
        page = site.open(path)
        for table in page.locator("table").all():
            assert table.locator("caption").inner_text()
            assert table.locator("th:not([scope])").count() == 0
        for picture in page.locator("svg[role=img]").all():
            assert picture.evaluate("picture => picture.querySelector('title') !== null || picture.ariaLabel !== null")


def test_the_page_works_in_print_and_forced_colors(site: Site) -> None:
    """A printed product has its whole map; with forced colors the symbols remain."""
    page = site.open(f"/products/{BASELINE.id}")
    page.emulate_media(media="print")
    box = page.locator(".map")
    assert box.evaluate("box => box.scrollHeight <= box.clientHeight + 1")
    page.emulate_media(media="screen", forced_colors="active")
    symbol = "cell => getComputedStyle(cell, '::before').content"
    assert page.locator(".map td.OUTDATED").first.evaluate(symbol) == '"!" / ""'


def test_numbers_of_the_bar(site: Site) -> None:
    """The bar of the fleet is named by its numbers, and each number leads to its stack instances."""
    page = site.open("/")
    label = page.locator(".fleet > svg").get_attribute("aria-label") or ""
    assert re.fullmatch(r"3 INOPERABLE, 1 UNKNOWN, 166 OUTDATED, 956 CURRENT", label)
    page.get_by_role("link", name="3 INOPERABLE").click()
    page.wait_for_url("**/?status=INOPERABLE")
    assert page.locator("tbody tr").count() == 3
