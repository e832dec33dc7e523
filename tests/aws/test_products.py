"""Descriptions and searches of products: valid, invalid, and matched."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.aws.products import SearchPage, check_description, check_search, matching, product_detail
from monitor.config.settings import DiscoverSettings
from monitor.model.errors import PollFailedError, Reason
from monitor.model.products import ProductDetail, ProductStatus
from tests.making import EU, ONE

FIELDS = {
    "Id": "pp-1",
    "Name": "baseline",
    "Type": "CFN_STACKSET",
    "Status": "AVAILABLE",
    "Arn": f"arn:aws:servicecatalog:{EU}:{ONE}:stack/baseline/pp-1",
    "ProductId": "prod-1",
    "ProvisioningArtifactId": "pa-1",
}


def refused(check: Any, answer: Any) -> str:
    """Return the code with which an answer is refused."""
    with pytest.raises(PollFailedError) as caught:
        check(answer)
    assert caught.value.reason is Reason.INCOMPLETE
    return caught.value.error_code


def test_a_description_becomes_a_value() -> None:
    """Account and Region come from the ARN."""
    assert product_detail(FIELDS) == ProductDetail(
        id="pp-1",
        name="baseline",
        type="CFN_STACKSET",
        status=ProductStatus.AVAILABLE,
        product_id="prod-1",
        provisioning_artifact_id="pa-1",
        account=ONE,
        region=EU,
    )


@pytest.mark.parametrize("arn", [None, "", 7, "arn", "pp-1", "nra:a:b:c:d:e", "arn:a:b:\0:d:e"])
def test_missing_fields_are_empty(arn: object) -> None:
    """A product without a valid ARN or catalog ids is accepted."""
    found = product_detail({"Id": "pp-1", "Name": "b", "Type": "T", "Status": "ERROR", "Arn": arn, "ProductId": None})
    assert (found.account, found.region, found.product_id, found.provisioning_artifact_id) == ("", "", "", "")


def test_a_status_that_is_not_known_is_unknown() -> None:
    """AWS may add statuses."""
    assert product_detail({**FIELDS, "Status": "IMAGINARY"}).status is ProductStatus.UNKNOWN


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "pp-1",
        7,
        {},
        *({**FIELDS, name: value} for name in ("Id", "Name", "Type", "Status") for value in (None, "", 7, ["a"])),
        *({**FIELDS, name: "two\nlines"} for name in ("Id", "Type", "Status")),
    ],
    ids=repr,
)
def test_an_invalid_product_is_refused_in_a_description_and_skipped_in_a_search(wrong: object) -> None:
    """One bad item never fails a search, and it is counted."""
    assert refused(check_description, {"ProvisionedProductDetail": wrong}) == "NotADescription"
    assert check_search({"ProvisionedProducts": [FIELDS, wrong, FIELDS]}) == SearchPage([FIELDS, FIELDS], 1, None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("two\nlines", "two\nlines"),
        ("no-break\u00a0space", "no-break\u00a0space"),
        ("\U0001f468\u200d\U0001f4bb", "\U0001f468\u200d\U0001f4bb"),
        ("half a pair \ud83d", "half a pair ?"),
    ],
)
def test_a_name_may_contain_any_character(name: str, expected: str) -> None:
    """Half of a surrogate pair is replaced, because it cannot be encoded."""
    fields = {**FIELDS, "Name": name}
    assert check_description({"ProvisionedProductDetail": fields})[0].name == expected
    found = matching(check_search({"ProvisionedProducts": [fields]}).items, DiscoverSettings(("*",), {}, 60.0))
    assert found["pp-1"].name == expected


@pytest.mark.parametrize("answer", [None, [], "a", {}, {"ProvisionedProductDetail": []}, {"ProvisionedProducts": {}}])
def test_a_response_without_products_is_refused(answer: object) -> None:
    """This holds for both operations."""
    assert refused(check_description, answer) == "NotADescription"
    assert refused(check_search, answer) == "NotASearch"


def test_a_page_larger_than_requested_is_refused() -> None:
    """It could fill the memory."""
    assert refused(check_search, {"ProvisionedProducts": [FIELDS] * 101}) == "PageTooLarge"


def test_a_token_that_is_not_text_is_refused() -> None:
    """The token of a search page is a string or null."""
    assert refused(check_search, {"ProvisionedProducts": [], "NextPageToken": 7}) == "BadPageToken"
    assert refused(check_search, {"ProvisionedProducts": [], "NextPageToken": 0}) == "BadPageToken"
    assert check_search({"ProvisionedProducts": [], "NextPageToken": None}) == SearchPage([], 0, None)


def product(name: str, tags: dict[str, str] | None = None, kind: str = "CFN_STACKSET") -> dict[str, object]:
    """Return a product as a search does."""
    listed = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
    return {**FIELDS, "Id": f"pp-{name}", "Name": name, "Type": kind, "Tags": listed}


FOUND = [
    product("baseline-b", {"team": "platform", "tier": "1"}),
    product("baseline-a", {"team": "platform"}),
    product("baseline-a", {"team": "platform"}),
    product("Baseline-c", {"team": "platform"}),
    product("guardrails"),
    product("baseline-d", {"team": "platform"}, "CFN_STACK"),
]


@pytest.mark.parametrize(
    ("names", "tags", "expected"),
    [
        (["*"], {}, ["pp-Baseline-c", "pp-baseline-a", "pp-baseline-b", "pp-guardrails"]),
        (["baseline-*"], {}, ["pp-baseline-a", "pp-baseline-b"]),
        (["baseline-b", "guard?ails"], {}, ["pp-baseline-b", "pp-guardrails"]),
        (["*"], {"team": "platform", "tier": "1"}, ["pp-baseline-b"]),
        (["*"], {"team": "Platform"}, []),
        (["baseline-[!a]"], {"team": "platform"}, ["pp-baseline-b"]),
        (["nothing"], {}, []),
    ],
)
def test_products_match_by_name_and_tags(names: list[str], tags: dict[str, str], expected: list[str]) -> None:
    """The match is case-sensitive."""
    assert sorted(matching(FOUND, DiscoverSettings(tuple(names), tags, 60.0))) == expected


values = st.none() | st.text() | st.integers() | st.lists(st.text(), max_size=1)


@given(st.lists(values | st.dictionaries(st.sampled_from(["Key", "Value"]), values), max_size=4) | values)
def test_tags_of_any_shape_match_or_not(tags: object) -> None:
    """An invalid tag is ignored."""
    wanted = DiscoverSettings(("*",), {"team": "platform"}, 60.0)
    found = [{**product("a"), "Tags": tags}]
    assert matching(found, wanted) in ({}, {"pp-a": product_detail(found[0])})
