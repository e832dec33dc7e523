"""Any file gives settings or one report."""

import json
import re
from pathlib import Path
from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.config.errors import ConfigurationError
from monitor.config.load import parse_settings
from monitor.config.settings import Settings

GOOD = Path(__file__).parent / "data" / "good"
BOUNDED = settings(max_examples=100, deadline=None, derandomize=True)

KEYS = (
    *("poll", "sources", "products", "metrics", "state", "web", "log"),
    *("interval", "timeout", "concurrency", "stale_after", "confirm_shrink", "name", "region", "role_arn"),
    *("external_id", "calls_per_second", "page_size", "accept_language", "discover", "id", "source"),
    *("instance_series", "zero_series", "max_instance_series", "path", "history", "listen", "level", "format"),
)
texts = st.sampled_from(["pp-a", "hub", "5m", "1s", "en", "all", "info", "json", ":1", "eu-west-1", ""]) | st.text()
numbers = st.integers() | st.floats() | st.sampled_from([0, 1, 20, 21, 256])
scalars = st.none() | st.booleans() | numbers | texts | st.dates()
keys = st.sampled_from(KEYS) | st.text(max_size=5)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6), max_leaves=20
)


def anywhere(value: Any, part: Any, place: int) -> Any:
    """Replace one of the values in `value`, by its number, with `part`."""
    places: list[tuple[Any, Any]] = []

    def visit(inner: Any) -> None:
        for key in list(inner) if isinstance(inner, dict) else range(len(inner)):
            places.append((inner, key))
            if isinstance(inner[key], dict | list):
                visit(inner[key])

    visit(value)
    owner, key = places[place % len(places)]
    owner[key] = part
    return value


def outcome(text: bytes) -> Settings | None:
    """Return the settings, or None after checking the report."""
    try:
        found = parse_settings(text, Path("monitor.yaml"))
    except ConfigurationError as error:
        check_report(error)
        return None
    assert isinstance(found, Settings)
    assert found.products
    return found


def check_report(error: ConfigurationError) -> None:
    """Check that a report has a line for each problem, without messages of pydantic."""
    lines = str(error).encode().decode().splitlines()
    assert 0 < len(lines) == len(error.problems)
    for line in lines:
        assert re.fullmatch(r"monitor\.yaml:[1-9][0-9]*: [^ ].*[^ ]", line), line
        assert not re.search("Input should|Value error|String should|List should|pydantic|None", line), line
    assert len(set(lines)) == len(lines)


@BOUNDED
@given(st.binary(max_size=200))
@example(b"a: !!timestamp x")
@example(b"a: !!bool x")
@example(b"? !!python/object/apply:os.system ['true']\n: 1")
@example(b"products: [pp-a, \xe2\x80\xa8]")
def test_bytes(text: bytes) -> None:
    """Any bytes."""
    outcome(text)


@BOUNDED
@given(st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from("\n :-[]{}'\"&*!|>%@#,?\t~"), max_size=60))
@example("products: [pp-a]\nstate: {path: |\n  a\n  b\n}")
@example("'a\u2028b': 1\n? \x85")
def test_text(text: str) -> None:
    """Text that is similar to YAML."""
    outcome(text.encode())


@BOUNDED
@given(values)
def test_values(value: Any) -> None:
    """Values of any shape, with some of the right keys."""
    outcome(yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "backslashreplace"))


@BOUNDED
@given(values, st.integers(0, 60))
def test_one_wrong_value(part: Any, place: int) -> None:
    """A good file in which one value or section is replaced."""
    value = anywhere(yaml.safe_load((GOOD / "whole.yaml").read_text("utf-8")), part, place)
    outcome(yaml.safe_dump(value).encode())


@BOUNDED
@given(st.dictionaries(st.text(st.characters(), max_size=3) | keys, st.text(st.characters(), max_size=3), min_size=1))
def test_halves_of_characters(value: dict[str, str]) -> None:
    """The escapes of JSON can write half of a surrogate pair."""
    outcome(json.dumps({**value, "products": ["pp-a"]}).encode())


@BOUNDED
@given(st.text(min_size=1, max_size=128))
def test_any_name_is_kept(name: str) -> None:
    """A name can be any text."""
    text = json.dumps({"products": [{"id": "pp-a", "name": name}]})
    found = outcome(text.encode())
    assert found
    assert found.products[0].product.name == name
