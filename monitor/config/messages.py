"""pydantic's errors as sentences for a person who has the file open in an editor."""

import math
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from monitor.config.document import Document, KeyFilter, Path, Problem, dotted, quoted, shortened
from monitor.config.schema import MonitorFile, ProductSection
from monitor.config.secret import HIDDEN, is_secret, looks_like_a_credential

# The mappings of a file by their place: "" for the file itself, `poll`, `products[]`.
Sections = Mapping[str, type[BaseModel]]

# The message for each type of error that pydantic can find with our schemas.
SENTENCES = {
    "missing": "is required",
    "sentence": "{msg}",
    "value_error": "{shown} {error}",
    "too_short": "at least one is required",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters, not {length}",
    "list_type": "must be a list (lines that start with `- `), not {shown}",
    "dict_type": "must be a mapping, not {shown}",
    "string_type": "must be text, not {shown}",
    "path_type": "must be the path of a file, not {shown}",
    "bool_type": "must be true or false, not {shown}",
    "int_type": "must be a whole number, not {shown}",
    "float_type": "must be a number, not {shown}",
    "greater_than_equal": "must be at least {ge}, not {shown}",
    "greater_than": "must be more than {gt}, not {shown}",
    "less_than_equal": "must be at most {le}, not {shown}",
    "literal_error": "must be {expected}, not {shown}",
    "enum": "must be {expected}, not {shown}",
}
_EMPTY_KEY = "is empty: write a value or remove the key"
_EMPTY_ITEM = "is empty: write an item or remove the `-`"


def key_filter(schema: type[BaseModel]) -> KeyFilter:
    """Return a filter that shows the keys of a schema, keys similar to them, and those that users choose."""
    sections = dict(_sections(schema, ""))
    keys = {key for section in sections.values() for key in section.model_fields}
    free = {
        name
        for section in sections.values()
        for name, field in section.model_fields.items()
        if get_origin(field.annotation) is dict
    }

    def may_show(path: Path) -> bool:
        key = path[-1]
        if not isinstance(key, str) or key in keys:
            return True
        if len(path) > 1 and path[-2] in free:
            return not looks_like_a_credential(key)
        return bool(_similar(key, keys))

    return may_show


def schema_problems(error: ValidationError, document: Document, schema: type[BaseModel]) -> Iterator[Problem]:
    """Return a problem for each error that pydantic found in a document."""
    sections = dict(_sections(schema, ""))
    unread = {problem.path for problem in document.problems}
    for detail in error.errors(include_url=False):
        path = detail["loc"]
        # pydantic marks an error of a key itself, as in `tags`, with this last part. An unknown key may have that name.
        if path[-1:] == ("[key]",) and detail["type"] != "extra_forbidden":
            path = path[:-1]
        if detail["input"] is None and detail["type"] != "extra_forbidden" and dotted(path) in unread:
            continue  # not empty: it could not be parsed, which is a problem of its own
        yield document.problem(_message(detail, path, document, sections), *path)


def _message(detail: ErrorDetails, path: Path, document: Document, sections: Sections) -> str:
    kind, value = detail["type"], detail["input"]
    context = {name: _plain(part) for name, part in detail.get("ctx", {}).items()}
    if kind == "extra_forbidden":
        return f"unknown key{_key_hint(path, sections)}"
    if value is None and path and kind != "missing":
        return _EMPTY_ITEM if isinstance(path[-1], int) else _EMPTY_KEY
    sentence = SENTENCES.get(kind, "{msg}, not {shown}")
    if kind == "model_type":
        sentence = f"{_expected_mapping(path, sections.get(_section(path)))}, not {{shown}}"
    if isinstance(value, str):
        context["length"] = len(value)
    return sentence.format(msg=detail["msg"], shown=_shown(value, path, document), **context) + _hint(kind, value)


def _plain(part: Any) -> Any:
    """Return `'a' or 'b'` without the quotes, and 1.0 as 1."""
    match part:
        case str():
            return part.replace("'", "")
        case float():
            return f"{part:g}"
    return part


def _shown(value: Any, path: Path, document: Document) -> str:
    """Return a value as it is written, and as YAML reads it if that is something else."""
    if is_secret(path):
        return HIDDEN
    match value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():
            return quoted(value)
    written = document.written.get(path, str(value))
    if isinstance(value, bool):
        return _as_written(written, str(value).lower(), str(value).lower())
    if isinstance(value, int | float):
        seen = str(value) if math.isfinite(value) else written
        return _as_written(written, seen, f"the number {shortened(seen)}")
    return _as_written(written, "", f"a {type(value).__name__}")


def _as_written(written: str, seen: str, meaning: str) -> str:
    return shortened(written) if written == seen else f"{shortened(written)} (YAML reads {meaning})"


def _hint(kind: str, value: Any) -> str:
    if kind == "string_type" and not isinstance(value, dict | list):
        return ": put it in quotes"
    if kind in {"int_type", "float_type"} and isinstance(value, str):
        try:
            return f": write {float(value):.15g}"
        except ValueError:
            return ""
    return ""


def _expected_mapping(path: Path, section: type[BaseModel] | None) -> str:
    """Return what is expected if there is no mapping."""
    required = [name for name, field in section.model_fields.items() if field.is_required()] if section else []
    mapping = f"a mapping with the key `{'`, `'.join(required)}`" if required else "a mapping"
    if not path:
        return "the file must be a mapping" + (" with the key `products`" if section is MonitorFile else "")
    return f"must be an ID or {mapping}" if section is ProductSection else f"must be {mapping}"


def _section(path: Path) -> str:
    return "".join(f".{part}" if isinstance(part, str) else "[]" for part in path).removeprefix(".")


def _key_hint(path: Path, sections: Sections) -> str:
    """Return which key an unknown one may be meant to be, and where."""
    here, key = _section(path[:-1]), str(path[-1])
    known = sections[here].model_fields
    if similar := _similar(key, known):
        return f"; did you mean `{similar}`?"
    others = [f"`{place}`" for place, section in sections.items() if place and key in section.model_fields]
    if others:
        return f"; it belongs in {' or '.join(others)}"
    if key in sections[""].model_fields:
        return "; it is a top-level key"
    return f"; the keys here are {', '.join(known)}"


def _similar(key: str, known: Collection[str]) -> str | None:
    if len(key) > 2 * max(map(len, known)):
        return None  # cannot be similar, and comparing megabytes takes minutes
    return next(iter(get_close_matches(key.lower().replace("-", "_"), known, n=1)), None)


def _sections(schema: type[BaseModel], place: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield every mapping of a schema with its place."""
    yield place, schema
    for name, field in schema.model_fields.items():
        for inner, suffix in _models(field.annotation):
            yield from _sections(inner, f"{place}.{name}{suffix}".removeprefix("."))


def _models(annotation: Any) -> Iterator[tuple[type[BaseModel], str]]:
    """Yield the models in a type, with `[]` for those in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, ""
    for argument in get_args(annotation):
        for inner, suffix in _models(argument):
            yield inner, f"[]{suffix}" if get_origin(annotation) is list else suffix
