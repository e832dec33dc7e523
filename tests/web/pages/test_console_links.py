"""Links into the AWS console."""

from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from monitor.model.details import InstanceDetail, StackSetDetails
from monitor.model.instances import InstanceState, Status
from monitor.model.paging import InstanceView
from monitor.model.products import ProductDetail
from monitor.web.pages.console_links import instance_link, product_links
from tests.making import BASELINE, EPOCH, EU, ONE, detail
from tests.web.fake_views import product_view

DETAIL = detail()
STACK = f"arn:aws:cloudformation:eu-west-1:{ONE}:stack/StackSet-SC-1/2"
NAME = f"SC-{ONE}-{BASELINE.id}"


def instance(region: str, product: ProductDetail | None = DETAIL, **fields: Any) -> InstanceView:
    """Return a stack instance of a product."""
    state = InstanceState(Status.OUTDATED, EPOCH)
    return InstanceView(product_view({(ONE, region): state}, detail=product, **fields), ONE, region, state)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("eusc-de-east-1", "eusc-de-east-1.console.amazonaws-eusc.eu"),
    ],
)
def test_each_partition_has_a_console(region: str, host: str) -> None:
    """A product and its stack set are opened in the console of their partition and Region."""
    links = product_links(replace(detail(), region=region))
    assert links
    assert links.product == f"https://{host}/servicecatalog/home?region={region}#provisioned-products/{BASELINE.id}"
    assert links.stack_set == f"https://{host}/cloudformation/home?region={region}#/stacksets?filteringText={NAME}"


def test_the_stack_of_an_instance() -> None:
    """The link has the Region of the instance, and the name that CloudFormation gives to its stack."""
    link = instance_link(instance("ap-south-1"))
    base = "https://ap-south-1.console.aws.amazon.com/cloudformation/home?region=ap-south-1"
    assert link == f"{base}#/stacks?filteringText=StackSet-{NAME}"


@pytest.mark.parametrize("region", ["us-iso-east-1", "mars-north-1", "", "eu-west-1.evil.example/?"])
def test_no_link_into_an_unknown_console(region: str) -> None:
    """A Region of no known partition has no link: text from AWS never becomes the host of an address."""
    assert product_links(replace(detail(), region=region)) is None
    assert instance_link(instance(region)) is None


def test_no_link_without_the_account() -> None:
    """The name of the stack set contains the account of the product, so nothing is guessed without it."""
    unknown = replace(detail(), account="")
    assert product_links(unknown) is None
    assert instance_link(instance(EU, unknown)) is None
    assert product_links(None) is None
    assert instance_link(instance(EU, None)) is None


def test_a_stack_that_is_known_is_opened_itself() -> None:
    """With `details`, the link leads to the stack of the instance, whatever is known about its product."""
    details = StackSetDetails({(ONE, EU): InstanceDetail("FAILED", stack_id=STACK)})
    link = instance_link(instance(EU, None, details=details))
    base = "https://eu-west-1.console.aws.amazon.com/cloudformation/home?region=eu-west-1#/stacks/stackinfo?stackId="
    assert link == base + quote(STACK, safe="")
