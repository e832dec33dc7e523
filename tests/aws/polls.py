"""Listings of one product with the real client."""

import re

import pytest

from monitor.aws.source import Source
from monitor.model.deadline import Deadline
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Listing

PRODUCT = "pp-aaaaaaaaaaaaa"


def listed(source: Source, product_id: str = PRODUCT) -> Listing:
    """Return the listing of a product."""
    return source.list_stack_instances(product_id, Deadline(30.0))


def counted(source: Source) -> int:
    """List the product, and return the number of its instances."""
    return len(listed(source).statuses)


def failure(source: Source, product_id: str = PRODUCT, seconds: float = 30.0) -> tuple[Reason, str, str]:
    """List a product, and return how that failed: reason, code and message, with URL for that of a test server."""
    deadline = Deadline(seconds)
    with pytest.raises(PollFailedError) as caught:
        source.list_stack_instances(product_id, deadline)
    message = re.sub(r"http://127\.0\.0\.1:\d+", "URL", caught.value.message)
    return caught.value.reason, caught.value.error_code, message
