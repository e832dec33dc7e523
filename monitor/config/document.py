"""YAML read to plain values, with the line of each of them: a problem can then be shown where it is."""

import json
import re
from dataclasses import dataclass
from typing import Any

import yaml

from monitor.config.secret import HIDDEN, is_secret
from monitor.config.syntax import syntax_problem

Path = tuple[str | int, ...]

MOST_VALUES = 200_000
"""More than any real file has; aliases of aliases reach it from a few lines."""
DEEPEST = 32
"""Levels of nesting; what is read and checked by recursion must end before the interpreter ends it."""
TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq")
)
"""What YAML finds by itself. Others are written out (`!!set`, `!secret`), and nothing here knows them."""
TOO_MANY = f"the file has more than {MOST_VALUES} values, counted with its aliases"
TOO_DEEP = "this is nested too deeply"
LONGEST_SHOWN = 64
"""Characters of a key or a value that a message shows."""


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
    """The plain value of a file, where each part of it begins, and how each plain word in it is written."""

    value: Any
    lines: dict[Path, int]
    written: dict[Path, str]
    """The scalars without quotes, as they stand in the file: `no`, which is false, or `0123`, which is 83."""
    problems: tuple[Problem, ...]

    def line(self, path: Path) -> int:
        """Return the line of a path, or of the nearest part around it that is in the file."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1

    def problem(self, message: str, *path: str | int) -> Problem:
        """Return a problem with what is at a path."""
        return Problem(self.line(path), dotted(path), message)


def dotted(path: Path) -> str:
    """Write a path as `products[2].id`; what is no word in quotes, so that it stays one line.

    It ends at a secret, since what stands there is one, keys included.
    """
    text = ""
    for place, part in enumerate(path):
        if is_secret(path[:place]):
            break
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            word = part if re.fullmatch(r"[\w-]+", part) else json.dumps(part)
            text += f".{shortened(word)}" if text else shortened(word)
    return text


def shortened(text: str) -> str:
    """Cut text that is too long for a message."""
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."


def read_document(text: bytes) -> Document:
    """Read YAML. What is wrong with it, bytes that are no text included, is in `problems` and not raised."""
    try:
        characters = text.decode()  # a byte order mark is left to YAML, which allows it
    except UnicodeDecodeError as error:
        return _unreadable(text.count(b"\n", 0, error.start) + 1, "this is not UTF-8 text: save the file as UTF-8")
    reader = _Reader()
    try:
        node = _Loader(characters).get_single_node()
        value = reader.read(node, ()) if node is not None else None
    except yaml.YAMLError as error:
        return _unreadable(*syntax_problem(error, characters))
    except _TooMuchError as error:
        return _unreadable(error.line, error.message)
    return Document(value, reader.lines, reader.written, tuple(reader.problems))


def _unreadable(line: int, message: str) -> Document:
    return Document(None, {}, {}, (Problem(line, "", message),))


class _TooMuchError(Exception):
    def __init__(self, mark: yaml.Mark, message: str) -> None:
        super().__init__()
        self.line = mark.line + 1
        self.message = message


class _Loader(yaml.SafeLoader):
    """PyYAML's, which composes by recursion."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self._depth > DEEPEST:
            raise _TooMuchError(self.peek_event().start_mark, TOO_DEEP)  # type: ignore[no-untyped-call]
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class _Reader:
    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.written: dict[Path, str] = {}
        self.problems: list[Problem] = []
        self._scalars = yaml.constructor.SafeConstructor()
        self._open: set[int] = set()

    def read(self, node: yaml.Node, path: Path) -> Any:
        if len(self.lines) > MOST_VALUES:
            raise _TooMuchError(node.start_mark, TOO_MANY)
        if len(path) > DEEPEST:  # by aliases: the nodes themselves are not
            raise _TooMuchError(node.start_mark, TOO_DEEP)
        self.lines.setdefault(path, node.start_mark.line + 1)
        if node.tag not in TAGS:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            self._problem(node, path, f"the tag {_shown(tag, path)} is not supported")
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            self._problem(node, path, "this contains itself, by an alias")
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            return [self.read(item, (*path, place)) for place, item in enumerate(node.value)]
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        text = _text(node.value)
        if text is None:
            self._problem(node, path, "half of a Unicode character (a surrogate) stands here")
            return None
        node.value = text
        if not node.style:
            self.written[path] = node.value
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError, LookupError, AttributeError):  # a tag may claim anything
            kind = node.tag.rpartition(":")[2]
            self._problem(node, path, f"{_shown(node.value, path)} cannot be read as {kind}: text needs quotes")
            return None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = _text(key_node.value) if isinstance(key_node, yaml.ScalarNode) else None
            if key is None:
                self._problem(key_node, path, "a key must be a plain word")
                continue
            here = (*path, key)
            if key_node.tag == "tag:yaml.org,2002:merge":
                self._problem(key_node, path, "merge keys (<<) are not supported: write the keys out")
            elif key in result:
                self._problem(key_node, here, f"the key is there twice, first on line {self.lines[here]}")
            else:
                self.lines[here] = key_node.start_mark.line + 1
                result[key] = self.read(value_node, here)
        return result

    def _problem(self, node: yaml.Node, path: Path, message: str) -> None:
        self.problems.append(Problem(node.start_mark.line + 1, dotted(path), message))


def _shown(text: str, path: Path) -> str:
    return HIDDEN if is_secret(path) else repr(shortened(text))


def _text(value: str) -> str | None:
    r"""Put together the halves of characters, which JSON writes as two escapes (`\ud83d\ude00`).

    None where half a character is left: that is no text.
    """
    if value.isascii():
        return value
    try:
        return value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        return None
