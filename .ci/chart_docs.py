"""Write what helm/values.yaml and other files determine: `python .ci/chart_docs.py`.

- helm/values.schema.json: descriptions from the comments of values.yaml, the names of the alerts from alerts.yaml, the
  schema of the configuration file, and the Kubernetes types that the schema refers to.
- helm/README.md: the table of values, after the heading "Values".

A comment has the form of helm-docs: `# -- text` before the key, and `# @default -- text` to replace the default.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from monitor.config.json_schema import json_schema

CHART = Path(__file__).parents[1] / "helm"
KUBERNETES = "v1.37.0-local-strict"
"""The newest published types, so that no field of a newer Kubernetes is refused."""
KUBERNETES_PREFIX = "io.k8s."
HEADING = "## Values\n"

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the chart that has a comment."""

    path: tuple[str, ...]
    default: str
    """As Markdown."""
    description: str


def read_values(text: str) -> list[Value]:
    """Return the commented values of a values.yaml, in order.

    Raises:
        ValueError: A value has no comment.
    """
    document = yaml.compose(text, Loader=yaml.SafeLoader)
    return list(_values(document, text.splitlines(), ()))


def _values(node: yaml.Node | None, lines: list[str], path: tuple[str, ...]) -> Iterator[Value]:
    assert isinstance(node, yaml.MappingNode)  # noqa: S101 - narrows the type for mypy
    for key, value in node.value:
        here = (*path, key.value)
        comment = _comment(lines, key.start_mark.line)
        if comment:
            default, description = comment.get("default", ""), comment["text"]
            yield Value(here, default or f"`{json.dumps(yaml.safe_load(yaml.serialize(value)))}`", description)
        elif isinstance(value, yaml.MappingNode) and value.value:
            yield from _values(value, lines, here)
        else:
            raise ValueError(f"{'.'.join(here)} has no comment `# -- ...` in values.yaml")


def _comment(lines: list[str], line: int) -> dict[str, str]:
    """Return the description and default in the comment before a line."""
    found: dict[str, str] = {}
    while line and (match := re.match(r" *# (?:(--)|@default --) (.*)", lines[line - 1])):
        found["text" if match[1] else "default"] = match[2]
        line -= 1
    return found


def render_table(values: list[Value]) -> str:
    """Return the table of the values in Markdown."""
    rows = [f"| `{'.'.join(one.path)}` | {one.default} | {one.description.replace('|', '&#124;')} |" for one in values]
    return "\n".join(("| key | default | meaning |", "|---|---|---|", *rows, ""))


def complete_schema(schema: Schema, values: list[Value]) -> Schema:
    """Return the schema of the values with everything that other files determine."""
    for value in values:
        part = schema
        for key in value.path:
            part = part["properties"][key]
        part["description"] = value.description
    names = [
        rule["alert"]
        for group in yaml.safe_load((CHART / "alerts.yaml").read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    rules = schema["properties"]["alerts"]["properties"]["rules"]
    rules["properties"] = {name: {"$ref": "#/$defs/AlertRule"} for name in names}
    configuration = json_schema()
    configuration.pop("$schema")
    definitions = configuration.pop("$defs")
    kubernetes = json.loads(
        files("kubernetes_validate").joinpath("kubernetes-json-schema", KUBERNETES, "_definitions.json").read_text()
    )["$defs"]
    own = {name: part for name, part in schema["$defs"].items() if not name.startswith(KUBERNETES_PREFIX)}
    available = {
        **own,
        **{name: _without_texts(part) for name, part in kubernetes.items()},
        **definitions,
        "Configuration": configuration,
    }
    used = _used({key: part for key, part in schema.items() if key != "$defs"}, available)
    return {**schema, "$defs": {name: available[name] for name in sorted(used)}}


def _without_texts(part: Any) -> Any:
    """Return a Kubernetes type without descriptions, which would make the schema ten times as large."""
    if isinstance(part, list):
        return [_without_texts(one) for one in part]
    if not isinstance(part, dict):
        return part
    return {
        key: f"#/$defs/{value.rpartition('/')[2]}" if (key, type(value)) == ("$ref", str) else _without_texts(value)
        for key, value in part.items()
        if not (key == "description" and isinstance(value, str)) and not key.startswith("x-kubernetes")
    }


def _used(part: Any, available: Schema) -> set[str]:
    """Return the names of all definitions that a schema refers to, directly or through others."""
    used: set[str] = set()
    waiting = _references(part)
    while waiting:
        name = waiting.pop()
        used.add(name)
        waiting |= _references(available[name]) - used
    return used


def _references(part: Any) -> set[str]:
    return set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(part)))


def write_schema(schema: Schema) -> str:
    """Return the text of a schema. Each definition of Kubernetes is one line, because nobody reads them."""
    definitions = schema["$defs"]
    lines = {name: json.dumps(part) for name, part in definitions.items() if name.startswith(KUBERNETES_PREFIX)}
    text = json.dumps({**schema, "$defs": {**definitions, **{name: f"<{name}>" for name in lines}}}, indent=2)
    for name, line in lines.items():
        text = text.replace(f'"<{name}>"', line)
    return f"{text}\n"


def generate() -> dict[Path, str]:
    """Return the new content of each file that this script writes."""
    values = read_values((CHART / "values.yaml").read_text())
    schema, readme = CHART / "values.schema.json", CHART / "README.md"
    before, heading, _ = readme.read_text().partition(HEADING)
    return {
        schema: write_schema(complete_schema(json.loads(schema.read_text()), values)),
        readme: f"{before}{heading}\n{render_table(values)}",
    }


if __name__ == "__main__":
    for path, text in generate().items():
        path.write_text(text)
