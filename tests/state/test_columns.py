"""Stack instances as compressed columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.state.columns import Values, decode, encode

accounts = st.one_of(st.from_regex(r"[0-9]{12}", fullmatch=True), st.text(max_size=14))
rows = st.dictionaries(
    st.tuples(accounts, st.text(max_size=10)),
    st.tuples(st.one_of(st.none(), st.text(max_size=10)), st.integers(-(2**53), 2**53)),
)


@given(rows)
def test_columns_are_read_back(found: dict[tuple[str, str], Values]) -> None:
    """Every instance has its values again, in the order of accounts and Regions."""
    decoded = decode(encode(found))
    assert decoded == found
    assert list(decoded) == sorted(found)


@pytest.mark.parametrize("content", [b"", b"text", encode({("1", "a"): (1,)})[:-1], b"x\x9c\x03\x00\x00\x00\x00\x01"])
def test_other_content_is_refused(content: bytes) -> None:
    """What is cut short, or is not of this form, raises `ValueError`."""
    with pytest.raises(ValueError, match=r"columns|invalid"):
        decode(content)


def test_columns_are_small() -> None:
    """100,000 instances in 10 Regions fit into a quarter of an item of DynamoDB, which has 400 KB."""
    found: dict[tuple[str, str], Values] = {
        (f"{(number // 10 * 99_991_111) % 10**12:012}", f"eu-west-{number % 10}"): ("CURRENT", 1767323045678)
        for number in range(100_000)
    }
    assert len(encode(found)) < 100_000
