"""Checks what AWS returns of provisioned products.

API: DescribeProvisionedProduct (`ProvisionedProductDetail`) and SearchProvisionedProducts
(`ProvisionedProductAttribute`). Both have the fields that are used here; only the search has tags.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, TypeGuard

from monitor.aws.redaction import sentence
from monitor.aws.responses import incomplete, next_token
from monitor.config.settings import DiscoverSettings
from monitor.model.products import IN_ROLLOUT, STACK_SET, ProductDetail, ProductStatus

# The maximum of the API.
SEARCH_PAGE_SIZE = 100
_REQUIRED = ("Id", "Type", "Status")
_ARN_PARTS = 6
_MAXIMUM_ERRORS = 10


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One checked page of a search."""

    items: Sequence[Mapping[str, Any]]
    invalid_items: int
    """Items left out, because they lack an id, a name, a type or a status."""
    next_token: str | None


def check_description(answer: Any) -> tuple[ProductDetail, str]:
    """Return the provisioned product of a decoded response, and the record of its last provisioning if that failed.

    Raises:
        PollFailedError: it does not describe a provisioned product (incomplete).
    """
    found = answer.get("ProvisionedProductDetail") if isinstance(answer, Mapping) else None
    if not _is_product(found):
        raise incomplete("NotADescription", "the response does not describe a provisioned product")
    last, succeeded = (_printable(found.get(f"Last{kind}ProvisioningRecordId")) for kind in ("", "Successful"))
    failed = last != succeeded and found["Status"] not in IN_ROLLOUT
    return product_detail(found), last if failed else ""


def check_search(answer: Any) -> SearchPage:
    """Return a decoded response as a page of a search.

    Raises:
        PollFailedError: it has no list of at most `SEARCH_PAGE_SIZE` provisioned products (incomplete).
    """
    found = answer.get("ProvisionedProducts") if isinstance(answer, Mapping) else None
    if not isinstance(found, list):
        raise incomplete("NotASearch", "the response has no list of provisioned products")
    if len(found) > SEARCH_PAGE_SIZE:
        message = f"the page has {len(found)} provisioned products; {SEARCH_PAGE_SIZE} were requested"
        raise incomplete("PageTooLarge", message)
    items = [item for item in found if _is_product(item)]
    return SearchPage(items, len(found) - len(items), next_token(answer))


def product_detail(fields: Mapping[str, Any]) -> ProductDetail:
    """Return a checked product as a value."""
    account, region = _account_and_region(fields.get("Arn"))
    status = fields["Status"]
    return ProductDetail(
        id=fields["Id"],
        # A name may contain any character; half of a surrogate pair could not be written anywhere.
        name=fields["Name"].encode(errors="replace").decode(),
        type=fields["Type"],
        status=ProductStatus(status) if status in ProductStatus.__members__ else ProductStatus.UNKNOWN,
        product_id=_printable(fields.get("ProductId")),
        provisioning_artifact_id=_printable(fields.get("ProvisioningArtifactId")),
        account=account,
        region=region,
        status_message=sentence(str(fields.get("StatusMessage") or "")),
    )


def check_record(answer: Any) -> tuple[str, ...]:
    """Return the errors of a decoded response of DescribeRecord; none if it has none."""
    record = answer.get("RecordDetail") if isinstance(answer, Mapping) else None
    errors = record.get("RecordErrors") if isinstance(record, Mapping) else None
    found = [error for error in errors if isinstance(error, Mapping)] if isinstance(errors, list) else []
    return tuple(
        sentence(": ".join(str(error[key]) for key in ("Code", "Description") if error.get(key)))
        for error in found[:_MAXIMUM_ERRORS]
    )


def matching(found: Iterable[Mapping[str, Any]], wanted: DiscoverSettings) -> dict[str, ProductDetail]:
    """Return the StackSet products that match one of the names and all tags, by id."""
    return {fields["Id"]: product_detail(fields) for fields in found if _matches(fields, wanted)}


def physical_ids(found: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the physical id of each product, by id: for a StackSet product, the ARN of its stack set."""
    return {fields["Id"]: _printable(fields.get("PhysicalId")) for fields in found if fields.get("PhysicalId")}


def _matches(fields: Mapping[str, Any], wanted: DiscoverSettings) -> bool:
    tags = fields.get("Tags")
    return (
        fields["Type"] == STACK_SET
        and any(fnmatchcase(fields["Name"], pattern) for pattern in wanted.names)
        and all(_has_tag(tags, key, value) for key, value in wanted.tags.items())
    )


def _has_tag(tags: Any, key: str, value: str) -> bool:
    return isinstance(tags, list) and any(
        isinstance(tag, Mapping) and tag.get("Key") == key and tag.get("Value") == value for tag in tags
    )


def _is_product(fields: Any) -> TypeGuard[Mapping[str, Any]]:
    if not isinstance(fields, Mapping):
        return False
    name = fields.get("Name")
    return isinstance(name, str) and bool(name) and all(_printable(fields.get(member)) for member in _REQUIRED)


def _account_and_region(arn: Any) -> tuple[str, str]:
    """Return account and Region of an ARN, `arn:PARTITION:servicecatalog:REGION:ACCOUNT:...`; empty if it is none."""
    parts = _printable(arn).split(":", _ARN_PARTS - 1)
    return (parts[4], parts[3]) if len(parts) == _ARN_PARTS and parts[0] == "arn" else ("", "")


def _printable(value: Any) -> str:
    return value if isinstance(value, str) and value.isprintable() else ""
