"""The JSON Schema of the configuration file, for editors and pipelines. `load` says more, and has the last word."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from monitor.config.duration import PATTERN, format_duration
from monitor.config.model import ConfigurationFile


class _Generator(GenerateJsonSchema):
    """pydantic's, with defaults as one writes them in the file."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's interface
        """Set none: they would only repeat the keys."""
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> dict[str, Any]:
        made = super().default_schema(schema)
        if made.get("default", ...) is None:  # which stands for what the description says
            del made["default"]
        elif made.get("pattern") == PATTERN:
            made["default"] = format_duration(made["default"])
        return made


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    schema = ConfigurationFile.model_json_schema(mode="validation", schema_generator=_Generator)
    for part in schema["$defs"].values():
        part.pop("title", None)  # the name of a class
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Configuration of stackset-monitor",
    }
