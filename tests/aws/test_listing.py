"""Pages assembled into a listing, by examples and by properties."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.aws.listing import MAXIMUM_UNKNOWN_STATUSES, ListingBuilder, Page, check_page
from monitor.aws.responses import MAXIMUM_TOKEN_LENGTH, read_body
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Anomaly, Listing, Status
from tests.making import EU, ONE, TWO, US

JSON = "application/x-amz-json-1.1"


def item(account: Any = ONE, region: Any = EU, status: Any = "CURRENT") -> dict[str, Any]:
    """Return a stack instance as the API does."""
    return {"Account": account, "Region": region, "StackInstanceStatus": status}


def listed(*pages: list[Any]) -> Listing:
    """Return the listing of pages with these items."""
    builder = ListingBuilder()
    for items in pages:
        builder.add(Page(items, None))
    return builder.listing()


def test_pages_are_one_listing() -> None:
    """It has all instances and the number of pages."""
    assert listed([item(), item(region=US, status="OUTDATED")], [], [item(TWO, status="INOPERABLE")]) == Listing(
        {(ONE, EU): Status.CURRENT, (ONE, US): Status.OUTDATED, (TWO, EU): Status.INOPERABLE}, 3, {}
    )


def test_a_product_without_instances_is_an_empty_listing() -> None:
    """One empty page without a token is complete."""
    assert listed([]) == Listing({}, 1, {})


@pytest.mark.parametrize("token", [None, ""])
def test_null_and_an_empty_token_end_a_listing(token: str | None) -> None:
    """A missing token does, too."""
    assert check_page({"StackInstances": [], "NextPageToken": token}, 20) == Page([], None)


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [
        (["CURRENT", "CURRENT"], Status.CURRENT),
        (["CURRENT", "NEWFANGLED"], Status.UNKNOWN),
        (["NEWFANGLED", "OUTDATED"], Status.OUTDATED),
        (["CURRENT", "OUTDATED", "INOPERABLE"], Status.INOPERABLE),
    ],
)
def test_of_a_duplicate_the_most_severe_status_counts(statuses: list[str], worst: Status) -> None:
    """The order and the pages do not matter."""
    for order in (statuses, statuses[::-1]):
        for listing in (listed([item(status=one) for one in order]), listed(*[[item(status=one)] for one in order])):
            assert listing.statuses == {(ONE, EU): worst}
            assert listing.anomalies[Anomaly.DUPLICATE] == len(statuses) - 1


@pytest.mark.parametrize("status", ["QUARANTINED", "current", "UNKNOWN", "", None, 7, ["CURRENT"], {"a": 1}, "\ud800"])
def test_a_status_that_is_not_known_is_unknown(status: object) -> None:
    """It is counted, and its text is kept in printable form."""
    listing = listed([item(status=status)])
    assert listing.statuses == {(ONE, EU): Status.UNKNOWN}
    assert listing.anomalies == {Anomaly.UNKNOWN_STATUS: 1}
    (named,) = listing.unknown_statuses
    assert named == (status if isinstance(status, str) and status not in {"", "\ud800"} else ascii(status))


def test_the_unknown_statuses_of_a_listing_are_bounded() -> None:
    """Both their number and their length are."""
    listing = listed([item(f"{number:012}", status=f"{number}" * 100) for number in range(100)])
    assert listing.anomalies == {Anomaly.UNKNOWN_STATUS: 100}
    assert len(listing.unknown_statuses) == MAXIMUM_UNKNOWN_STATUSES
    assert all(len(status) == 64 for status in listing.unknown_statuses)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {},
        {"account": ONE, "region": EU, "stackInstanceStatus": "CURRENT"},
        {"Account": ONE},
        {"Region": EU},
        item(account=""),
        item(region=""),
        item(account=None),
        item(account=111111111111),
        item(region=[EU]),
        item(account="1111\n1111"),
        item(region="\ud800"),
        item(account="\x00"),
        item(account="1" * 65),
    ],
    ids=repr,
)
def test_an_invalid_item_is_left_out_and_counted(wrong: object) -> None:
    """A label is never empty, always printable and short."""
    assert listed([item(), wrong, item(TWO)]) == Listing(
        {(ONE, EU): Status.CURRENT, (TWO, EU): Status.CURRENT}, 1, {Anomaly.INVALID_ITEM: 1}
    )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "NotJSON"),
        (b"<html>", "NotJSON"),
        (b'{"StackInstances": [', "NotJSON"),
        (b'{"StackInstances": ["\xff"]}', "NotJSON"),
        ('{"StackInstances": []}'.encode("utf-16"), "NotJSON"),
        (b"[" * 100_000, "NotJSON"),
        (b"[]", "NotAListing"),
        (b"{}", "NotAListing"),
        (b'{"StackInstances": null}', "NotAListing"),
        (b'{"StackInstances": {}}', "NotAListing"),
        (b'{"StackInstances": ""}', "NotAListing"),
        (b'{"StackInstances": [[]]}', "NotAListing"),
        (b'{"StackInstances": ["a"]}', "NotAListing"),
        (b'{"StackInstances": [], "NextPageToken": 7}', "BadPageToken"),
        (b'{"StackInstances": [], "NextPageToken": ["a"]}', "BadPageToken"),
        (b'{"StackInstances": [], "NextPageToken": 0}', "BadPageToken"),
        (b'{"StackInstances": [], "NextPageToken": false}', "BadPageToken"),
        (b'{"StackInstances": [], "NextPageToken": []}', "BadPageToken"),
        (b'{"StackInstances": [], "NextPageToken": "%s"}' % (b"t" * (MAXIMUM_TOKEN_LENGTH + 1)), "BadPageToken"),
        (b'{"StackInstances": [%s]}' % b", ".join([b"{}"] * 21), "PageTooLarge"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[:40].decode("latin-1"),
)
def test_a_body_that_is_not_a_page_is_refused(body: bytes, code: str) -> None:
    """Botocore would make an empty listing of most of these."""
    with pytest.raises(PollFailedError) as caught:
        check_page(read_body(body, JSON), 20)
    assert (caught.value.reason, caught.value.error_code) == (Reason.INCOMPLETE, code)


@pytest.mark.parametrize(
    "body",
    [
        b'{"StackInstances": []}',
        b' {"StackInstances": [], "NextPageToken": null}\n',
        b'{"StackInstances": [null, {}, {"Account": "1"}], "NextPageToken": ""}',
        b'{"StackInstances": [{"Account": "1", "Region": "r", "More": [1]}], "NextPageToken": "t", "More": {}}',
    ],
)
def test_a_body_that_is_a_page_is_accepted(body: bytes) -> None:
    """Unknown members are ignored."""
    check_page(read_body(body, JSON), 20)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)
statuses = st.sampled_from(["CURRENT", "OUTDATED", "INOPERABLE", "QUARANTINED"]) | json_values
instances = st.fixed_dictionaries(
    {},
    optional={
        "Account": st.sampled_from([ONE, TWO]) | json_values,
        "Region": st.sampled_from([EU, US]) | json_values,
        "StackInstanceStatus": statuses,
    },
)
pages = st.fixed_dictionaries(
    {},
    optional={
        "StackInstances": st.lists(instances | json_values, max_size=8) | json_values,
        "NextPageToken": st.text(max_size=2) | json_values,
    },
)


deterministic = settings(derandomize=True, deadline=None)


def reason(function: Callable[[], object]) -> Reason | None:
    """Return the reason of a `PollFailedError`, None without one. Any other exception fails the test."""
    try:
        function()
    except PollFailedError as error:
        return error.reason
    return None


@deterministic
@given(st.lists(pages | json_values, max_size=6))
def test_any_json_is_a_listing_or_a_failed_poll(answers: list[Any]) -> None:
    """Every label of a listing can be encoded."""
    builder = ListingBuilder()

    def add_all() -> None:
        for answer in answers:
            builder.add(check_page(answer, 20))

    assert reason(add_all) in {None, Reason.INCOMPLETE}
    listing = builder.listing()
    for account, region in listing.statuses:
        assert account.encode()
        assert region.encode()
    assert all(status.encode() for status in listing.unknown_statuses)


@deterministic
@given(st.binary(max_size=200) | pages.map(lambda page: json.dumps(page).encode()))
def test_any_body_is_a_page_or_a_failed_poll(body: bytes) -> None:
    """Bodies are random bytes, and JSON of any shape."""
    seen = reason(lambda: check_page(read_body(body, JSON), 20))
    assert seen in {None, Reason.INCOMPLETE}
    if seen is None:
        ListingBuilder().add(check_page(json.loads(body), 20))


@deterministic
@given(
    st.lists(
        st.tuples(
            st.sampled_from([ONE, TWO, ""]), st.sampled_from([EU, US]), st.sampled_from([*Status, "QUARANTINED"])
        ),
        max_size=20,
    ),
    st.integers(1, 7),
    st.randoms(use_true_random=False),
)
def test_the_order_of_items_and_how_they_are_paged_do_not_matter(
    instances: list[tuple[str, str, str]], size: int, chance: random.Random
) -> None:
    """Equal instances make equal listings."""
    items = [item(*one) for one in instances]
    shuffled = list(items)
    chance.shuffle(shuffled)
    paged = [shuffled[place : place + size] for place in range(0, len(shuffled), size)] or [[]]
    straight, mixed = listed(items), listed(*paged)
    assert (mixed.statuses, mixed.anomalies) == (straight.statuses, straight.anomalies)
    assert mixed.unknown_statuses == straight.unknown_statuses
