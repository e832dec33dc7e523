"""SIGKILL at random moments while instances change: no transition is lost, invented or logged with a new id.

`make crash` kills 200 times; the short run is part of `make test`. The seed is printed, and taken from
STACKSET_MONITOR_SEED where it is set.
"""

import os
import random
import signal
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Aws
from tests.e2e.process import DaemonProcess

PRODUCT = "pp-aaaaaaaaaaaaa"
KILLS = int(os.environ.get("STACKSET_MONITOR_KILLS", "5"))
SEED = int(os.environ.get("STACKSET_MONITOR_SEED", random.SystemRandom().randrange(2**32)))
KEYS = [(f"{n:012}", region) for n in range(10) for region in ("eu-west-1", "us-east-1")]
EARLY = 3
"""Every third kill may happen before the daemon is ready."""
STATUSES = ("CURRENT", "OUTDATED", "INOPERABLE", None)
Key = tuple[str, str]


@contextmanager
def changing(aws: Aws, chance: random.Random) -> Iterator[None]:
    """Change some instances on a thread until the end of the block."""
    stop = threading.Event()

    def change() -> None:
        while not stop.wait(chance.uniform(0.01, 0.15)):
            for _ in range(chance.randint(1, 4)):
                aws.stack_sets.set(PRODUCT, *chance.choice(KEYS), chance.choice(STATUSES))

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def stored_fleet(state: Path) -> dict[Key, str] | None:
    """Return the snapshot in the state file; None before the first one."""
    if not state.exists():
        return None
    with closing(sqlite3.connect(state)) as connection:
        if not connection.execute("SELECT name FROM sqlite_master WHERE name = 'product'").fetchone():
            return None
        if not connection.execute("SELECT 1 FROM product WHERE observed_at IS NOT NULL").fetchone():
            return None
        return {(a, r): s for a, r, s in connection.execute("SELECT account, region, status FROM instance")}


def scraped_fleet(daemon: DaemonProcess) -> dict[Key, str]:
    """Return the instances of one scrape."""
    found: dict[Key, str] = {}
    for (account, region, status), value in daemon.samples("servicecatalog_stack_instance_status").items():
        if value == 1:
            assert (account, region) not in found
            found[account, region] = status
    return found


@pytest.mark.timeout(60 + 6 * KILLS)
def test_kills_at_random_moments(aws: Aws, config: Path, tmp_path: Path) -> None:
    """The events, the state and the metrics of all runs together agree with the simulated AWS."""
    print(f"seed {SEED}, {KILLS} kills")
    chance = random.Random(SEED)
    config.write_text(config.read_text().replace("300ms", "100ms"))
    state = tmp_path / "state" / "monitor.db"
    aws.stack_sets.add_product(PRODUCT, "baseline")
    for key in KEYS:
        aws.stack_sets.set(PRODUCT, *key, "CURRENT")
    told: list[dict[str, Any]] = []
    first_scrapes = 0

    with DaemonProcess(config) as daemon:
        baseline = daemon.wait_for_event("provisioned_product.baseline")
        assert daemon.stop() == 0
    start = stored_fleet(state)
    assert start is not None
    assert baseline["counts"]["CURRENT"] == len(start) == len(KEYS)

    with changing(aws, chance):
        for number in range(KILLS):
            if number % EARLY == 1:
                daemon = DaemonProcess(config)
                threading.Event().wait(chance.uniform(0.0, 1.5))  # somewhere between exec and the first polls
                daemon.stop(signal.SIGKILL)
                told += daemon.close()
                continue
            before = stored_fleet(state)
            aws.stack_sets.throttled = True  # the first scrape comes before any poll of this life
            with DaemonProcess(config) as daemon:
                assert scraped_fleet(daemon) == before
                first_scrapes += 1
                aws.stack_sets.throttled = False
                daemon.wait_for_event("poll.completed")
                threading.Event().wait(chance.uniform(0.0, 0.6))  # the random instant
                daemon.stop(signal.SIGKILL)
            told += daemon.entries

    with DaemonProcess(config) as daemon:
        daemon.wait_for_event("poll.completed")
        daemon.wait_for_event("poll.completed", transitions=0)
        assert daemon.stop() == 0
    told += daemon.entries
    told = [entry for entry in told if entry["event"] == "stack_instance.transition"]

    judge(aws, state, start, told)
    print(f"kills {KILLS}, of them early {KILLS - first_scrapes}, first scrapes complete {first_scrapes}")
    print(f"transitions told {len(told)}")
    assert first_scrapes > 0


def judge(aws: Aws, state: Path, start: dict[Key, str], told: list[dict[str, Any]]) -> None:
    """Compare the logged transitions with the state and with the changes of the simulated AWS."""
    with closing(sqlite3.connect(state)) as connection:
        stored = [row[0] for row in connection.execute("SELECT event_id FROM transition ORDER BY sequence")]
        unpublished = connection.execute("SELECT count(*) FROM transition WHERE published = 0").fetchone()[0]
    by_id: dict[str, dict[str, Any]] = {}
    for entry in told:
        same = {key: value for key, value in entry.items() if key != "timestamp"}
        assert by_id.setdefault(entry["event_id"], same) == same, "one id, two transitions"
    print(f"told again under the same id {len(told) - len(by_id)}")
    assert unpublished == 0
    assert set(stored) - by_id.keys() == set(), "lost"
    assert by_id.keys() - set(stored) == set(), "invented"

    history: dict[Key, list[str | None]] = defaultdict(list)
    for made in aws.stack_sets.changes:
        history[made.account, made.region].append(made.after)
    now: dict[Key, str | None] = {key: start.get(key) for key in KEYS}
    place = dict.fromkeys(KEYS, 0)
    for event_id in stored:
        entry = by_id[event_id]
        key = (entry["account"], entry["region"])
        assert entry["previous_status"] == now[key], "a link of the chain is missing, or there twice"
        now[key] = entry["status"]
        # What was seen is what AWS did, in its order: the next place in the history that has this status.
        place[key] = history[key].index(entry["status"], place[key])
    assert {key: status for key, status in now.items() if status} == aws.stack_sets.instances(PRODUCT)
