"""The operations of Service Catalog that moto lacks, as functions from parameters to the members of the response.

Each gets the products of the account and Region of the caller, and raises errors of moto with the codes of AWS.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from moto.core.exceptions import JsonRESTError

from monitor.simulation.stack_sets import (
    NotAStackSetError,
    ProductDescription,
    ProductNotFoundError,
    StackSets,
    partition,
)

Members = dict[str, Any]

MAX_LISTING_PAGE_SIZE = 20
MAX_SEARCH_PAGE_SIZE = 100


def list_stack_instances(products: StackSets, parameters: Mapping[str, Any]) -> Members:
    """ListStackInstancesForProvisionedProduct."""
    product_id = parameters["ProvisionedProductId"]
    size = _page_size(parameters, MAX_LISTING_PAGE_SIZE)
    try:
        items, following = products.page(product_id, _token(parameters), size)
    except ProductNotFoundError as error:
        raise _not_found(product_id) from error
    except NotAStackSetError as error:
        message = f"Provisioned product {product_id} is not of type CFN_STACKSET."
        raise JsonRESTError("InvalidParametersException", message) from error
    return {"StackInstances": items, "NextPageToken": _as_token(following)}


def describe_provisioned_product(products: StackSets, parameters: Mapping[str, Any]) -> Members:
    """DescribeProvisionedProduct, by id."""
    product_id = parameters["Id"]
    try:
        description = products.describe(product_id)
    except ProductNotFoundError as error:
        raise _not_found(product_id) from error
    return {"ProvisionedProductDetail": _attributes(products, product_id, description), "CloudWatchDashboards": []}


def search_provisioned_products(products: StackSets, parameters: Mapping[str, Any]) -> Members:
    """SearchProvisionedProducts. Without the access level Account, a caller finds only its own products: none."""
    if parameters.get("AccessLevelFilter", {}) != {"Key": "Account", "Value": "self"}:
        return {"ProvisionedProducts": [], "TotalResultsCount": 0}
    queries: Sequence[str] = parameters.get("Filters", {}).get("SearchQuery", ())
    wanted = [query.partition(":") for query in queries]
    size = _page_size(parameters, MAX_SEARCH_PAGE_SIZE)
    after = _token(parameters) or ""
    found = []
    for product_id in products.product_ids():
        description = products.describe(product_id)
        attributes = _attributes(products, product_id, description)
        if all(attributes.get(key[:1].upper() + key[1:]) == value for key, _, value in wanted):
            tags = [{"Key": key, "Value": value} for key, value in description.tags.items()]
            found.append(attributes | {"Tags": tags, "PhysicalId": _physical_id(products, product_id)})
    page = [attributes for attributes in found if attributes["Id"] > after][:size]
    more = bool(page) and page[-1] is not found[-1]
    return {
        "ProvisionedProducts": page,
        "TotalResultsCount": len(found),
        "NextPageToken": _as_token(page[-1]["Id"] if more else None),
    }


def describe_record(products: StackSets, parameters: Mapping[str, Any]) -> Members:
    """DescribeRecord."""
    errors = products.record_errors.get(parameters["Id"], [])
    status = "FAILED" if errors else "SUCCEEDED"
    return {"RecordDetail": {"RecordId": parameters["Id"], "Status": status, "RecordErrors": errors}}


OPERATIONS: Mapping[str, Callable[[StackSets, Mapping[str, Any]], Members]] = {
    "ListStackInstancesForProvisionedProduct": list_stack_instances,
    "DescribeProvisionedProduct": describe_provisioned_product,
    "DescribeRecord": describe_record,
    "SearchProvisionedProducts": search_provisioned_products,
}


def perform(operation: str, products: StackSets, parameters: Mapping[str, Any]) -> Members:
    """Return the response to a call; members that are None are left out. Raises: `JsonRESTError`."""
    products.count(operation)
    if products.throttled:
        raise JsonRESTError("ThrottlingException", "Rate exceeded")
    if operation in products.denied:
        action = f"servicecatalog:{operation}"
        caller = f"arn:{partition(products.region)}:iam::{products.account}:role/simulated"
        message = f"User: {caller} is not authorized to perform: {action} because no policy allows it"
        raise JsonRESTError("AccessDeniedException", message)
    members = OPERATIONS[operation](products, parameters)
    return {name: value for name, value in members.items() if value is not None}


def _attributes(products: StackSets, product_id: str, description: ProductDescription) -> Members:
    arn = f"arn:{partition(products.region)}:servicecatalog:{products.region}:{products.account}"
    last_record = description.failed_record or f"rec-{product_id}"
    message = {"StatusMessage": description.status_message} if description.status_message else {}
    return message | {
        "Id": product_id,
        "Name": description.name,
        "Arn": f"{arn}:stack/{description.name}/{product_id}",
        "Type": "CFN_STACKSET" if description.stack_set else "CFN_STACK",
        "Status": description.status,
        "CreatedTime": 1767225600.0,
        "IdempotencyToken": f"token-{product_id}",
        "LastRecordId": last_record,
        "LastProvisioningRecordId": last_record,
        "LastSuccessfulProvisioningRecordId": f"rec-{product_id}",
        "ProductId": description.product_id,
        "ProvisioningArtifactId": description.provisioning_artifact_id,
    }


def _physical_id(products: StackSets, product_id: str) -> str:
    arn = f"arn:{partition(products.region)}:cloudformation:{products.region}:{products.account}"
    return f"{arn}:stackset/{products.stack_set_name(product_id)}"


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
