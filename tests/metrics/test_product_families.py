"""The families that have few series a product, packed in groups."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from monitor.metrics.families import PRODUCT_FAMILIES, UP, Family
from monitor.metrics.pieces import Exposition
from monitor.metrics.product_families import GROUP, ProductFamilies


def lines(value: str) -> Mapping[Family, bytes]:
    """Return one line a family."""
    return {family: f"{family.name} {value}\n".encode() for family in PRODUCT_FAMILIES}


def shown(summary: ProductFamilies) -> list[str]:
    """Return the lines of one family."""
    text = b"".join(Exposition([summary.section(openmetrics=False)]).text()).decode()
    return [line.removeprefix(f"{UP.name} ") for line in text.splitlines() if line.startswith(f"{UP.name} ")]


def test_a_product_keeps_its_place() -> None:
    """Products come in the order in which they were first there, whichever changes."""
    summary = ProductFamilies()
    for number in range(3 * GROUP):
        summary.put(f"pp-{number}", lines(str(number)))
    summary.put("pp-40", lines("new"))
    assert shown(summary) == [*map(str, range(40)), "new", *map(str, range(41, 3 * GROUP))]


def test_a_product_that_goes_makes_room() -> None:
    """A product that was removed has no line any more, and the next new one takes its place."""
    summary = ProductFamilies()
    for name in "abc":
        summary.put(name, lines(name))
    summary.remove("b")
    summary.remove("b")
    assert shown(summary) == ["a", "c"]
    summary.put("d", lines("d"))
    assert shown(summary) == ["a", "d", "c"]


def test_only_what_changed_is_packed_again() -> None:
    """The pieces of other groups and of families without a change are the same objects as before."""
    summary = ProductFamilies()
    for number in range(4 * GROUP):
        summary.put(f"pp-{number}", lines("1"))
    before = summary.section(openmetrics=False).pieces
    summary.put("pp-7", {**lines("1"), UP: b"up 2\n"})
    after = summary.section(openmetrics=False).pieces
    headers = len(PRODUCT_FAMILIES)  # which are made each time; they are small
    assert sum(a is not b for a, b in zip(before, after, strict=True)) == headers + 1


def test_the_same_lines_again_change_nothing() -> None:
    """A scrape finds the same object when nothing has changed."""
    summary = ProductFamilies()
    summary.put("pp-1", lines("1"))
    before = summary.section(openmetrics=True)
    summary.put("pp-1", lines("1"))
    assert summary.section(openmetrics=True) is before


@given(st.lists(st.tuples(st.integers(0, 80), st.none() | st.integers(0, 5)), max_size=60))
def test_whatever_comes_and_goes_is_shown(steps: list[tuple[int, int | None]]) -> None:
    """Every product has exactly the lines that it was given last."""
    summary, expected = ProductFamilies(), dict[int, int]()
    for product, value in steps:
        if value is None:
            summary.remove(f"pp-{product}")
            expected.pop(product, None)
        else:
            summary.put(f"pp-{product}", lines(f"{product}/{value}"))
            expected[product] = value
    assert sorted(shown(summary)) == sorted(f"{product}/{value}" for product, value in expected.items())
