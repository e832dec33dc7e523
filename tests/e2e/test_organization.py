"""One daemon for an organization: roles in other accounts, discovery, reload of the configuration and shards."""

import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from monitor.model.shard import Shard
from monitor.simulation.aws import stack_sets
from monitor.simulation.stack_sets import StackSets
from tests.conftest import Aws
from tests.e2e.process import WAIT, DaemonProcess, eventually
from tests.faulty_aws import roles
from tests.making import EU, ONE, TWO

HUB, NETWORK = "111122223333", "444455556666"
EXTERNAL_ID = "canary-external-id"
STATUS = "servicecatalog_stack_instance_status"
SOURCES = """
poll: {{interval: 300ms, timeout: 300ms}}
sources:
  - name: hub
    region: eu-west-1
    calls_per_second: 1000
  - name: network
    region: eu-central-1
    role_arn: arn:aws:iam::{network}:role/stackset-monitor
    external_id: {external_id}
    calls_per_second: 1000
    discover: {{names: ["net-*"], tags: {{team: network}}, interval: 300ms}}
state: {{path: {folder}/monitor.db}}
web: {{listen: "127.0.0.1:0"}}
log: {{level: debug}}
products:
"""


@pytest.fixture
def network(aws: Aws) -> Iterator[StackSets]:
    """Add products to the account of the caller and to another one, whose role requires an external id."""
    roles.require_external_id(f"arn:aws:iam::{NETWORK}:role/stackset-monitor", EXTERNAL_ID)
    aws.stack_sets.add_product("pp-hub", "hub product")
    aws.stack_sets.set("pp-hub", ONE, EU, "CURRENT")
    there = stack_sets(NETWORK, "eu-central-1")
    add(there, "pp-net1", "net-one")
    add(there, "pp-net2", "net-two")
    there.add_product("pp-net3", "net-three", tags={"team": "other"})
    there.add_product("pp-net4", "other", tags={"team": "network"})
    there.add_product("pp-net5", "net-five", tags={"team": "network"}, stack_set=False)
    yield there
    roles.reset()


def add(where: StackSets, product_id: str, name: str) -> None:
    """Add a product with one instance and the tags of the discovery."""
    where.add_product(product_id, name, tags={"team": "network", "more": "of them"})
    where.set(product_id, TWO, EU, "CURRENT")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Write a configuration of two sources, one with discovery."""
    path = tmp_path / "monitor.yaml"
    text = SOURCES.format(network=NETWORK, external_id=EXTERNAL_ID, folder=tmp_path)
    path.write_text(text + "  - {id: pp-hub, source: hub}\n")
    return path


def shown(daemon: DaemonProcess) -> set[tuple[str, str]]:
    """Return the ids and names of the products that have instance series."""
    return {
        (sample.labels["provisioned_product_id"], sample.labels["provisioned_product_name"])
        for sample in daemon.scrape()
        if sample.name == STATUS
    }


def shows(daemon: DaemonProcess, products: set[tuple[str, str]]) -> bool:
    """Return whether exactly these products have instance series."""
    return shown(daemon) == products


FOUND = {("pp-hub", "hub product"), ("pp-net1", "net-one"), ("pp-net2", "net-two")}


def test_discovery_in_another_account(network: StackSets, config: Path) -> None:
    """The role requires an external id, which is in no output; a terminated product loses its series, with an event."""
    with DaemonProcess(config) as daemon:
        found = daemon.wait_for_event("discovery.completed", source="network")
        assert (found["products"], found["added"]) == (2, 2)
        assert eventually(lambda: shown(daemon) == FOUND)
        assert daemon.get("/readyz") == (200, b"ok\n")
        info = daemon.samples("servicecatalog_provisioned_product_info", provisioned_product_id="pp-net1")
        assert info == {("prod-simulated0001", "pa-simulated00001", "network", NETWORK, "eu-central-1"): 1}
        add(network, "pp-net6", "net-six")
        network.remove_product("pp-net1")
        removed = daemon.wait_for_event("provisioned_product.removed", provisioned_product_id="pp-net1")
        assert removed["message"] == "it is not found any more"
        daemon.wait_for_event("provisioned_product.added", provisioned_product_id="pp-net6")
        after = FOUND - {("pp-net1", "net-one")} | {("pp-net6", "net-six")}
        assert eventually(lambda: shown(daemon) == after)
        assert eventually(lambda: daemon.samples("servicecatalog_discovered_products") == {("network",): 2})
        assert not [s for s in daemon.scrape() if "pp-net1" in s.labels.values()]
        assert daemon.stop() == 0
        assert EXTERNAL_ID not in str(daemon.entries) + daemon.stderr()


def test_a_failed_search_keeps_the_known_products(network: StackSets, config: Path) -> None:
    """While AWS denies the search, the known products are polled, also after a restart."""
    with DaemonProcess(config) as daemon:
        assert eventually(lambda: shown(daemon) == FOUND)
        assert daemon.stop() == 0
    network.denied.add("SearchProvisionedProducts")
    with DaemonProcess(config) as daemon:
        assert shown(daemon) == FOUND  # before anything was asked
        failed = daemon.wait_for_event("discovery.failed", source="network")
        assert (failed["reason"], failed["error_code"]) == ("access_denied", "AccessDeniedException")
        daemon.wait_for_event("poll.completed", provisioned_product_id="pp-net1")
        assert shown(daemon) == FOUND
        failures = "servicecatalog_discovery_failures_total"
        assert eventually(lambda: daemon.samples(failures, reason="throttled") == {("network",): 0})
        network.denied.clear()
        daemon.wait_for_event("discovery.completed", added=0, removed=0)
        assert daemon.stop() == 0


def post(daemon: DaemonProcess, path: str) -> tuple[int, str]:
    """Send an empty POST, and return the status and body."""
    request = urllib.request.Request(daemon.url + path, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=WAIT) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_reload_over_http(aws: Aws, network: StackSets, config: Path) -> None:
    """Products and sources are added and removed, and timestamps stay; an invalid file is a 400 and changes nothing."""
    aws.stack_sets.add_product("pp-second", "second")
    aws.stack_sets.set("pp-second", ONE, EU, "OUTDATED")
    aws.stack_sets.set("pp-hub", ONE, EU, "INOPERABLE")
    before = config.read_text()
    since = "servicecatalog_stack_instance_status_since_timestamp_seconds"
    with DaemonProcess(config, "--web.enable-lifecycle") as daemon:
        assert eventually(lambda: shown(daemon) == FOUND)
        held = daemon.samples(since, provisioned_product_id="pp-hub")
        config.write_text(before + "  - {id: pp-hub, source: nowhere}\n  - pp-second\n")
        status, problems = post(daemon, "/-/reload")
        assert status == 400
        assert problems.count("monitor.yaml:") == 3
        successful = "stackset_monitor_config_last_reload_successful"
        assert eventually(lambda: daemon.samples(successful) == {(): 0})  # this family is rendered once a second
        assert "duplicate" in daemon.wait_for_event("config.reload_failed")["message"]
        assert shown(daemon) == FOUND

        without_network = before[: before.index("  - name: network")] + before[before.index("state:") :]
        config.write_text(without_network + "  - {id: pp-second, name: mine, source: hub, interval: 1s}\n")
        assert post(daemon, "/-/reload") == (200, "reloaded\n")
        told = daemon.wait_for_event("config.reloaded")
        assert (told["added"], told["removed"], told["restart_required"]) == (1, 2, [])
        assert eventually(lambda: daemon.samples(successful) == {(): 1})
        assert eventually(lambda: shown(daemon) == {("pp-hub", "hub product"), ("pp-second", "mine")})
        assert daemon.samples(since, provisioned_product_id="pp-hub") == held
        assert not [s for s in daemon.scrape() if s.labels.get("source") == "network"]
        assert daemon.samples("servicecatalog_poll_interval_seconds", provisioned_product_id="pp-second") == {(): 1}

        config.write_text(config.read_text().replace("name: mine", "name: ours") + "metrics: {zero_series: false}\n")
        assert post(daemon, "/-/reload")[0] == 200
        assert daemon.wait_for_events(2, "config.reloaded")[1]["changed"] == 1
        assert daemon.samples(STATUS, provisioned_product_name="ours") == {(ONE, EU, "OUTDATED"): 1}
        assert daemon.samples(STATUS, provisioned_product_name="hub product") == {(ONE, EU, "INOPERABLE"): 1}
        assert not [e for e in daemon.entries if e["event"] == "stack_instance.transition"]
        assert daemon.stop() == 0


def test_reload_on_sighup_and_when_a_mounted_file_changes(aws: Aws, network: StackSets, config: Path) -> None:
    """SIGHUP reloads at once; a changed symlink, as of a ConfigMap, is noticed within some seconds."""
    aws.stack_sets.add_product("pp-second", "second")
    folders = [config.parent / name for name in ("..one", "..two")]
    for folder, more in zip(folders, ("", "  - {id: pp-second, source: hub}\n"), strict=True):
        folder.mkdir()
        (folder / "monitor.yaml").write_text(config.read_text() + more)
    config.unlink()
    data = config.parent / "..data"
    data.symlink_to(folders[0])
    config.symlink_to("..data/monitor.yaml")
    with DaemonProcess(config) as daemon:
        assert post(daemon, "/-/reload")[0] == 404
        os.kill(daemon.pid, signal.SIGHUP)
        assert daemon.wait_for_event("config.reloaded")["added"] == 0
        swapped = config.parent / "..data_tmp"
        swapped.symlink_to(folders[1])
        swapped.rename(data)
        assert daemon.wait_for_events(2, "config.reloaded")[1]["added"] == 1
        daemon.wait_for_event("poll.completed", provisioned_product_id="pp-second")
        assert daemon.stop() == 0


def test_each_product_is_polled_by_exactly_one_shard(network: StackSets, config: Path, tmp_path: Path) -> None:
    """Two daemons divide all products, and each exposes its shard."""
    seen: list[set[tuple[str, str]]] = []
    for ordinal in range(2):
        mine = {product for product in FOUND if Shard(ordinal, 2).owns(product[0])}
        config.write_text(config.read_text().replace("monitor.db", f"{ordinal}.db"))
        with DaemonProcess(config, "--shard", f"{ordinal}/2") as daemon:
            daemon.wait_for_event("discovery.completed")
            assert eventually(partial(shows, daemon, mine))
            assert daemon.samples("stackset_monitor_shard_ordinal") == {(): ordinal}
            assert daemon.samples("stackset_monitor_shards") == {(): 2}
            seen.append(shown(daemon))
            assert daemon.stop() == 0
    assert seen[0] | seen[1] == FOUND
    assert not seen[0] & seen[1]


def test_sharding_a_running_daemon_logs_no_false_transition(
    network: StackSets, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A product that moves to another shard starts there with a baseline, and so it does when it returns much later."""
    with DaemonProcess(config) as daemon:
        assert eventually(lambda: shown(daemon) == FOUND)
        assert daemon.stop() == 0
    monkeypatch.setenv("STACKSET_MONITOR_SHARD", "0/2")
    with DaemonProcess(config) as daemon:
        daemon.wait_for_event("discovery.completed")
        assert daemon.stop() == 0
        assert shown_events(daemon, "stack_instance.transition") == []
    for product in ("pp-net1", "pp-net2"):
        network.set(product, TWO, EU, "OUTDATED")
    monkeypatch.delenv("STACKSET_MONITOR_SHARD")
    with DaemonProcess(config) as daemon:
        for product, _ in FOUND:
            daemon.wait_for_event("poll.completed", provisioned_product_id=product)
        assert daemon.stop() == 0
        others = {product for product, _ in FOUND if not Shard(0, 2).owns(product)}
        assert {entry["provisioned_product_id"] for entry in shown_events(daemon, "provisioned_product.baseline")} == (
            others
        )
        told = {entry["provisioned_product_id"] for entry in shown_events(daemon, "stack_instance.transition")}
        assert told == {"pp-net1", "pp-net2"} - others


def shown_events(daemon: DaemonProcess, name: str) -> list[dict[str, object]]:
    """Return the events with this name."""
    return [entry for entry in daemon.entries if entry["event"] == name]
