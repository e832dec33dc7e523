"""A product that changes between two pages of a listing, with the real client: no disappearance is false."""

import json
from collections.abc import Callable, Iterator

import pytest

from monitor.aws.source import Source
from monitor.model.deadline import Deadline
from monitor.model.instances import Anomaly, InstanceKey, Listing, Status
from monitor.poller.confirmation import list_confirmed
from tests.conftest import Aws
from tests.faulty_aws.exchange import Request, Response
from tests.faulty_aws.server import FaultyAws
from tests.making import EU, US, snapshot
from tests.support import Observer, source_settings

PAGE_SIZE = 20
KEYS: list[InstanceKey] = [(f"{number:012}", EU) for number in range(61)]
"""Four pages."""
Change = Callable[[list[InstanceKey]], None]


class PositionPagedAws:
    """Pages a live list by position, so that the rest of the list moves when it changes."""

    def __init__(self) -> None:
        self.keys = list(KEYS)
        self.pages = 0
        self.changes: dict[int, Change] = {}
        """What happens after which page, counted over all listings."""

    def __call__(self, request: Request) -> Response:
        """Return the page that the token names, and change the list."""
        place = int(json.loads(request.body).get("PageToken") or 0)
        end = place + PAGE_SIZE
        items = [
            {"Account": account, "Region": region, "StackInstanceStatus": "CURRENT"}
            for account, region in self.keys[place:end]
        ]
        more = {"NextPageToken": str(end)} if end < len(self.keys) else {}
        self.pages += 1
        if change := self.changes.get(self.pages):
            change(self.keys)
        return Response(body=json.dumps({"StackInstances": items, **more}).encode())


@pytest.fixture
def changing(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[PositionPagedAws]:
    """Serve a product of 61 instances."""
    upstream = PositionPagedAws()
    server = FaultyAws(upstream)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.start())
    yield upstream
    server.stop()


def listed(known: list[InstanceKey]) -> Listing:
    """List the product as a poll does that knows some instances."""
    source, deadline = Source(source_settings(), Observer(), 1), Deadline(30.0)
    states = snapshot(dict.fromkeys(known, Status.CURRENT)).states
    return list_confirmed(lambda: source.list_stack_instances("pp-aaaaaaaaaaaaa", deadline), states, 0.5)


def remove(*places: int) -> Change:
    """Return a change that removes the instances at some places."""

    def change(keys: list[InstanceKey]) -> None:
        for place in sorted(places, reverse=True):
            del keys[place]

    return change


def add_first(keys: list[InstanceKey]) -> None:
    """Add an instance at the beginning, so that one is listed twice."""
    keys.insert(0, ("000000000000", US))


def replace_first(keys: list[InstanceKey]) -> None:
    """Remove an instance of the first page, and add one at the end."""
    del keys[0]
    keys.append(("999999999999", US))


def swap(keys: list[InstanceKey]) -> None:
    """Swap an instance of the first page with one of the second."""
    keys[5], keys[30] = keys[30], keys[5]


@pytest.mark.parametrize(
    ("changes", "pages"),
    [
        ({1: remove(3)}, 3 + 3 + 3),
        ({1: remove(0, 1, 2), 2: remove(0)}, 3 + 3 + 3),
        ({1: add_first}, 4),
        ({2: replace_first}, 4 + 4 + 4),
        ({1: swap}, 4 + 4),
    ],
    ids=["one removed", "several removed", "one added", "one replaced", "two swapped"],
)
def test_only_what_was_removed_disappears(changes: dict[int, Change], pages: int, changing: PositionPagedAws) -> None:
    """One listing misses instances that crossed a page border; the accepted one is what AWS has."""
    changing.changes = changes
    found = listed(KEYS)
    assert set(KEYS) - found.statuses.keys() == set(KEYS) - set(changing.keys)
    assert changing.pages == pages


def test_instance_that_is_added_meanwhile_is_listed_by_the_next_poll(changing: PositionPagedAws) -> None:
    """It is before the page that was read last; the duplicate is counted."""
    changing.changes = {1: add_first}
    found = listed(KEYS)
    assert found.statuses.keys() == set(KEYS)
    assert found.anomalies == {Anomaly.DUPLICATE: 1}
    assert listed(KEYS).statuses.keys() == set(changing.keys)
