"""YAML read to plain values, with the line of each of them: a problem can then be shown where it is."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import yaml

Path = tuple[str | int, ...]

MOST_VALUES = 200_000
"""More than any real file has; aliases of aliases reach it from a few lines."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a file."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        """Return `LINE: PATH: MESSAGE`, without what there is none of."""
        return ": ".join(part for part in (str(self.line or ""), self.path, self.message) if part)


@dataclass(frozen=True, slots=True)
class Document:
    """The plain value of a file, and on which line each part of it begins."""

    value: Any
    lines: dict[Path, int]
    problems: tuple[Problem, ...]

    def line(self, path: Path) -> int:
        """Return the line of a path, or of the nearest part around it that is in the file."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1


def dotted(path: Path) -> str:
    """Write a path as `products[2].id`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_document(text: bytes) -> Document:
    """Read YAML. What is wrong with it, bytes that are no text included, is in `problems` and not raised."""
    try:
        node = yaml.compose(text.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        return Document(None, {}, (Problem(line, "", "this is not UTF-8 text"),))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(part for part in (error.context, error.problem) if part)
        return Document(None, {}, (Problem(mark.line + 1 if mark else 1, "", f"this is not YAML: {message}"),))
    except yaml.YAMLError as error:
        return Document(None, {}, (Problem(1, "", f"this is not YAML: {' '.join(str(error).split())}"),))
    except RecursionError:
        return Document(None, {}, (Problem(1, "", "this is nested too deeply"),))
    reader = _Reader()
    try:
        value = reader.read(node, ()) if node is not None else None
    except (_TooManyError, RecursionError):
        return Document(None, {}, (Problem(1, "", "this has too many values, or one that contains itself"),))
    return Document(value, reader.lines, tuple(reader.problems))


class _TooManyError(Exception):
    pass


class _Reader:
    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        self._scalars = yaml.constructor.SafeConstructor()

    def read(self, node: yaml.Node, path: Path) -> Any:
        if len(self.lines) > MOST_VALUES:
            raise _TooManyError
        self.lines.setdefault(path, node.start_mark.line + 1)
        match node:
            case yaml.MappingNode():
                return self._mapping(node, path)
            case yaml.SequenceNode():
                return [self.read(item, (*path, place)) for place, item in enumerate(node.value)]
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError):
            self._problem(node, path, f"{node.value[:64]!r} cannot be read as {node.tag.rpartition(':')[2]}")
            return None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key: Hashable = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                self._problem(key_node, path, "a key must be a plain word")
                continue
            here = (*path, key)
            if key_node.tag == "tag:yaml.org,2002:merge":
                self._problem(key_node, path, "merge keys (<<) are not supported")
            elif key in result:
                self._problem(key_node, here, f"the key is there twice, first on line {self.lines[here]}")
            else:
                self.lines[here] = key_node.start_mark.line + 1
                result[key] = self.read(value_node, here)
        return result

    def _problem(self, node: yaml.Node, path: Path, message: str) -> None:
        self.problems.append(Problem(node.start_mark.line + 1, dotted(path), message))
