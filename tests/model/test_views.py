"""Product views: what is derived from a snapshot, the severity, the order and the totals."""

from datetime import date, timedelta

from monitor.model.accepted import Acceptance
from monitor.model.errors import Reason
from monitor.model.instances import InstanceState, Product, Status
from monitor.model.products import ProductStatus
from monitor.model.views import PollFailure, ProductView, Severity, by_id, totals, worst_first
from tests.making import EPOCH, EU, LATER, ONE, THREE, TWO, US, detail, snapshot
from tests.web.fake_views import product_view

OTHER = Product("pp-bbbbbbbbbbbbb", "guardrails")
FAILURE = PollFailure(Reason.THROTTLED, "ThrottlingException", "Rate exceeded.", LATER)


def test_instances_that_are_not_current_come_worst_first() -> None:
    """INOPERABLE before UNKNOWN before OUTDATED; the oldest first; then by account and Region."""
    old = EPOCH - timedelta(days=1)
    view = product_view(
        {
            (ONE, EU): Status.CURRENT,
            (ONE, US): Status.OUTDATED,
            (TWO, EU): InstanceState(Status.OUTDATED, old),
            (TWO, US): Status.UNKNOWN,
            (THREE, US): Status.INOPERABLE,
            (THREE, EU): Status.INOPERABLE,
        }
    )
    assert view.non_current == ((THREE, EU), (THREE, US), (TWO, US), (TWO, EU), (ONE, US))
    assert view.keys == tuple(sorted(view.states))
    assert view.regions == {EU, US}


def test_a_poll_without_changes_keeps_what_is_derived() -> None:
    """The same states in a newer snapshot share their order with the view before; other states do not."""
    view = product_view({(ONE, EU): Status.OUTDATED})
    assert view.snapshot
    newer = type(view.snapshot)(view.product.id, LATER, view.snapshot.states, view.snapshot.counts)
    unchanged = view.with_snapshot(newer)
    assert unchanged.snapshot is newer
    assert unchanged.keys is view.keys
    assert unchanged.non_current is view.non_current
    assert view.with_snapshot(snapshot({(TWO, EU): Status.CURRENT})).keys == ((TWO, EU),)
    gone = view.with_snapshot(None)
    assert (gone.keys, gone.non_current, gone.regions, gone.counts) == ((), (), frozenset(), {})


def test_severity() -> None:
    """A broken instance or product counts more than an unreadable product, and that more than an outdated instance."""
    fine, outdated, broken = ({(ONE, EU): status} for status in (Status.CURRENT, Status.OUTDATED, Status.INOPERABLE))
    assert product_view(broken, failure=FAILURE).severity is Severity.BROKEN
    assert product_view(fine, detail=detail(ProductStatus.TAINTED)).severity is Severity.BROKEN
    assert product_view(fine, failure=FAILURE).severity is Severity.UNREADABLE
    assert product_view(outdated, stale=True).severity is Severity.UNREADABLE
    assert product_view(missing=True).severity is Severity.UNREADABLE
    assert product_view(outdated).severity is Severity.BEHIND
    assert product_view({(ONE, EU): Status.UNKNOWN}).severity is Severity.BEHIND
    assert product_view().severity is Severity.PENDING
    assert product_view(fine).severity is Severity.FINE
    entry = Acceptance(ONE, frozenset(Status), date(2027, 1, 31), "suspended")
    assert product_view(broken, accepted={(ONE, EU): entry}).severity is Severity.FINE


def test_products_are_sorted_by_how_badly_they_need_attention() -> None:
    """By severity, then by the number of instances that are not CURRENT, then by name; or by ID."""
    one = product_view({(ONE, EU): Status.OUTDATED}, Product("pp-1", "b"))
    two = product_view({(ONE, EU): Status.OUTDATED, (TWO, EU): Status.OUTDATED}, Product("pp-2", "z"))
    three = product_view({(ONE, EU): Status.OUTDATED}, Product("pp-3", "a"))
    broken = product_view({(ONE, EU): Status.INOPERABLE}, Product("pp-4", "y"))
    assert sorted([one, two, three, broken], key=worst_first) == [broken, two, three, one]
    assert sorted([broken, two, three, one], key=by_id) == [one, two, three, broken]


def test_totals() -> None:
    """Instances by status, products by status and by severity, the oldest poll and the next one."""
    first = product_view({(ONE, EU): Status.CURRENT, (TWO, EU): Status.UNKNOWN})
    second = product_view({(ONE, EU): Status.CURRENT}, OTHER, LATER)
    found = totals([first, second, ProductView(Product("pp-3", "c"), "default", 60.0)])
    assert found.products == 3
    assert found.instances == {Status.CURRENT: 2, Status.OUTDATED: 0, Status.INOPERABLE: 0, Status.UNKNOWN: 1}
    assert found.product_statuses == {ProductStatus.AVAILABLE: 2}
    assert found.severities == {
        Severity.BROKEN: 0,
        Severity.UNREADABLE: 0,
        Severity.BEHIND: 1,
        Severity.PENDING: 1,
        Severity.FINE: 1,
    }
    assert found.oldest_poll_at == EPOCH
    assert found.next_poll_at == first.next_poll_at
    assert totals([]).oldest_poll_at is None
