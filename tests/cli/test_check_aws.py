"""`check --aws`: the problems that AWS reports, with what to do about them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor.aws.source import Source
from monitor.cli import preflight
from monitor.model.deadline import Deadline
from monitor.model.instances import Listing
from monitor.simulation.aws import stack_sets
from monitor.simulation.stack_sets import StackSets
from tests.cli.commands import OTHER, PRODUCT, Result, here
from tests.conftest import Aws
from tests.faulty_aws import roles
from tests.making import EU

THERE = "444455556666"
ROLE = f"arn:aws:iam::{THERE}:role/stackset-monitor"


@pytest.fixture
def there(aws: Aws) -> Iterator[StackSets]:
    """Simulate a product of 45 instances in one account, and a product in another account."""
    aws.stack_sets.add_product(PRODUCT, "baseline")
    for number in range(45):
        aws.stack_sets.set(PRODUCT, f"{number:012}", EU, "CURRENT")
    other = stack_sets(THERE)
    other.add_product(OTHER, "network", tags={"team": "network"}, status="TAINTED")
    yield other
    roles.reset()


def check(capsys: pytest.CaptureFixture[str], folder: Path, sources: str, products: str = "") -> Result:
    """Run `check --aws` in this process."""
    path = folder / "monitor.yaml"
    path.write_text(f"sources:\n{sources}\n" + (f"products: [{products}]\n" if products else ""))
    return here(capsys, "check", "--aws", "--config", str(path))


HUB = "  - {name: hub, region: eu-west-1}"
NETWORK = f"  - {{name: network, region: eu-west-1, role_arn: '{ROLE}', discover: {{}}}}"


def test_no_problems(there: StackSets, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The identity of each source, its products, and the calls of a poll."""
    found = check(capsys, tmp_path, f"{HUB}\n{NETWORK}", f"{{id: {PRODUCT}, source: hub}}")
    assert found == Result(
        0,
        f"""\
{tmp_path}/monitor.yaml: configuration OK (1 product, 2 sources)

source hub: arn:aws:sts::123456789012:user/moto
1 product, 0.01 of 10 calls a second

PRODUCT           NAME      STATUS     INSTANCES  PAGES  DURATION  INTERVAL
pp-aaaaaaaaaaaaa  baseline  AVAILABLE  45         3      400ms     5m

source network: arn:aws:sts::444455556666:assumed-role/stackset-monitor/stackset-monitor
1 product, 0.01 of 10 calls a second

PRODUCT           NAME     STATUS   INSTANCES  PAGES  DURATION  INTERVAL
pp-bbbbbbbbbbbbb  network  TAINTED  0          1      200ms     5m

no problems found
""",
        "",
    )
    assert there.calls == {
        "SearchProvisionedProducts": 1,
        "DescribeProvisionedProduct": 1,
        "ListStackInstancesForProvisionedProduct": 1,
    }


@pytest.mark.parametrize(
    ("operation", "sentence"),
    [
        ("SearchProvisionedProducts", "source network: cannot discover its products: "),
        ("DescribeProvisionedProduct", f"product {OTHER}: cannot describe it: "),
        ("ListStackInstancesForProvisionedProduct", f"product {OTHER}: cannot list its stack instances: "),
    ],
)
def test_a_permission_that_is_missing_is_named(
    operation: str, sentence: str, there: StackSets, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names the role and the action; exit code 1."""
    there.denied.add(operation)
    found = check(capsys, tmp_path, NETWORK)
    assert found.code == 1
    (line,) = [line for line in found.out.splitlines() if line.startswith(sentence)]
    assert line.endswith(f"{ROLE} needs the permission servicecatalog:{operation}")


def test_a_role_that_cannot_be_assumed(there: StackSets, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message says what the trust policy and the identity need. It does not show the external ID."""
    roles.require_external_id(ROLE, "another")
    source = NETWORK.replace("discover", "external_id: canary-external-id, discover")
    found = check(capsys, tmp_path, f"{HUB}\n{source}", f"{{id: {PRODUCT}, source: hub}}")
    assert found.code == 1
    last = found.out.splitlines()[-1]
    assert last.startswith(f"source network: the role {ROLE} cannot be assumed: ")
    assert "needs sts:AssumeRole on the role" in last
    assert "canary-external-id" not in found.out + found.err
    assert f"{PRODUCT}  baseline" in found.out


def test_a_product_of_another_type_and_a_missing_one(
    there: StackSets, aws: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is reported once, with a hint."""
    aws.stack_sets.add_product(OTHER, "bucket", stack_set=False)
    found = check(capsys, tmp_path, HUB, f"{OTHER}, pp-nowhere")
    assert found.code == 1
    assert found.out.splitlines()[-2:] == [
        f"product {OTHER}: has type CFN_STACK; only CFN_STACKSET has stack instances",
        (
            "product pp-nowhere: cannot describe it: Provisioned product pp-nowhere not found"
            " (ResourceNotFoundException). Is it in another account or Region than source hub?"
        ),
    ]


def test_a_budget_that_is_too_small(
    there: StackSets, aws: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report names the calls that are needed and the settings that allow them."""
    products = [f"pp-{number}" for number in range(4)]
    for product in products:
        aws.stack_sets.add_product(product, product)
    path = tmp_path / "monitor.yaml"
    path.write_text(
        "poll: {interval: 2s, timeout: 2s}\nsources: [{name: hub, region: eu-west-1, calls_per_second: 3.9}]\n"
        f"products: [{', '.join(products)}]\n"
    )
    found = here(capsys, "check", "--aws", "--config", str(path))
    assert found.code == 1
    assert found.out.splitlines()[-1] == (
        "source hub: its 4 products need 240 calls a minute, 4.0 a second: set calls_per_second >= 4 or interval >= 3s"
    )


@pytest.mark.parametrize(
    ("timeout", "rate", "advice"),
    [
        (
            "",
            "240 calls a minute, 4.0 a second, to be read within the timeout of 1s",
            "4 (source hub) or interval >= 3s",
        ),
        (
            ", timeout: 1200ms",
            "200 calls a minute, 3.3 a second, to be read within the timeout of 1s200ms",
            "3.4 (source hub) or poll.timeout and interval >= 2s",
        ),
    ],
)
def test_a_listing_may_take_longer_than_a_poll(
    timeout: str, rate: str, advice: str, there: StackSets, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A product whose pages do not fit into the timeout is listed to its end, to say what is needed.

    The simulated AWS needs less than the timeout for the pages, also on a busy machine.
    """
    path = tmp_path / "monitor.yaml"
    path.write_text(
        f"poll: {{interval: 1250ms{timeout}}}\n"
        "sources: [{name: hub, region: eu-west-1, calls_per_second: 2}]\n"
        f"products: [{PRODUCT}]\n"
    )
    found = here(capsys, "check", "--aws", "--config", str(path))
    assert found.code == 1
    assert found.out.splitlines()[-1] == f"product {PRODUCT}: its 3 pages need {rate}: set calls_per_second >= {advice}"


def test_a_discovery_that_finds_nothing(there: StackSets, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The names or tags may be misspelled: it is a problem, with exit code 1."""
    source = NETWORK.replace("discover: {}", "discover: {names: [netwrok], tags: {team: network}}")
    found = check(capsys, tmp_path, source)
    assert found.code == 1
    assert found.out.splitlines()[-1] == (
        "source network: discover finds no product of type CFN_STACKSET with netwrok, team=network"
    )


def test_a_discovery_that_finds_only_known_products(
    there: StackSets, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A product may be listed, too, or be found by another source before: the discovery works."""
    sources = f"{NETWORK}\n{NETWORK.replace('name: network', 'name: again')}"
    found = check(capsys, tmp_path, sources)
    assert (found.code, found.out.splitlines()[-1]) == (0, "no problems found")
    found = check(capsys, tmp_path, NETWORK, OTHER)
    assert (found.code, found.out.splitlines()[-1]) == (0, "no problems found")


def test_a_listing_that_is_not_complete_in_time(
    there: StackSets, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a problem, even if the pages seen fit into the rate of calls."""

    def never_ends(_: Source, __: str, deadline: Deadline, on_page: Callable[[int, int], None]) -> Listing:
        on_page(1, 20)
        deadline.wait(30)
        raise AssertionError

    monkeypatch.setattr(Source, "list_stack_instances", never_ends)
    monkeypatch.setattr(preflight, "LISTING_SECONDS", 0.2)
    path = tmp_path / "monitor.yaml"
    hub = "{name: hub, region: eu-west-1, calls_per_second: 1000}"
    path.write_text(f"poll: {{interval: 200ms}}\nsources: [{hub}]\nproducts: [{PRODUCT}]\n")
    found = here(capsys, "check", "--aws", "--config", str(path))
    assert (found.code, found.out.splitlines()[-1]) == (
        1,
        f"product {PRODUCT}: AWS took 200ms for its at least 1 page, the timeout is 160ms: set interval >= 1s",
    )


@pytest.mark.parametrize(
    ("variable", "value", "advice"),
    [
        ("AWS_ACCESS_KEY_ID", None, "set AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or `profile`"),
        ("AWS_DEFAULT_REGION", None, "set `region` in the source, or AWS_DEFAULT_REGION"),
        ("AWS_PROFILE", "none", "correct `profile` in the source or AWS_PROFILE"),
        (
            "AWS_ENDPOINT_URL",
            "http://127.0.0.1:9",
            "check the network, HTTPS_PROXY, AWS_CA_BUNDLE and AWS_ENDPOINT_URL",
        ),
    ],
)
def test_what_is_missing_to_call_aws(
    variable: str,
    value: str | None,
    advice: str,
    aws: Aws,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without credentials, Region or network the exit code is 3, and one sentence says what to set."""
    if value is None:
        monkeypatch.delenv(variable)
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY") if "KEY" in variable else None
    else:
        monkeypatch.setenv(variable, value)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    found = check(capsys, tmp_path, "  - {name: hub}", PRODUCT)
    assert (found.code, found.err.count("\n")) == (3, 1)
    assert found.err.startswith("stackset-monitor: source hub: ")
    assert f". To fix it, {advice}" in found.err


def test_details_that_cannot_be_read(there: StackSets, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each product of a source with `details` is tried; the statement that is missing is named."""
    there.denied.add("ListStackInstances")
    network = NETWORK.replace("discover", "details: true, discover")
    found = check(capsys, tmp_path, f"{HUB}\n{network}", f"{{id: {PRODUCT}, source: hub}}")
    assert found.code == 1
    assert f"product {OTHER}: cannot read its details: User: arn:aws:iam::{THERE}:role/simulated is not" in found.out
    assert f"{ROLE} needs the statement ReadDetails that `iam-policy` prints" in found.out
    there.denied.clear()
    assert check(capsys, tmp_path, f"{HUB}\n{network}", f"{{id: {PRODUCT}, source: hub}}").code == 0


def test_entries_of_accepted_that_accept_nothing(
    aws: Aws, there: StackSets, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An expired one is reported without AWS, one that matches nothing with it; neither is an error."""
    aws.stack_sets.set(PRODUCT, "000000000001", EU, "OUTDATED")
    entry = "  - {{account: '{}', statuses: [OUTDATED], until: {}, reason: known}}\n"
    entries = entry.format("000000000001", "2999-12-31") + entry.format("000000000002", "2999-12-31")
    more = f"{HUB}\naccepted:\n{entries}{entry.format('000000000001', '2020-01-01')}"
    found = check(capsys, tmp_path, more, PRODUCT)
    assert found.code == 0
    prefix = f"stackset-monitor: warning: {tmp_path}/monitor.yaml"
    expired = "2020-01-01 has passed, so the entry accepts nothing: remove it or choose a later day"
    unmatched = "no stack instance is accepted by this entry: remove it"
    assert found.err.splitlines() == [
        f"{prefix}:6: accepted[2].until: {expired}",
        f"{prefix}:5: accepted[1]: {unmatched}",
    ]
