"""Links into the AWS console. The fragments are those that the console itself shows in the address bar.

AWS documents neither the addresses nor their stability. A fragment that the console does not know opens the list that
it belongs to.
"""

from dataclasses import dataclass
from urllib.parse import quote

from monitor.config.region import partition_of
from monitor.model.paging import InstanceView
from monitor.model.products import ProductDetail

_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-eusc": "console.amazonaws-eusc.eu",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


@dataclass(frozen=True, slots=True)
class ProductLinks:
    """The addresses of a product in the AWS console."""

    product: str
    stack_set: str


def product_links(detail: ProductDetail | None) -> ProductLinks | None:
    """Return the addresses of a product; None if its account or Region is not known."""
    if detail is None or not detail.account or (home := _home("servicecatalog", detail.region)) is None:
        return None
    stack_sets = _home("cloudformation", detail.region)
    return ProductLinks(
        product=f"{home}#provisioned-products/{quote(detail.id, safe='')}",
        stack_set=f"{stack_sets}#/stacksets?filteringText={quote(stack_set_name(detail), safe='')}",
    )


def instance_link(instance: InstanceView) -> str | None:
    """Return the address of the stack of an instance, for a person who has signed in to the account of the instance.

    Without `details`, it is the list of the stacks whose name begins as that of the stack does. None if the console of
    the Region is not known, or the name of the stack.
    """
    home = _home("cloudformation", instance.region)
    if home is None:
        return None
    if instance.detail and instance.detail.stack_id:
        return f"{home}#/stacks/stackinfo?stackId={quote(instance.detail.stack_id, safe='')}"
    product = instance.product.detail
    if product is None or not product.account:
        return None
    return f"{home}#/stacks?filteringText={quote(f'StackSet-{stack_set_name(product)}', safe='')}"


def stack_set_name(detail: ProductDetail) -> str:
    """Return the name that Service Catalog gives to the stack set of a product.

    The stacks of its instances are named `StackSet-SC-ACCOUNT-PRODUCT-UUID` (the managed policies of Service Catalog
    grant rights on `stackset/SC-*` and `stack/StackSet-SC-*`).
    """
    return f"SC-{detail.account}-{detail.id}"


def _home(service: str, region: str) -> str | None:
    host = _HOSTS.get(partition_of(region) or "")
    return f"https://{region}.{host}/{service}/home?region={region}" if host else None
