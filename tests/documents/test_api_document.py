"""docs/api.md matches the API."""

import json
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from monitor.model.paging import decode
from monitor.web.api import models
from monitor.web.app import application
from tests.web.asgi import request
from tests.web.fake_views import FakeViews
from tests.web.served import FakeHealth, FakeMetrics

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
BLOCKS = re.findall(r"^```json\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
EXAMPLES: list[Any] = [json.loads(block) for block in BLOCKS]


def test_every_path_is_documented() -> None:
    """The table has the paths of the OpenAPI document, in any order."""
    app = application(FakeMetrics(), FakeHealth(), FakeViews(), version="1")
    paths = json.loads(request(app, "/api/openapi.json").body)["paths"]
    assert sorted(re.findall(r"^\| \[`(/api/v1/.*?)`\]", TEXT, re.MULTILINE)) == sorted(paths)


def test_examples_have_the_fields_of_the_responses() -> None:
    """Each example has every field, in the order of the response."""
    products, instances, transitions, source = EXAMPLES
    _check(products, models.ProductList)
    _check(products["totals"], models.Totals)
    _check(products["products"][0], models.Product)
    _check(instances, models.InstanceList)
    _check(instances["instances"][0], models.Instance)
    _check(transitions, models.TransitionList)
    _check(transitions["transitions"][0], models.Transition)
    _check(source, models.Source)
    _check(source["discovery"], models.Discovery)


def test_cursors_of_the_examples_name_their_last_item() -> None:
    """They are those that the monitor returns after the items that are shown."""
    products, instances, transitions, _ = EXAMPLES
    instance, transition = instances["instances"][0], transitions["transitions"][0]
    assert decode(products["cursor"], None) == (products["products"][0]["id"],)
    assert decode(instances["cursor"], None) == (
        instance["provisioned_product_id"],
        instance["account"],
        instance["region"],
    )
    assert (decode(transitions["cursor"], None) or ())[1:] == (
        transition["provisioned_product_id"],
        transition["account"],
        transition["region"],
    )


def test_every_severity_is_documented() -> None:
    """The table of severities is that of the code, in order."""
    assert re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE) == list(models.Severity)


def _check(example: dict[str, Any], model: type[BaseModel]) -> None:
    assert list(example) == list(model.model_fields)
