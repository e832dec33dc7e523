"""The JSON Schema of the configuration file, for editors and pipelines.

It cannot express the checks between keys: only `load_settings` decides whether a file is valid.
"""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from monitor.config.duration import PATTERN, format_duration
from monitor.config.schema import MonitorFile


class _Generator(GenerateJsonSchema):
    """pydantic's generator, with defaults as they are written in the file."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's interface
        """Return False: titles would only repeat the keys."""
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> dict[str, Any]:
        made = super().default_schema(schema)
        if made.get("default", ...) is None:  # the description gives the default
            del made["default"]
        elif made.get("pattern") == PATTERN:
            made["default"] = format_duration(made["default"])
        return made


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration file (draft 2020-12)."""
    schema = MonitorFile.model_json_schema(mode="validation", schema_generator=_Generator)
    for section in schema["$defs"].values():
        section.pop("title", None)  # the name of the Python class
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Configuration of stackset-monitor",
    }
