"""Shards: each product is in exactly one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.shard import Shard, parse_shard

ids = st.text(st.characters(codec="ascii"), min_size=1)


@given(ids, st.integers(1, 50))
def test_each_product_is_in_exactly_one_shard(product_id: str, total: int) -> None:
    """For any number of shards."""
    assert [Shard(ordinal, total).owns(product_id) for ordinal in range(total)].count(True) == 1


def test_shards_have_about_the_same_size() -> None:
    """Of 1,000 products, each of four shards has at least 200."""
    sizes = [sum(Shard(ordinal, 4).owns(f"pp-{n:013}") for n in range(1000)) for ordinal in range(4)]
    assert min(sizes) > 200


def test_product_stays_in_its_shard() -> None:
    """The hash is the same in every version and on every machine, since the state belongs to a shard."""
    assert [name for name in "abcdefghijkl" if Shard(0, 3).owns(f"pp-{name}")] == ["g", "l"]


@pytest.mark.parametrize("text", ["0/1", "0/3", "2/3", "9/10"])
def test_shard_is_parsed(text: str) -> None:
    """I of N."""
    shard = parse_shard(text)
    assert f"{shard.ordinal}/{shard.total}" == text


@pytest.mark.parametrize("text", ["", "1", "3/3", "0/0", "-1/3", "a/b", "1/2/3", "1 /2", "0x1/3"])
def test_invalid_shard_is_refused(text: str) -> None:
    """The message shows the format."""
    with pytest.raises(ValueError, match="is not a shard: write I/N with I from 0 to N - 1, like 0/3"):
        parse_shard(text)
