"""`check --aws`: what a configuration meets at AWS, in words that somebody can act on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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
    """Simulate a product of 45 instances here, and one in another account."""
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


def test_all_is_well(there: StackSets, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who we are in each source, what was found, and what a poll of each product costs."""
    found = check(capsys, tmp_path, f"{HUB}\n{NETWORK}", f"{{id: {PRODUCT}, source: hub}}")
    assert found == Result(
        0,
        f"""\
{tmp_path}/monitor.yaml: fine: 1 product in 2 sources

SOURCE   IDENTITY                                                                  PRODUCTS  DISCOVERY  CALLS PER SECOND
hub      arn:aws:sts::123456789012:user/moto                                       1         off        0.01 of 10
network  arn:aws:sts::444455556666:assumed-role/stackset-monitor/stackset-monitor  1         found 1    0.01 of 10

PRODUCT           NAME      SOURCE   TYPE          STATUS     INSTANCES  PAGES  CALLS  SECONDS  INTERVAL
pp-aaaaaaaaaaaaa  baseline  hub      CFN_STACKSET  AVAILABLE  45         3      4      0.4      5m
pp-bbbbbbbbbbbbb  network   network  CFN_STACKSET  TAINTED    0          1      2      0.2      5m

nothing is wrong at AWS
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
        ("SearchProvisionedProducts", "source network: its products cannot be looked for: "),
        ("DescribeProvisionedProduct", f"product {OTHER}: it cannot be described: "),
        ("ListStackInstancesForProvisionedProduct", f"product {OTHER}: its stack instances cannot be listed: "),
    ],
)
def test_a_permission_that_is_missing_is_named(
    operation: str, sentence: str, there: StackSets, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who needs which action; exit code 1."""
    there.denied.add(operation)
    found = check(capsys, tmp_path, NETWORK)
    assert found.code == 1
    (line,) = [line for line in found.out.splitlines() if line.startswith(sentence)]
    assert line.endswith(f"{ROLE} needs the permission servicecatalog:{operation}")


def test_a_role_that_cannot_be_assumed(there: StackSets, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What its trust policy and the monitor's own need; the external id is not in it."""
    roles.require_external_id(ROLE, "another")
    source = NETWORK.replace("discover", "external_id: canary-external-id, discover")
    found = check(capsys, tmp_path, f"{HUB}\n{source}", f"{{id: {PRODUCT}, source: hub}}")
    assert found.code == 1
    last = found.out.splitlines()[-1]
    assert last.startswith(f"source network: the role {ROLE} cannot be assumed: ")
    assert "needs sts:AssumeRole on it" in last
    assert "canary-external-id" not in found.out + found.err
    assert f"{PRODUCT}  baseline  hub" in found.out


def test_what_is_no_stack_set_or_not_there(
    there: StackSets, aws: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is said once, with where to look."""
    aws.stack_sets.add_product(OTHER, "bucket", stack_set=False)
    found = check(capsys, tmp_path, HUB, f"{OTHER}, pp-nowhere")
    assert found.code == 1
    assert found.out.splitlines()[-2:] == [
        f"product {OTHER}: it is of type CFN_STACK, and only those of type CFN_STACKSET have stack instances",
        (
            "product pp-nowhere: it cannot be described: Provisioned product pp-nowhere not found"
            " (ResourceNotFoundException). Is it in another account or Region than those of source hub?"
        ),
    ]


def test_a_budget_that_is_too_small(
    there: StackSets, aws: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The calls that are needed, and those that are allowed."""
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
        "source hub: its products need 4.00 calls a second, and calls_per_second is 3.9: poll less often, or allow"
        " more calls"
    )
