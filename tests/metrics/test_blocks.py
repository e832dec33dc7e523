"""The series of stack instances, in blocks that are only written again when they change."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.settings import InstanceSeries, SeriesOptions
from monitor.metrics.blocks import BLOCK_INSTANCES, Blocks, Writer, within_room
from monitor.model.diff import diff
from monitor.model.instances import InstanceKey, Product, Status
from tests.making import BASELINE, EU, LATER, ONE, THREE, TWO, US, listing, snapshot

STATUS = "servicecatalog_stack_instance_status"
SINCE = "servicecatalog_stack_instance_status_since_timestamp_seconds"
P = 'provisioned_product_id="pp-aaaaaaaaaaaaa",provisioned_product_name="baseline"'


def lines(blocks: Blocks) -> list[str]:
    """Return all lines of both families."""
    return [
        line
        for part in (blocks.status, blocks.since)
        for piece in part.pieces
        for line in piece.text(keep=False).decode().splitlines()
    ]


def written(statuses: Mapping[InstanceKey, Status], product: Product = BASELINE, **options: object) -> list[str]:
    """Return the lines of a fleet."""
    writer = Writer(product, SeriesOptions(**options))  # type: ignore[arg-type]
    return lines(Blocks(writer, snapshot(statuses, product).states))


def series(statuses: dict[str, int], key: InstanceKey = (ONE, EU)) -> list[str]:
    """Return the status lines of one instance."""
    account, region = key
    return [
        f'{STATUS}{{{P},account="{account}",region="{region}",status="{status}"}} {value}'
        for status, value in statuses.items()
    ]


def test_the_status_that_holds_is_1_and_the_others_are_0() -> None:
    """Every known status has a series, and what is CURRENT has no time."""
    assert written({(ONE, EU): Status.CURRENT}) == series({"CURRENT": 1, "OUTDATED": 0, "INOPERABLE": 0})


def test_what_is_not_current_says_since_when() -> None:
    """The time is written to the millisecond."""
    assert written({(ONE, EU): Status.INOPERABLE}) == [
        *series({"CURRENT": 0, "OUTDATED": 0, "INOPERABLE": 1}),
        f'{SINCE}{{{P},account="{ONE}",region="{EU}",status="INOPERABLE"}} 1767323045.678',
    ]


def test_unknown_has_a_series_only_where_it_holds() -> None:
    """A status that AWS added later is there beside the known ones, which are 0."""
    assert written({(ONE, EU): Status.UNKNOWN})[:4] == series(
        {"CURRENT": 0, "OUTDATED": 0, "INOPERABLE": 0, "UNKNOWN": 1}
    )


def test_without_zero_series_only_the_status_that_holds_is_there() -> None:
    """metrics.zero_series: false saves two of three series."""
    assert written({(ONE, EU): Status.CURRENT, (TWO, EU): Status.CURRENT}, zero_series=False) == [
        *series({"CURRENT": 1}),
        *series({"CURRENT": 1}, (TWO, EU)),
    ]


@pytest.mark.parametrize(
    ("choice", "accounts"),
    [(InstanceSeries.ALL, [ONE, TWO]), (InstanceSeries.NON_CURRENT, [TWO]), (InstanceSeries.NONE, [])],
)
def test_the_choice_of_instances(choice: InstanceSeries, accounts: list[str]) -> None:
    """metrics.instance_series chooses whose series are there, in both families."""
    found = written({(ONE, EU): Status.CURRENT, (TWO, EU): Status.OUTDATED}, instance_series=choice)
    assert [account for account in (ONE, TWO) if any(account in line for line in found)] == accounts
    assert any(SINCE in line for line in found) == (TWO in accounts)


def test_names_are_escaped() -> None:
    """Quotes, backslashes, newlines and per cent signs come out as Prometheus wants them."""
    name = 'a "b" \\ c\nd %s é 🚀'
    found = written({(ONE, EU): Status.CURRENT}, Product("pp-1", name), zero_series=False)
    assert found == [
        (
            f'{STATUS}{{provisioned_product_id="pp-1",provisioned_product_name="a \\"b\\" \\\\ c\\nd %s é 🚀",'
            f'account="{ONE}",region="{EU}",status="CURRENT"}} 1'
        )
    ]


def many(count: int) -> dict[InstanceKey, Status]:
    """Return a fleet of so many accounts in two Regions."""
    return {(f"{n:012}", region): Status.CURRENT for n in range(count // 2) for region in (EU, US)}


def test_a_change_writes_one_block_and_keeps_the_others() -> None:
    """The bytes of what did not change are the same objects as before."""
    fleet = many(16 * BLOCK_INSTANCES)
    before = snapshot(fleet)
    blocks = Blocks(Writer(BASELINE, SeriesOptions()), before.states)
    change = diff(before, listing({**fleet, ("000000000007", EU): Status.OUTDATED}), BASELINE, "poll-2", LATER)
    after = blocks.changed((t.key for t in change.transitions), change.snapshot.states)
    old, new = blocks.status.pieces, after.status.pieces
    assert len(old) == len(new) == 16
    assert sum(a is not b for a, b in zip(old, new, strict=True)) == 1
    assert len(after.since.pieces) == 1


def test_blocks_split_and_join_when_a_fleet_grows_and_shrinks() -> None:
    """Blocks stay near their size, whatever becomes of the fleet."""
    writer, small, large = Writer(BASELINE, SeriesOptions()), many(10), many(8 * BLOCK_INSTANCES)
    grown = Blocks(writer, snapshot(small).states).changed(large.keys() - small.keys(), snapshot(large).states)
    assert len(grown.status.pieces) == 8
    shrunk = grown.changed(large.keys() - small.keys(), snapshot(small).states)
    assert len(shrunk.status.pieces) == 1


accounts = st.integers(0, 3000).map(lambda n: f"{n:012}")
fleets = st.dictionaries(st.tuples(accounts, st.sampled_from([EU, US])), st.sampled_from(list(Status)), max_size=40)


@given(fleets, fleets)
def test_changed_blocks_show_what_new_ones_would(
    old: dict[InstanceKey, Status], new: dict[InstanceKey, Status]
) -> None:
    """However a fleet changes, its lines are those of a fleet that was written anew."""
    writer, before = Writer(BASELINE, SeriesOptions()), snapshot(old)
    change = diff(before, listing(new), BASELINE, "poll-2", LATER)
    changed = Blocks(writer, before.states).changed((t.key for t in change.transitions), change.snapshot.states)
    assert sorted(lines(changed)) == sorted(lines(Blocks(writer, change.snapshot.states)))


def test_where_there_is_no_room_what_is_not_current_stays() -> None:
    """Series are left out from the CURRENT ones first, and every one that is left out is counted."""
    states = snapshot({(ONE, EU): Status.CURRENT, (TWO, EU): Status.CURRENT, (THREE, EU): Status.OUTDATED}).states
    kept, dropped = within_room(Writer(BASELINE, SeriesOptions()), states, 7)
    assert list(kept) == [(THREE, EU), (ONE, EU)]
    assert dropped == 3
