"""What the schema finds wrong, said to somebody who has the file open in an editor."""

import math
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from monitor.config.document import Document, Path, Problem, dotted, shortened
from monitor.config.model import ConfigurationFile, ProductPart
from monitor.config.secret import HIDDEN, is_secret

Parts = Mapping[str, type[BaseModel]]
"""The mappings of a file, by where they are: "" for the file itself, `poll`, `products[]`."""

SENTENCES = {
    "missing": "is required",
    "not_supported": "{msg}",
    "value_error": "{shown} {error}",
    "too_short": "at least one is required",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters, not {length}",
    "list_type": "must be a list, of lines that begin with `- `, not {shown}",
    "dict_type": "must be a mapping of keys, not {shown}",
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
"""What is said for each type of pydantic's errors that the model can have."""
_EMPTY_KEY = "is empty: write a value, or leave the key out"
_EMPTY_ITEM = "is empty: write an item, or take the `-` out"


def schema_problems(
    error: ValidationError, document: Document, model: type[BaseModel] = ConfigurationFile
) -> Iterator[Problem]:
    """Explain everything that pydantic found in a document, which should be a `model`."""
    parts = dict(_parts(model, ""))
    unread = {problem.path for problem in document.problems}
    for detail in error.errors(include_url=False):
        path = tuple(part for part in detail["loc"] if part != "[key]")  # pydantic's mark for a key of a mapping
        if detail["input"] is None and detail["type"] != "extra_forbidden" and dotted(path) in unread:
            continue  # it is not empty, it could not be read, and that is said already
        yield document.problem(_explained(detail, path, document, parts), *path)


def _explained(detail: ErrorDetails, path: Path, document: Document, parts: Parts) -> str:
    kind, value = detail["type"], detail["input"]
    context = {name: _plain(part) for name, part in detail.get("ctx", {}).items()}
    if kind == "extra_forbidden":
        return f"unknown key{_meant(path, parts)}"
    if value is None and path and kind != "missing":
        return _EMPTY_ITEM if isinstance(path[-1], int) else _EMPTY_KEY
    sentence = SENTENCES.get(kind, "{msg}, not {shown}")
    if kind == "model_type":
        sentence = f"{_shape(path, parts.get(_part(path)))}, not {{shown}}"
    if isinstance(value, str):
        context["length"] = len(value)
    return sentence.format(msg=detail["msg"], shown=_shown(value, path, document), **context) + _hint(kind, value)


def _plain(part: Any) -> Any:
    """Write `'a' or 'b'` without quotes, and 1.0 as 1."""
    match part:
        case str():
            return part.replace("'", "")
        case float():
            return f"{part:g}"
    return part


def _shown(value: Any, path: Path, document: Document) -> str:
    """Show a value as it is written, and what YAML makes of it where that is something else."""
    if is_secret(path):
        return HIDDEN
    match value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():
            return repr(shortened(value))
    written = document.written.get(path, str(value))
    if isinstance(value, bool):
        return _as_written(written, str(value).lower(), str(value).lower())
    if isinstance(value, int | float):
        seen = str(value) if math.isfinite(value) else written
        return _as_written(written, seen, f"the number {shortened(seen)}")
    return _as_written(written, "", f"a {type(value).__name__}")


def _as_written(written: str, seen: str, meaning: str) -> str:
    return shortened(written) if written == seen else f"{shortened(written)} (to YAML that is {meaning})"


def _hint(kind: str, value: Any) -> str:
    if kind == "string_type" and not isinstance(value, dict | list):
        return ": put it in quotes"
    if kind in {"int_type", "float_type"} and isinstance(value, str):
        try:
            return f": write {float(value):.15g}"
        except ValueError:
            return ""
    return ""


def _shape(path: Path, model: type[BaseModel] | None) -> str:
    """Say what has to be where there is no mapping."""
    required = [name for name, field in model.model_fields.items() if field.is_required()] if model else []
    keys = f"that has the key `{'`, `'.join(required)}`" if required else "of keys"
    if not path:
        wanted = "that has the key `products`, or `sources`" if model is ConfigurationFile else keys
        return f"the file must be a mapping {wanted}"
    return f"must be an id, or a mapping {keys}" if model is ProductPart else f"must be a mapping {keys}"


def _part(path: Path) -> str:
    return "".join(f".{part}" if isinstance(part, str) else "[]" for part in path).removeprefix(".")


def _meant(path: Path, parts: Parts) -> str:
    """Say what an unknown key may have been meant to be, and where."""
    here, key = _part(path[:-1]), str(path[-1])
    known = parts[here].model_fields
    if close := get_close_matches(key.lower().replace("-", "_"), known, n=1):
        return f"; did you mean `{close[0]}`?"
    homes = [f"`{part}`" for part, model in parts.items() if part and part != here and key in model.model_fields]
    if homes:
        return f"; it is a key of {' and of '.join(homes)}"
    if here and key in parts[""].model_fields:
        return "; it stands at the beginning of a line, not in here"
    return f"; known here: {', '.join(known)}"


def _parts(model: type[BaseModel], at: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Find every mapping that the model knows."""
    yield at, model
    for name, field in model.model_fields.items():
        for inner, suffix in _models(field.annotation):
            yield from _parts(inner, f"{at}.{name}{suffix}".removeprefix("."))


def _models(annotation: Any) -> Iterator[tuple[type[BaseModel], str]]:
    """Find the models in a type, `[]` with those that are in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, ""
    for argument in get_args(annotation):
        for inner, suffix in _models(argument):
            yield inner, f"[]{suffix}" if get_origin(annotation) is list else suffix
