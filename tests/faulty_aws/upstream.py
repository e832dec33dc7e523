"""The simulated Service Catalog without moto's server: a fast upstream for `FaultyAws`."""

import json

from moto.core.exceptions import JsonRESTError

from monitor.simulation.aws import install, stack_sets
from monitor.simulation.operations import OPERATIONS, perform
from monitor.simulation.stack_sets import REGION, StackSets
from tests.faulty_aws.exchange import Request, Response


def respond(request: Request) -> Response:
    """Return the response of the simulated AWS in the Region that the request is signed for."""
    install()
    return respond_from(stack_sets(region=request.region or REGION), request)


def respond_from(products: StackSets, request: Request) -> Response:
    """Return the response to a request from these products, whatever its account and Region."""
    if request.operation not in OPERATIONS:
        return Response(400, json.dumps({"__type": "UnknownOperationException"}).encode())
    try:
        members = perform(request.operation, products, json.loads(request.body))
    except JsonRESTError as error:
        return Response(400, json.dumps({"__type": error.error_type, "Message": error.message}).encode())
    return Response(body=json.dumps(members).encode())
