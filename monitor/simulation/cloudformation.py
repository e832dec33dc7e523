"""The operations of CloudFormation on the stack sets of Service Catalog products.

moto has them, but its stack instances are always CURRENT, have no reason, and come without filters and pages.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any
from xml.sax.saxutils import escape

from monitor.simulation.stack_sets import StackSetNotFoundError, StackSets, partition

Members = dict[str, Any]

MAX_RESULTS = 100
_FILTERS: Mapping[str, Callable[[Members], Any]] = {
    "DETAILED_STATUS": lambda summary: summary["StackInstanceStatus"]["DetailedStatus"],
    "LAST_OPERATION_ID": lambda summary: summary.get("LastOperationId"),
    "DRIFT_STATUS": lambda summary: summary["DriftStatus"],
}


class CloudFormationError(Exception):
    """An error response."""

    def __init__(self, code: str, message: str) -> None:
        """Take a code of AWS."""
        super().__init__(message)
        self.code = code

    def xml(self) -> str:
        """Return the body. moto writes only the errors of its service model, and Throttling is in none."""
        error = f"<Type>Sender</Type><Code>{self.code}</Code><Message>{escape(str(self))}</Message>"
        return f"<ErrorResponse><Error>{error}</Error><RequestId>simulated</RequestId></ErrorResponse>"


def list_stack_instances(products: StackSets, parameters: Mapping[str, Any]) -> Members:
    """ListStackInstances."""
    found = products.summaries(parameters["StackSetName"])
    for condition in parameters.get("Filters") or ():
        value = _FILTERS[condition["Name"]]
        found = [summary for summary in found if value(summary) == condition["Values"]]
    return _page(found, parameters)


def list_stack_set_operations(products: StackSets, parameters: Mapping[str, Any]) -> Members:
    """ListStackSetOperations, the latest first."""
    members = ("OperationId", "Action", "Status", "CreationTimestamp", "EndTimestamp")
    operations = products.operations(parameters["StackSetName"])
    return _page([{name: one[name] for name in members if name in one} for one in operations], parameters)


def describe_stack_set_operation(products: StackSets, parameters: Mapping[str, Any]) -> Members:
    """DescribeStackSetOperation."""
    for operation in products.operations(parameters["StackSetName"]):
        if operation["OperationId"] == parameters["OperationId"]:
            return {"StackSetOperation": operation}
    raise CloudFormationError("OperationNotFoundException", f"Operation {parameters['OperationId']} not found")


def describe_stack_set(products: StackSets, parameters: Mapping[str, Any]) -> Members:
    """DescribeStackSet."""
    drift = [summary["DriftStatus"] for summary in products.summaries(parameters["StackSetName"])]
    counts = {
        "TotalStackInstancesCount": len(drift),
        "DriftedStackInstancesCount": drift.count("DRIFTED"),
        "InSyncStackInstancesCount": drift.count("IN_SYNC"),
        "InProgressStackInstancesCount": 0,
        "FailedStackInstancesCount": drift.count("UNKNOWN"),
    }
    return {
        "StackSet": {
            "StackSetName": parameters["StackSetName"].partition(":")[0],
            "Status": "ACTIVE",
            "StackSetDriftDetectionDetails": counts,
        }
    }


OPERATIONS: Mapping[str, Callable[[StackSets, Mapping[str, Any]], Members]] = {
    "ListStackInstances": list_stack_instances,
    "ListStackSetOperations": list_stack_set_operations,
    "DescribeStackSetOperation": describe_stack_set_operation,
    "DescribeStackSet": describe_stack_set,
}


def perform(operation: str, products: StackSets, parameters: Mapping[str, Any]) -> Members:
    """Return the response to a call. Raises: `CloudFormationError` with the codes of AWS."""
    products.count(operation)
    if products.throttled or not products.take_cloudformation_call():
        raise CloudFormationError("Throttling", "Rate exceeded")
    if operation in products.denied:
        arn = f"arn:{partition(products.region)}"
        resource = f"{arn}:cloudformation:{products.region}:{products.account}:stackset/{parameters['StackSetName']}"
        message = (
            f"User: {arn}:iam::{products.account}:role/simulated is not authorized to perform:"
            f" cloudformation:{operation} on resource: {resource} because no identity-based policy allows the"
            f" cloudformation:{operation} action"
        )
        raise CloudFormationError("AccessDenied", message)
    try:
        return OPERATIONS[operation](products, parameters)
    except StackSetNotFoundError as error:
        message = f"StackSet {parameters['StackSetName']} not found"
        raise CloudFormationError("StackSetNotFoundException", message) from error


def _page(found: list[Members], parameters: Mapping[str, Any]) -> Members:
    size = int(parameters.get("MaxResults") or MAX_RESULTS)
    if not 1 <= size <= MAX_RESULTS:
        raise CloudFormationError("ValidationError", f"MaxResults must be at most {MAX_RESULTS}")
    token = parameters.get("NextToken")
    first = int(base64.b64decode(token)) if token else 0
    page: Members = {"Summaries": found[first : first + size]}
    if first + size < len(found):
        page["NextToken"] = base64.b64encode(b"%d" % (first + size)).decode()
    return page
