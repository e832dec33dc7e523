"""People use the pages: links, filters, the keyboard, a phone, no JavaScript, and the updates of the script."""

from dataclasses import replace

from playwright.sync_api import Browser, Page, expect

from monitor.model.diff import Transition
from monitor.model.instances import Product, Status
from tests.browser.conftest import Site, serve
from tests.browser.fleet import BASELINE
from tests.making import BASELINE as OTHER
from tests.making import EPOCH, EU, detail
from tests.web.fake_views import FakeViews, product_view, source_view

HOSTILE = "</title></script><img src=x onerror=alert(1)><script>alert(2)</script>\"'"


def statuses(page: Page) -> set[str]:
    """Return the statuses in the table of stack instances."""
    return set(page.locator("section[aria-labelledby=instances] tbody td:first-child").all_inner_texts())


def test_from_the_fleet_to_the_broken_account(site: Site) -> None:
    """Two clicks lead from the home page to every stack instance of the worst account."""
    page = site.open("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("16 stack instances need attention")
    page.get_by_role("link", name="258383838380").click()
    expect(page.locator("tbody tr")).to_have_count(8)  # one is INOPERABLE, the others are in a rollout
    expect(page.locator("tbody td").first).to_have_text("INOPERABLE")
    page.get_by_role("link", name="baseline").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(BASELINE.id)
    page.locator(".map").get_by_role("link", name="123757575757").click()
    expect(page).to_have_url(f"{site.url}/products/{BASELINE.id}?account=123757575757&status=any#instances")
    assert statuses(page) == {"CURRENT", "OUTDATED", "INOPERABLE"}


def test_a_filter_is_in_the_address(site: Site) -> None:
    """The form changes the address, so that the list can be sent to somebody; `Clear` removes the filter."""
    page = site.open(f"/products/{BASELINE.id}")
    page.get_by_role("combobox", name="Status").select_option("OUTDATED")
    page.get_by_role("textbox", name="Account").fill(" 155434343433 ")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**?status=OUTDATED&account=*155434343433*")
    assert statuses(page) == {"OUTDATED"}
    expect(page.get_by_role("textbox", name="Account")).to_have_value("155434343433")
    copied = site.open(page.url.removeprefix(site.url))
    assert statuses(copied) == {"OUTDATED"}
    page.get_by_role("link", name="Clear").click()
    assert statuses(page) == {"OUTDATED", "INOPERABLE"}


def test_transitions_are_filtered(site: Site) -> None:
    """The form of the transitions selects by time, status, product and account."""
    page = site.open("/transitions")
    page.get_by_role("combobox", name="Since").select_option("7d")
    page.get_by_role("combobox", name="To status").select_option("INOPERABLE")
    page.get_by_role("textbox", name="Product").fill("baseline")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    page.get_by_role("textbox", name="Account").fill("1")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(".empty")).to_contain_text("No transition matches.")


def test_a_map_of_500_accounts_is_scrolled(large_site: Site) -> None:
    """The broken accounts are at the top; Regions and accounts stay visible while 8,500 cells are scrolled."""
    page = large_site.open(f"/products/{BASELINE.id}")
    box = page.locator(".map")
    box.evaluate("box => box.scrollIntoView()")
    assert page.locator(".map tbody tr").count() == 500
    assert page.locator(".map tbody tr:nth-child(-n+4) .INOPERABLE").count() == 3
    header = page.locator(".map thead th", has_text="eu-west-1")
    before = header.bounding_box()
    assert before
    box.evaluate("box => box.scrollTo(0, box.scrollHeight)")
    expect(page.locator(".map tbody tr").last).to_be_in_viewport()
    after = header.bounding_box()
    assert after
    assert abs(after["y"] - before["y"]) < 3
    page.set_viewport_size({"width": 390, "height": 800})
    box.evaluate("box => box.scrollIntoView()")
    account = page.locator(".map tbody th").last
    box.evaluate("box => box.scrollTo(box.scrollWidth, box.scrollHeight)")
    expect(account).to_be_in_viewport()
    expect(page.locator(".map tbody td").last).to_be_in_viewport()


def test_the_keyboard_is_enough(site: Site) -> None:
    """The first Tab offers to skip to the content, and the arrow keys scroll a focused table."""
    page = site.open(f"/products/{BASELINE.id}")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    box = page.locator(".map")
    while not box.evaluate("box => box === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.press("End")
    expect(box).not_to_have_js_property("scrollTop", 0)


def test_every_page_works_without_javascript(site: Site, browser: Browser) -> None:
    """Links and filters need no script."""
    with browser.new_context(java_script_enabled=False) as context:
        page = site.open("/", context)
        page.get_by_role("link", name="baseline").first.click()
        page.get_by_role("combobox", name="Status").select_option("INOPERABLE")
        page.get_by_role("button", name="Filter").click()
        assert statuses(page) == {"INOPERABLE"}


def test_a_page_updates_itself(site: Site) -> None:
    """After half a minute, the page shows the new state, and keeps the place to which a table was scrolled."""
    page = site.context.new_page()
    page.clock.install()
    page.goto(f"{site.url}/products/{BASELINE.id}")
    page.locator(".map").evaluate("box => box.scrollTo(0, 40)")
    site.views.views = [
        replace(view, product=Product(view.product.id, "renamed")) if view.product == BASELINE else view
        for view in site.views.views
    ]
    page.clock.run_for(31_000)
    expect(page.get_by_role("heading", level=1)).to_contain_text("renamed")
    expect(page).to_have_title("renamed · stackset-monitor")
    assert page.locator(".map").evaluate("box => box.scrollTop") == 40


def test_an_update_keeps_the_focus(site: Site) -> None:
    """A table that is scrolled and a link that was reached by Tab still have the focus after an update."""
    page = site.context.new_page()
    page.clock.install()
    page.goto(f"{site.url}/products/{BASELINE.id}")
    heading = page.get_by_role("heading", level=1)
    link = page.locator("section[aria-labelledby=instances]").get_by_role("link", name="155434343433").nth(2)
    for number, element in enumerate((page.locator(".map"), link)):
        element.focus()
        site.views.views = [
            replace(view, product=Product(view.product.id, f"renamed-{number}")) for view in site.views.views
        ]
        page.clock.run_for(31_000)
        expect(heading).to_contain_text(f"renamed-{number}")
        expect(element).to_be_focused()


def test_a_product_that_is_removed_meanwhile(site: Site) -> None:
    """The update of a page that does not exist any more says so."""
    page = site.context.new_page()
    page.clock.install()
    page.goto(f"{site.url}/products/{BASELINE.id}")
    site.views.views = []
    page.clock.run_for(31_000)
    expect(page.get_by_role("heading", level=1)).to_have_text("Not found")


def test_an_update_disturbs_nobody(site: Site) -> None:
    """The page is not replaced while somebody fills in a form, or has paused the updates."""
    page = site.context.new_page()
    page.clock.install()
    page.goto(site.url)
    page.get_by_role("textbox", name="Account").fill("1234")
    site.views.views = []
    page.clock.run_for(31_000)
    expect(page.get_by_role("textbox", name="Account")).to_have_value("1234")
    page.get_by_role("button", name="Pause updates").click()
    page.clock.run_for(31_000)
    expect(page.get_by_role("textbox", name="Account")).to_have_value("1234")
    page.get_by_role("button", name="Resume updates").click()
    page.clock.run_for(31_000)
    expect(page.get_by_role("heading", level=1)).to_have_text("No products are monitored")


def test_a_silent_monitor_is_noticed(site: Site) -> None:
    """If the monitor does not answer, the page says that it is old, until it answers again."""
    page = site.context.new_page()
    page.clock.install()
    page.goto(site.url)
    page.route("**/*", lambda route: route.abort())
    page.clock.run_for(31_000)
    expect(page.get_by_role("status")).to_have_text("The monitor does not answer. This page is old.")
    page.unroute("**/*")
    page.clock.run_for(31_000)
    expect(page.get_by_role("status")).to_have_text("")


def test_names_from_aws_run_nothing(browser: Browser) -> None:
    """A name with markup is shown as text on each page: no dialog, no request, no broken title."""
    product = Product(OTHER.id, HOSTILE)
    view = product_view({(HOSTILE, EU): Status.OUTDATED}, product, detail=detail(product=product))
    change = Transition("e", "p", product, HOSTILE, EU, None, Status.OUTDATED, None, EPOCH)
    with serve(browser, FakeViews([view], [source_view(HOSTILE)], [change])) as site:
        for path in ("/", f"/products/{OTHER.id}?since=90d", "/?status=OUTDATED", "/transitions?since=90y", "/sources"):
            page = site.open(path)
            expect(page.locator("main")).to_contain_text("<img src=x onerror=alert(1)>")
            assert page.locator("img").count() == 1
