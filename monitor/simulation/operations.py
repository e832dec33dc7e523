"""The operations of Service Catalog that moto lacks: parameters in, members of the answer out.

Each takes the products of the caller's account and Region. Errors are moto's, with the codes of AWS.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from moto.core.exceptions import JsonRESTError

from monitor.simulation.stack_sets import Described, NotAStackSetError, NotThereError, StackSets

Members = dict[str, Any]

LARGEST_LISTING_PAGE = 20
LARGEST_SEARCH_PAGE = 100


def list_stack_instances(mine: StackSets, parameters: Mapping[str, Any]) -> Members:
    """ListStackInstancesForProvisionedProduct."""
    product_id = parameters["ProvisionedProductId"]
    size = _page_size(parameters, LARGEST_LISTING_PAGE)
    try:
        items, following = mine.page(product_id, _token(parameters), size)
    except NotThereError as error:
        raise _not_found(product_id) from error
    except NotAStackSetError as error:
        message = f"Provisioned product {product_id} is not of type CFN_STACKSET."
        raise JsonRESTError("InvalidParametersException", message) from error
    return {"StackInstances": items, "NextPageToken": _as_token(following)}


def describe_provisioned_product(mine: StackSets, parameters: Mapping[str, Any]) -> Members:
    """DescribeProvisionedProduct, by id."""
    product_id = parameters["Id"]
    try:
        described = mine.described(product_id)
    except NotThereError as error:
        raise _not_found(product_id) from error
    return {"ProvisionedProductDetail": _attributes(mine, product_id, described), "CloudWatchDashboards": []}


def search_provisioned_products(mine: StackSets, parameters: Mapping[str, Any]) -> Members:
    """SearchProvisionedProducts: at the account's level, where else the caller's own would be found, which are none."""
    if parameters.get("AccessLevelFilter", {}) != {"Key": "Account", "Value": "self"}:
        return {"ProvisionedProducts": [], "TotalResultsCount": 0}
    queries: Sequence[str] = parameters.get("Filters", {}).get("SearchQuery", ())
    size = _page_size(parameters, LARGEST_SEARCH_PAGE)
    after = _token(parameters) or ""
    found = []
    for product_id in mine.product_ids():
        described = mine.described(product_id)
        attributes = _attributes(mine, product_id, described)
        if all(attributes.get(key[:1].upper() + key[1:]) == value for key, _, value in _split(queries)):
            tags = [{"Key": key, "Value": value} for key, value in described.tags.items()]
            found.append(attributes | {"Tags": tags, "PhysicalId": f"arn:{product_id}"})
    page = [attributes for attributes in found if attributes["Id"] > after][:size]
    more = bool(page) and page[-1] is not found[-1]
    return {
        "ProvisionedProducts": page,
        "TotalResultsCount": len(found),
        "NextPageToken": _as_token(page[-1]["Id"] if more else None),
    }


OPERATIONS: Mapping[str, Callable[[StackSets, Mapping[str, Any]], Members]] = {
    "ListStackInstancesForProvisionedProduct": list_stack_instances,
    "DescribeProvisionedProduct": describe_provisioned_product,
    "SearchProvisionedProducts": search_provisioned_products,
}


def perform(operation: str, mine: StackSets, parameters: Mapping[str, Any]) -> Members:
    """Perform an operation for a caller, unless he is throttled or has no permission; absent members are left out."""
    mine.count(operation)
    if mine.throttled:
        raise JsonRESTError("ThrottlingException", "Rate exceeded")
    if operation in mine.denied:
        action = f"servicecatalog:{operation}"
        caller = f"arn:{_partition(mine.region)}:iam::{mine.account}:role/simulated"
        message = f"User: {caller} is not authorized to perform: {action} because no policy allows it"
        raise JsonRESTError("AccessDeniedException", message)
    members = OPERATIONS[operation](mine, parameters)
    return {name: value for name, value in members.items() if value is not None}


def _attributes(mine: StackSets, product_id: str, described: Described) -> Members:
    place = f"arn:{_partition(mine.region)}:servicecatalog:{mine.region}:{mine.account}"
    return {
        "Id": product_id,
        "Name": described.name,
        "Arn": f"{place}:stack/{described.name}/{product_id}",
        "Type": "CFN_STACKSET" if described.stack_set else "CFN_STACK",
        "Status": described.status,
        "CreatedTime": 1767225600.0,
        "IdempotencyToken": f"token-{product_id}",
        "LastRecordId": f"rec-{product_id}",
        "ProductId": described.product_id,
        "ProvisioningArtifactId": described.provisioning_artifact_id,
    }


def _partition(region: str) -> str:
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _split(queries: Sequence[str]) -> list[tuple[str, str, str]]:
    return [query.partition(":") for query in queries]


def _page_size(parameters: Mapping[str, Any], largest: int) -> int:
    size = int(parameters.get("PageSize", largest))
    if not 0 <= size <= largest:
        raise JsonRESTError("InvalidParametersException", f"PageSize must be at most {largest}")
    return size or largest


def _token(parameters: Mapping[str, Any]) -> str | None:
    token = parameters.get("PageToken")
    try:
        return None if token is None else base64.urlsafe_b64decode(token).decode()
    except ValueError as error:
        raise JsonRESTError("InvalidParametersException", "The page token is not valid.") from error


def _as_token(place: str | None) -> str | None:
    return None if place is None else base64.urlsafe_b64encode(place.encode()).decode()


def _not_found(product_id: str) -> JsonRESTError:
    return JsonRESTError("ResourceNotFoundException", f"Provisioned product {product_id} not found.")
