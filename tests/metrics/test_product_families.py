"""The families with few series for each product, compressed in groups."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.metrics.chunk import Chunk, Exposition
from monitor.metrics.families import PRODUCT_FAMILIES, UP, Family
from monitor.metrics.product_families import GROUP_PRODUCTS, ProductFamilies


def lines(value: str) -> Mapping[Family, bytes]:
    """Return one line for each family."""
    return {family: f"{family.name} {value}\n".encode() for family in PRODUCT_FAMILIES}


def shown(families: ProductFamilies) -> list[str]:
    """Return the lines of one family."""
    text = b"".join(Exposition([families.chunks()[UP]]).text()).decode()
    return [line.removeprefix(f"{UP.name} ") for line in text.splitlines()]


def filled(products: int) -> ProductFamilies:
    """Return families with this many products."""
    families = ProductFamilies()
    for number in range(products):
        families.put(f"pp-{number}", lines(str(number)))
    return families


def test_a_product_keeps_its_place() -> None:
    """Products are in the order in which they were added, whichever of them changes."""
    families = filled(3 * GROUP_PRODUCTS)
    families.put("pp-40", lines("new"))
    assert shown(families) == [*map(str, range(40)), "new", *map(str, range(41, 3 * GROUP_PRODUCTS))]


def test_a_removed_product_has_no_lines() -> None:
    """Removing it twice is harmless, and it may return."""
    families = filled(3)
    families.remove("pp-1")
    families.remove("pp-1")
    assert shown(families) == ["0", "2"]
    families.put("pp-1", lines("1"))
    assert shown(families) == ["0", "2", "1"]


def test_only_what_changed_is_compressed_again_and_only_when_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two changes of one family of one product cost one compression, at the next scrape."""
    families = filled(4 * GROUP_PRODUCTS)
    before = dict(families.chunks())
    compressed: list[bytes] = []
    compress = Chunk.compress

    def counted(text: bytes) -> Chunk:
        compressed.append(text)
        return compress(text)

    monkeypatch.setattr(Chunk, "compress", counted)
    families.put("pp-7", {**lines("7"), UP: b"up second\n"})
    families.put("pp-7", {**lines("7"), UP: b"up third\n"})
    assert compressed == []
    after = families.chunks()
    assert [family for family in PRODUCT_FAMILIES if after[family] is not before[family]] == [UP]
    (group,) = compressed
    assert (group.count(b"\n"), b"up second" in group, b"up third" in group) == (GROUP_PRODUCTS, False, True)


def test_the_same_lines_again_change_nothing() -> None:
    """Every chunk stays the same object."""
    families = filled(1)
    before = dict(families.chunks())
    families.put("pp-0", lines("0"))
    assert all(families.chunks()[family] is before[family] for family in PRODUCT_FAMILIES)


@given(st.lists(st.tuples(st.integers(0, 80), st.none() | st.integers(0, 5)), max_size=60))
def test_every_product_has_the_lines_that_were_put_last(steps: list[tuple[int, int | None]]) -> None:
    """This holds for any sequence of added, changed and removed products."""
    families, expected = ProductFamilies(), dict[int, int]()
    for product, value in steps:
        if value is None:
            families.remove(f"pp-{product}")
            expected.pop(product, None)
        else:
            families.put(f"pp-{product}", lines(f"{product}/{value}"))
            expected[product] = value
    assert sorted(shown(families)) == sorted(f"{product}/{value}" for product, value in expected.items())
