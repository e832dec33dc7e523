"""The API keeps what its OpenAPI document promises, for generated requests to the real server."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import given, settings
from schemathesis import Case, GenerationMode
from schemathesis.schemas import BaseSchema

from tests.browser.fleet import fleet
from tests.web.served import served

PATHS = [
    "/api/v1/instances",
    "/api/v1/products",
    "/api/v1/products/{product}",
    "/api/v1/products/{product}/instances",
    "/api/v1/sources",
    "/api/v1/transitions",
]
EXAMPLES = int(os.environ.get("STACKSET_MONITOR_EXAMPLES", "100"))


@pytest.fixture(scope="module")
def document() -> Iterator[BaseSchema]:
    """Read the document from a server that shows a fleet."""
    with served(views=fleet()) as one:
        yield schemathesis.openapi.from_url(f"http://127.0.0.1:{one.port}/api/openapi.json")


def test_every_path_is_tested(document: BaseSchema) -> None:
    """The list of paths here is that of the document."""
    assert sorted(document) == PATHS


@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", PATHS)
def test_valid_requests(document: BaseSchema, path: str) -> None:
    """They are answered as the document says."""

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(document[path]["GET"].as_strategy())
    def check(case: Case[Any]) -> None:
        for name in ("cursor", "since"):  # a schema cannot say which texts are valid
            case.query.pop(name, None)
        case.call_and_validate(timeout=20)

    check()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", [path for path in PATHS if not path.endswith("{product}")])
def test_wrong_requests(document: BaseSchema, path: str) -> None:
    """They are refused as the document says."""

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(document[path]["GET"].as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def check(case: Case[Any]) -> None:
        case.call_and_validate(timeout=20)

    check()
