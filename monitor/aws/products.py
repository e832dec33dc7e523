"""What AWS says of provisioned products, checked: a well-formed answer or an error.

API: DescribeProvisionedProduct (`ProvisionedProductDetail`) and SearchProvisionedProducts
(`ProvisionedProductAttribute`), which have the same fields as far as we use them; only the search has tags.
"""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from monitor.aws.listing import check_token, incomplete
from monitor.config.settings import DiscoverSettings
from monitor.model.products import STACK_SET, ProductDetail, ProductStatus

_REQUIRED = ("Id", "Name", "Type", "Status")
_ARN_PARTS = 6


def checked_description(answer: Any) -> Mapping[str, Any]:
    """Return the answer where it describes a product; raise `PollFailedError` (incomplete) where it does not."""
    found = answer.get("ProvisionedProductDetail") if isinstance(answer, Mapping) else None
    if not _is_product(found):
        raise incomplete("NotADescription", "the answer does not describe a provisioned product")
    described: Mapping[str, Any] = answer
    return described


def checked_search(answer: Any) -> Mapping[str, Any]:
    """Return the answer where it is a page of products; raise `PollFailedError` (incomplete) where it is not."""
    found = answer.get("ProvisionedProducts") if isinstance(answer, Mapping) else None
    if not isinstance(found, list) or not all(map(_is_product, found)):
        raise incomplete("NotASearch", "the answer has no list of provisioned products")
    check_token(answer)
    page: Mapping[str, Any] = answer
    return page


def detail(fields: Mapping[str, Any]) -> ProductDetail:
    """Return a checked product as a value."""
    account, region = _place(fields.get("Arn"))
    status = fields["Status"]
    return ProductDetail(
        id=fields["Id"],
        name=fields["Name"],
        type=fields["Type"],
        status=ProductStatus(status) if status in ProductStatus.__members__ else ProductStatus.UNKNOWN,
        product_id=_text(fields.get("ProductId")),
        provisioning_artifact_id=_text(fields.get("ProvisioningArtifactId")),
        account=account,
        region=region,
    )


def matching(found: Iterable[Mapping[str, Any]], wanted: DiscoverSettings) -> Sequence[ProductDetail]:
    """Return the products that are StackSets, fit one of the names and have all tags; each once, sorted by id."""
    kept = {fields["Id"]: detail(fields) for fields in found if _wanted(fields, wanted)}
    return [kept[product_id] for product_id in sorted(kept)]


def _wanted(fields: Mapping[str, Any], wanted: DiscoverSettings) -> bool:
    tags = {tag.get("Key"): tag.get("Value") for tag in fields.get("Tags") or () if isinstance(tag, Mapping)}
    return (
        fields["Type"] == STACK_SET
        and any(fnmatchcase(fields["Name"], pattern) for pattern in wanted.names)
        and wanted.tags.items() <= tags.items()
    )


def _is_product(fields: Any) -> bool:
    return isinstance(fields, Mapping) and all(
        isinstance(value := fields.get(name), str) and value and value.isprintable() for name in _REQUIRED
    )


def _place(arn: Any) -> tuple[str, str]:
    """Return the account and Region that an ARN names: `arn:PARTITION:servicecatalog:REGION:ACCOUNT:...`."""
    parts = _text(arn).split(":", _ARN_PARTS - 1)
    return (parts[4], parts[3]) if len(parts) == _ARN_PARTS and parts[0] == "arn" else ("", "")


def _text(value: Any) -> str:
    return value if isinstance(value, str) and value.isprintable() else ""
