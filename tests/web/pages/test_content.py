"""What the pages say."""

import re
from dataclasses import replace
from datetime import date

import pytest

from monitor.model.accepted import Acceptance, Unused
from monitor.model.details import InstanceDetail, StackSetDetails
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Product, Status
from monitor.model.products import ProductStatus
from tests.browser.fleet import BASELINE, GUARDRAILS, HUB, NOW
from tests.making import EU, ONE, THREE, TWO, detail
from tests.web.fake_views import FakeViews, product_view, source_view
from tests.web.pages.pages import FLEET, Links, get, text_of


def test_the_home_page_says_what_needs_attention() -> None:
    """The headline counts what is broken; the OUTDATED instances of a rollout are counted apart."""
    text = text_of("/")
    assert text.startswith("16 stack instances need attention 6 products, 1,126 stack instances.")
    assert "154 are OUTDATED in a rollout that is in progress." in text
    assert "258383838380 1 INOPERABLE 1 d ago" in text
    assert "1 product cannot be read" in text
    assert "guardrails 126 CURRENT" not in text
    assert "45 % CURRENT, since 6 min ago" in text


def test_products_are_worst_first() -> None:
    """The list of products begins with the broken one, and ends with those that are fine."""
    products = get("/").body.decode().partition('id="products"')[2]
    names = re.findall(r'<th scope="row"><a href="/products/[^"]*">([^<]*)', products)
    assert names == ["baseline", "network-hub", "guardrails", "central-logging", "audit-roles", "backup-plans"]


@pytest.mark.parametrize(
    ("views", "headline"),
    [
        (FakeViews(), "No products are monitored"),
        (FakeViews([product_view()]), "Waiting for the first poll"),
        (FakeViews([product_view({(ONE, EU): Status.CURRENT})]), "All 1 stack instance are CURRENT"),
        (FakeViews([product_view({(ONE, EU): Status.OUTDATED})]), "1 stack instance needs attention"),
        (FakeViews([product_view({(ONE, EU): Status.CURRENT}, missing=True)]), "1 product cannot be read"),
    ],
)
def test_the_headline(views: FakeViews, headline: str) -> None:
    """The headline says how things are."""
    assert text_of("/", views).startswith(headline)


def test_a_monitor_with_nothing_to_show_says_what_to_do() -> None:
    """Without products, the home page shows how to name them."""
    text = text_of("/", FakeViews(found_sources=[source_view()]))
    assert "products: - pp-aaaaaaaaaaaaa" in text
    assert "stackset-monitor check --config FILE --aws" in text


def test_the_page_of_a_product() -> None:
    """It shows the counts, what AWS calls the product, what to do, each broken instance and the last transitions."""
    text = text_of(f"/products/{BASELINE.id}")
    for part in (
        f"baseline {BASELINE.id}",
        "3 INOPERABLE 12 OUTDATED 663 CURRENT",
        "Product status TAINTED since 3 h ago",
        "Launched from prod-x2y3z4 version pa-v17",
        f"Provisioned in {HUB} eu-west-1",
        "every 5m",
        "INOPERABLE A delete of the stack failed",
        "INOPERABLE 258383838380 eu-north-1 1 d ago 2026-11-23 00:48 UTC Stack in eu-north-1",
        "Stack instances that were not CURRENT, 2026-11-23 03:12:40 UTC to 2026-11-24 03:12:40 UTC.",
        "All 134 transitions",
    ):
        assert part in text, part
    assert get(f"/products/{BASELINE.name}").body == get(f"/products/{BASELINE.name}").body


def test_a_product_in_a_rollout() -> None:
    """A rollout shows its progress, and that there is nothing to do but wait."""
    text = text_of(f"/products/{GUARDRAILS.id}")
    assert "Rollout UPDATE RUNNING, began 6 min ago 126 succeeded, 0 failed, 154 remaining" in text
    assert "Regions in this order: ca-central-1 (18 of 40), eu-central-1, eu-north-1" in text
    assert "A rollout is in progress. Wait for its end" in text


def test_a_rollout_without_details() -> None:
    """If CloudFormation was not asked, the progress is the share of the instances that are CURRENT."""
    statuses = {(ONE, EU): Status.CURRENT, (TWO, EU): Status.OUTDATED, (THREE, EU): Status.OUTDATED}
    views = FakeViews([product_view(statuses, detail=detail(ProductStatus.UNDER_CHANGE))])
    assert "Rollout 33 % CURRENT 1 of 3" in text_of("/products/baseline", views)
    assert "33 % CURRENT, UNDER_CHANGE" in text_of("/", views)


def test_why_an_instance_is_not_current() -> None:
    """With `details`, each broken instance has its reason, and the product its last rollout and its drift."""
    text = text_of(f"/products/{BASELINE.id}")
    for part in (
        "Last rollout UPDATE FAILED, ended 3 h ago after 46 min 666 succeeded, 12 failed, 0 remaining",
        "The failure tolerance was exceeded.",
        "Drift 640 IN_SYNC, 3 DRIFTED, 35 NOT_CHECKED",
        "4 SKIPPED_SUSPENDED_ACCOUNT The accounts are suspended.",
        'FAILED Resource handler returned message: "Access denied by a service control policy" (AccessDenied).',
    ):
        assert part in text, part


def test_an_accepted_instance_is_visible() -> None:
    """What the configuration accepts is listed with the reason and the last day, and needs no attention."""
    accepted = Acceptance(ONE, frozenset({Status.OUTDATED}), date(2027, 1, 31), "account is suspended")
    view = replace(product_view({(ONE, EU): Status.OUTDATED}), accepted={(ONE, EU): accepted})
    page = text_of("/products/baseline", FakeViews([view]))
    assert "accepted until 2027-01-31: account is suspended" in page
    assert "What to do" not in page
    home = text_of("/", FakeViews([view]))
    assert home.startswith("Nothing needs attention 1 product, 1 stack instance. 1 is accepted by the configuration.")


def test_advice_does_not_count_accepted_instances() -> None:
    """Of two stack instances in suspended accounts, of which one is accepted, one needs something to be done."""
    accepted = Acceptance(ONE, frozenset({Status.OUTDATED}), date(2027, 1, 31), "account is suspended")
    suspended = InstanceDetail("SKIPPED_SUSPENDED_ACCOUNT")
    view = product_view(
        {(ONE, EU): Status.OUTDATED, (TWO, EU): Status.OUTDATED},
        details=StackSetDetails({(ONE, EU): suspended, (TWO, EU): suspended}),
        accepted={(ONE, EU): accepted},
    )
    page = text_of("/products/baseline", FakeViews([view]))
    assert "1 SKIPPED_SUSPENDED_ACCOUNT The accounts are suspended." in page


@pytest.mark.parametrize(("accounts", "more"), [(8, ""), (9, "1 more account."), (10, "2 more accounts.")])
def test_accounts_that_are_left_out_are_counted(accounts: int, more: str) -> None:
    """The home page lists eight accounts, and says how many more need attention."""
    view = product_view({(f"{number:012}", EU): Status.OUTDATED for number in range(accounts)})
    text = text_of("/", FakeViews([view]))
    assert f"{more} All stack instances that are not CURRENT".strip() in text
    assert ("more account" in text) == bool(more)


def test_why_a_product_is_tainted() -> None:
    """The advice has what AWS says; without that it says where to look."""
    tainted = detail(ProductStatus.TAINTED)
    said = replace(tainted, status_message="1 of 9 failed.", errors=("Failure: no role.", "1 of 9 failed."))
    text = text_of("/products/baseline", FakeViews([product_view({}, detail=said)]))
    assert "The last operation on the product failed: 1 of 9 failed; Failure: no role. Fix the cause, then" in text
    text = text_of("/products/baseline", FakeViews([product_view({}, detail=tainted)]))
    assert "failed. Read the errors of its last record, fix the cause, then update the product again." in text


def test_entries_that_accept_nothing_are_noticed() -> None:
    """Each with its place, its reason and why it has no effect."""
    expired = Acceptance(ONE, frozenset({Status.OUTDATED}), date(2026, 1, 31), "being closed")
    unmatched = Acceptance(TWO, frozenset({Status.OUTDATED}), date(2999, 1, 31), "known", EU, "baseline")
    views = FakeViews([product_view({(ONE, EU): Status.CURRENT})], unused=[(expired, Unused.EXPIRED)])
    assert f"1 entry of accepted instances without effect Account {ONE} (being closed): expired on 2026-01-31." in (
        text_of("/", views)
    )
    views.unused = [(expired, Unused.EXPIRED), (unmatched, Unused.UNMATCHED)]
    text = text_of("/", views)
    assert "2 entries of accepted instances without effect" in text
    assert f"{TWO} , {EU}, baseline (known): no stack instance matches." in text
    assert "without effect" not in text_of("/")


def test_details_that_cannot_be_read_are_noticed() -> None:
    """The page says why there are no reasons, and what it shows instead."""
    error = PollFailedError(Reason.ACCESS_DENIED, "AccessDenied", "cloudformation:ListStackInstances is not allowed.")
    view = product_view({(ONE, EU): Status.CURRENT}, details=StackSetDetails(error=error))
    text = text_of("/products/baseline", FakeViews([view]))
    assert "no details The reasons could not be read: cloudformation:ListStackInstances is not allowed." in text


def test_a_transition_has_its_reason() -> None:
    """The reason that was stored with a transition is listed with it."""
    transition = replace(
        FLEET.history[0], observed_at=NOW, detailed_status="FAILED", status_reason="The role is missing."
    )
    assert "FAILED The role is missing." in text_of("/transitions", FakeViews(history=[transition]))


def test_filters_are_in_the_address() -> None:
    """Status, account and Region select the rows of the table; without a match the page says so."""
    path = f"/products/{BASELINE.id}?status=INOPERABLE&region=us-east-1"
    rows = get(path).body.decode().partition('id="instances"')[2].partition('id="history"')[0]
    assert re.findall(r'<th scope="row" class="id"><a[^>]*>(\d+)', rows) == ["123757575757"]
    assert re.findall(r"<option[^>]* selected>([^<]*)", rows) == ["INOPERABLE", "us-east-1"]
    assert "No stack instance matches." in text_of(f"{path}&account=1")


def test_rows_are_bounded() -> None:
    """A list of 250 broken instances has three pages of at most 100 rows, and each instance once."""
    accounts = [f"{number:012}" for number in range(250)]
    views = FakeViews([product_view({(account, EU): Status.OUTDATED for account in accounts})])
    path, seen = "/?status=OUTDATED", []
    for expected in (100, 100, 50):
        html = get(path, views).body.decode()
        found = re.findall(r'<th scope="row" class="id"><a[^>]*>(\d+)', html)
        assert len(found) == expected
        seen += found
        path = next((f"/{link}" for link in Links(html).followed if link.startswith("?") and "cursor=" in link), "")
    assert (seen, path) == (accounts, "")


def test_an_unreadable_state_hides_only_the_transitions() -> None:
    """The page of a product shows its instances although the state cannot be read; the transitions answer 503."""
    views = replace(FLEET, broken="the state file monitor.db is damaged.")
    text = text_of(f"/products/{BASELINE.id}", views)
    assert "The transitions cannot be read: the state file monitor.db is damaged." in text
    assert "12 OUTDATED" in text
    assert get("/transitions", views).status == 503
    assert "the state file monitor.db is damaged." in text_of("/transitions", views)


def test_transitions_are_filtered() -> None:
    """Time, product by name, account and status select transitions."""
    text = text_of("/transitions?product=baseline&status=INOPERABLE&since=7d&account=258383838380")
    assert "1 d ago 2026-11-23 00:48 UTC 258383838380 eu-north-1 baseline CURRENT to INOPERABLE 10 d" in text
    assert "No transition matches." in text_of("/transitions?since=1s")


def test_sources() -> None:
    """A source shows its identity, its budget and its use, its search and its failures."""
    text = text_of("/sources")
    assert "hub Region eu-west-1 Account 111122223333 Identity credentials of the environment Products 4" in text
    assert "failing 1 product. Last failure, 2 min ago : arn:aws:sts::444455556666:assumed-role" in text
    assert "3.7 of 10 calls per second throttled AWS throttles: 4 calls per second are allowed now." in text
    assert "2 products found 8 min ago names network-*, central-*; tag team=platform; every 15m" in text


def test_an_account_with_instances_of_two_products() -> None:
    """The list of one account has its instances in every product."""
    views = FakeViews(
        [
            product_view({(ONE, EU): Status.CURRENT, (TWO, EU): Status.CURRENT}, Product("pp-1", "first")),
            product_view({(ONE, EU): Status.INOPERABLE}, Product("pp-2", "second")),
        ]
    )
    text = text_of(f"/?account={ONE}&status=any", views)
    assert re.search(r"CURRENT 111111111111 eu-west-1 .* UTC first", text)
    assert re.search(r"INOPERABLE 111111111111 eu-west-1 .* UTC second", text)
    assert TWO not in text
