"""The JSON Schema of the configuration file, compared with the good and the bad files."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.document import read_document
from monitor.config.errors import ConfigurationError
from monitor.config.json_schema import json_schema
from monitor.config.load import parse_settings

Schema = Mapping[str, Any]

DATA = Path(__file__).parent / "data"
SCHEMA = json_schema()
SEMANTIC = {
    "cluster_without_table",
    "listen_port_70000",
    "path_nul",
    "products_empty",
    "products_missing",
    "products_twice",
    "source_missing",
    "source_unknown",
    "source_unknown_without_sources",
    "sources_twice",
    "times",
}
"""Bad files that a JSON Schema cannot refuse: the problem is between keys, or needs arithmetic."""

TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}
ANNOTATIONS = {"$schema", "$defs", "title", "description", "default", "examples"}


def accepts(value: Any, schema: Schema) -> bool:
    """Validate by draft 2020-12, for the keywords that our schema uses. Raises `KeyError` for any other."""
    return all(
        CHECKS[keyword](value, wanted, schema) for keyword, wanted in schema.items() if keyword not in ANNOTATIONS
    )


def is_number(value: Any) -> bool:
    """Return whether a value is a number for JSON Schema; true is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_type(value: Any, wanted: str, _: Schema) -> bool:
    """Check `type`."""
    if wanted == "null":
        return value is None
    if wanted in {"integer", "number"}:
        return is_number(value) and isinstance(value, TYPES[wanted])
    return isinstance(value, TYPES[wanted])


def known(value: Any, wanted: Any, schema: Schema) -> bool:
    """Check `additionalProperties`, which is false here but for tags."""
    if wanted is not False:
        return not isinstance(value, dict) or all(accepts(item, wanted) for item in value.values())
    return not isinstance(value, dict) or set(value) <= set(schema["properties"])


CHECKS: Mapping[str, Any] = {
    "type": is_type,
    "additionalProperties": known,
    "$ref": lambda value, wanted, _: accepts(value, SCHEMA["$defs"][wanted.removeprefix("#/$defs/")]),
    "anyOf": lambda value, wanted, _: any(accepts(value, schema) for schema in wanted),
    "propertyNames": lambda value, wanted, _: (
        not isinstance(value, dict) or all(accepts(name, wanted) for name in value)
    ),
    "enum": lambda value, wanted, _: value in wanted,
    "required": lambda value, wanted, _: not isinstance(value, dict) or set(wanted) <= set(value),
    "properties": lambda value, wanted, _: (
        not isinstance(value, dict) or all(accepts(value[key], wanted[key]) for key in wanted if key in value)
    ),
    "items": lambda value, wanted, _: not isinstance(value, list) or all(accepts(item, wanted) for item in value),
    "minItems": lambda value, wanted, _: not isinstance(value, list) or len(value) >= wanted,
    "minLength": lambda value, wanted, _: not isinstance(value, str) or len(value) >= wanted,
    "maxLength": lambda value, wanted, _: not isinstance(value, str) or len(value) <= wanted,
    # In ECMA's regular expressions `$` is the very end, which Python writes \Z.
    "pattern": lambda value, wanted, _: (
        not isinstance(value, str) or re.search(f"{wanted.removesuffix('$')}\\Z", value) is not None
    ),
    "minimum": lambda value, wanted, _: not is_number(value) or value >= wanted,
    "maximum": lambda value, wanted, _: not is_number(value) or value <= wanted,
    "exclusiveMinimum": lambda value, wanted, _: not is_number(value) or value > wanted,
}


def properties() -> Iterator[tuple[str, Schema]]:
    """Return every property of every section, with its references resolved."""
    for part, schema in {"": SCHEMA, **SCHEMA["$defs"]}.items():
        for name, value in schema.get("properties", {}).items():
            reference = value.get("$ref", "").removeprefix("#/$defs/")
            yield f"{part}.{name}", {**SCHEMA["$defs"].get(reference, {}), **value}


@pytest.mark.parametrize("path", sorted((DATA / "good").iterdir()), ids=lambda path: path.stem)
def test_a_good_file_is_accepted(path: Path) -> None:
    """The schema accepts every good file."""
    assert accepts(read_document(path.read_bytes()).value, SCHEMA)


def test_a_structurally_bad_file_is_refused() -> None:
    """The schema accepts only the bad files in `SEMANTIC`."""
    passed = set()
    for path in (DATA / "bad").glob("*.yaml"):
        document = read_document(path.read_bytes())
        if not document.problems and accepts(document.value, SCHEMA):
            passed.add(path.stem)
    assert passed == SEMANTIC


@pytest.mark.parametrize(("name", "schema"), list(properties()), ids=[name for name, _ in properties()])
def test_each_property_has_a_description(name: str, schema: Schema) -> None:
    """Each property has a description for editors, and no title."""
    assert len(schema["description"]) > 10, name
    assert "title" not in schema


def test_each_default_is_a_valid_value() -> None:
    """Each default is valid in the file; durations are written as durations."""
    defaults = {name: schema["default"] for name, schema in properties() if "default" in schema}
    for name, schema in properties():
        assert name not in defaults or accepts(defaults[name], schema), name
    assert defaults == {
        "PollSection.interval": "5m",
        "PollSection.concurrency": 16,
        "PollSection.stale_after": "1h",
        "PollSection.confirm_shrink": 0.5,
        "DiscoverSection.interval": "15m",
        "SourceSection.calls_per_second": 10.0,
        "SourceSection.page_size": 20,
        "SourceSection.accept_language": "en",
        "SourceSection.details": False,
        "MetricsSection.instance_series": "all",
        "MetricsSection.zero_series": True,
        "MetricsSection.max_instance_series": 1_000_000,
        "StateSection.path": "state/monitor.db",
        "StateSection.history": "90d",
        "ClusterSection.shards": 1,
        "ClusterSection.lease": "15s",
        "WebSection.listen": ":9935",
        "LogSection.level": "info",
        "LogSection.format": "json",
    }


def test_the_schema_has_a_title_and_a_version() -> None:
    """It has the dialect and a title, and is valid JSON."""
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["title"] == "Configuration of stackset-monitor"
    assert "required" not in SCHEMA  # products, or a source with discover: the program checks it
    assert json.loads(json.dumps(SCHEMA, allow_nan=False)) == SCHEMA


words = st.sampled_from(["5m", "1s", "90", "hub", "pp-a", "pp a", "eu-west-1", "en", "all", "json", ":80", "h:1", ""])
scalars = words | st.integers(-1, 300) | st.floats(allow_nan=False) | st.booleans() | st.none()


def part(name: str) -> st.SearchStrategy[Any]:
    """Return a strategy for a section with some of its keys, valid and invalid."""
    keys = SCHEMA["$defs"][name]["properties"]
    return st.fixed_dictionaries({}, optional=dict.fromkeys([*keys, "other"], scalars))


files = st.fixed_dictionaries(
    {"products": st.lists(st.just("pp-a") | part("ProductSection"), max_size=3)},
    optional={
        "sources": st.lists(part("SourceSection"), max_size=2),
        **{name: part(f"{name.title()}Section") for name in ("poll", "metrics", "state", "web", "log")},
    },
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(files)
def test_what_loads_is_accepted(value: Any) -> None:
    """The schema accepts what the program accepts."""
    try:
        parse_settings(json.dumps(value).encode(), Path("monitor.yaml"))
    except ConfigurationError:
        return
    assert accepts(value, SCHEMA)
