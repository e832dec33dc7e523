"""The series of stack instances, in blocks that are rendered again only when they change."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.settings import InstanceSeries, SeriesOptions
from monitor.metrics.chunk import Exposition
from monitor.metrics.instance_blocks import BLOCK_INSTANCES, Blocks, InstanceRenderer
from monitor.model.diff import diff
from monitor.model.instances import InstanceKey, Product, Status
from tests.making import BASELINE, EU, LATER, ONE, THREE, TWO, US, listing, snapshot

STATUS = "servicecatalog_stack_instance_status"
SINCE = "servicecatalog_stack_instance_status_since_timestamp_seconds"
P = 'provisioned_product_id="pp-aaaaaaaaaaaaa",provisioned_product_name="baseline"'


RENDERER = InstanceRenderer(BASELINE, SeriesOptions())


def lines(blocks: Blocks) -> list[str]:
    """Return all lines of both families."""
    chunks = [block.status for block in blocks] + [block.since for block in blocks]
    return b"".join(Exposition(chunks).text()).decode().split("\n")[:-1]


def rendered(statuses: Mapping[InstanceKey, Status], product: Product = BASELINE, **options: object) -> list[str]:
    """Return the lines of a snapshot."""
    renderer = InstanceRenderer(product, SeriesOptions(**options))  # type: ignore[arg-type]
    return lines(renderer.blocks(snapshot(statuses, product).states))


def series(statuses: dict[str, int], key: InstanceKey = (ONE, EU)) -> list[str]:
    """Return the status lines of one instance."""
    account, region = key
    return [
        f'{STATUS}{{{P},account="{account}",region="{region}",status="{status}"}} {value}'
        for status, value in statuses.items()
    ]


def test_the_current_status_is_1_and_the_others_are_0() -> None:
    """Every known status has a series, and a CURRENT instance has no timestamp."""
    assert rendered({(ONE, EU): Status.CURRENT}) == series({"CURRENT": 1, "OUTDATED": 0, "INOPERABLE": 0})


def test_an_instance_that_is_not_current_has_a_timestamp() -> None:
    """It has millisecond precision."""
    assert rendered({(ONE, EU): Status.INOPERABLE}) == [
        *series({"CURRENT": 0, "OUTDATED": 0, "INOPERABLE": 1}),
        f'{SINCE}{{{P},account="{ONE}",region="{EU}",status="INOPERABLE"}} 1767323045.678',
    ]


def test_unknown_has_a_series_only_while_it_is_the_status() -> None:
    """The known statuses are 0 beside it."""
    assert rendered({(ONE, EU): Status.UNKNOWN})[:4] == series(
        {"CURRENT": 0, "OUTDATED": 0, "INOPERABLE": 0, "UNKNOWN": 1}
    )


def test_without_zero_series_an_instance_has_one_series() -> None:
    """metrics.zero_series: false saves two of three series."""
    assert rendered({(ONE, EU): Status.CURRENT, (TWO, EU): Status.CURRENT}, zero_series=False) == [
        *series({"CURRENT": 1}),
        *series({"CURRENT": 1}, (TWO, EU)),
    ]


@pytest.mark.parametrize(
    ("choice", "accounts"),
    [(InstanceSeries.ALL, [ONE, TWO]), (InstanceSeries.NON_CURRENT, [TWO]), (InstanceSeries.NONE, [])],
)
def test_instance_series_selects_instances(choice: InstanceSeries, accounts: list[str]) -> None:
    """metrics.instance_series applies to both families."""
    found = rendered({(ONE, EU): Status.CURRENT, (TWO, EU): Status.OUTDATED}, instance_series=choice)
    assert [account for account in (ONE, TWO) if any(account in line for line in found)] == accounts
    assert any(SINCE in line for line in found) == (TWO in accounts)


def test_names_are_escaped() -> None:
    """Quotes, backslashes and newlines are escaped; percent signs and other characters stay as they are."""
    name = 'a "b" \\ c\nd %s é 🚀'
    found = rendered({(ONE, EU): Status.CURRENT}, Product("pp-1", name), zero_series=False)
    assert found == [
        (
            f'{STATUS}{{provisioned_product_id="pp-1",provisioned_product_name="a \\"b\\" \\\\ c\\nd %s é 🚀",'
            f'account="{ONE}",region="{EU}",status="CURRENT"}} 1'
        )
    ]


def many(count: int) -> dict[InstanceKey, Status]:
    """Return this many instances, in two Regions."""
    return {(f"{n:012}", region): Status.CURRENT for n in range(count // 2) for region in (EU, US)}


def test_a_change_renders_one_block_and_reuses_the_others() -> None:
    """The compressed bytes of blocks without a change are the same objects as before."""
    statuses = many(16 * BLOCK_INSTANCES)
    before = snapshot(statuses)
    old = RENDERER.blocks(before.states)
    change = diff(before, listing({**statuses, ("000000000007", EU): Status.OUTDATED}), BASELINE, "poll-2", LATER)
    new = RENDERER.updated(old, (transition.key for transition in change.transitions), change.snapshot.states)
    assert len(old) == len(new) == 16
    assert sum(a is not b for a, b in zip(old, new, strict=True)) == 1
    assert sum(block.since.length > 0 for block in new) == 1


def test_blocks_are_divided_and_merged_when_a_product_grows_and_shrinks() -> None:
    """The size of a block stays about the same."""
    small, large = many(10), many(8 * BLOCK_INSTANCES)
    changed = large.keys() - small.keys()
    grown = RENDERER.updated(RENDERER.blocks(snapshot(small).states), changed, snapshot(large).states)
    shrunk = RENDERER.updated(grown, changed, snapshot(small).states)
    assert (len(grown), len(shrunk)) == (8, 1)


accounts = st.integers(0, 3000).map(lambda n: f"{n:012}")
instances = st.dictionaries(st.tuples(accounts, st.sampled_from([EU, US])), st.sampled_from(list(Status)), max_size=40)


@given(instances, instances)
def test_updated_blocks_have_the_lines_of_new_ones(
    old: dict[InstanceKey, Status], new: dict[InstanceKey, Status]
) -> None:
    """Whatever changes, the lines are those of a snapshot that is rendered as a whole."""
    before = snapshot(old)
    change = diff(before, listing(new), BASELINE, "poll-2", LATER)
    changed = (transition.key for transition in change.transitions)
    updated = RENDERER.updated(RENDERER.blocks(before.states), changed, change.snapshot.states)
    assert sorted(lines(updated)) == sorted(lines(RENDERER.blocks(change.snapshot.states)))


def test_instances_that_are_not_current_are_kept_when_there_are_too_many_series() -> None:
    """CURRENT instances are left out first, and each of their series is counted."""
    states = snapshot({(ONE, EU): Status.CURRENT, (TWO, EU): Status.CURRENT, (THREE, EU): Status.OUTDATED}).states
    fitting, dropped = RENDERER.fitting(states, 7)
    assert list(fitting) == [(THREE, EU), (ONE, EU)]
    assert dropped == 3
