"""YAML parsed to plain values, with the line of each of them, so that a problem names its place."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from monitor.config.secret import HIDDEN, is_secret, looks_like_a_credential
from monitor.config.yaml_errors import syntax_problem

# Keys and list positions from the top of a file to a value: `("products", 2, "id")`.
Path = tuple[str | int, ...]
# Returns whether the last key of a path may be shown. A key that the schema does not have may be a secret.
KeyFilter = Callable[[Path], bool]

# More than any real file has. Aliases of aliases reach it from a few lines.
MAX_VALUES = 200_000
# Levels of nesting. Parsing and validating are recursive, and must not reach the interpreter's own limit.
MAX_DEPTH = 32
# The tags that YAML resolves by itself. Others are written out (`!!set`, `!secret`) and are refused.
TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq")
)
# Characters of a key or a value in a message.
MAX_SHOWN = 64


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One problem of a file. `line` 0 and an empty `path` stand for the whole file."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        """Return `LINE: PATH: MESSAGE`, without the parts that are empty."""
        return ": ".join(part for part in (str(self.line or ""), self.path, self.message) if part)


@dataclass(frozen=True, slots=True)
class Document:
    """The plain values of a file, with the line of each value."""

    value: Any
    lines: dict[Path, int]
    written: dict[Path, str]
    """The unquoted scalars as they are written: `no`, which YAML reads as false, or `0123`, which it reads as 83."""
    problems: tuple[Problem, ...]
    may_show: KeyFilter = field(default=lambda _: True, compare=False)

    def line(self, path: Path) -> int:
        """Return the line of a path, or of the nearest part around it that is in the file."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1

    def problem(self, message: str, *path: str | int) -> Problem:
        """Return a problem of the value at a path."""
        return Problem(self.line(path), dotted(path, self.may_show), message)


def dotted(path: Path, may_show: KeyFilter = lambda _: True) -> str:
    """Return a path as `products[2].id`. It ends before a key that must not be shown."""
    text = ""
    for place, part in enumerate(path):
        if is_secret(path[:place]) or not may_show(path[: place + 1]):
            break
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            word = part if re.fullmatch(r"[\w-]+", part) else json.dumps(part)
            text += f".{shortened(word)}" if text else shortened(word)
    return text


def shortened(text: str) -> str:
    """Return text, cut if it is too long for a message."""
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def quoted(text: str) -> str:
    """Return text in double quotes for a message: one line, shortened, and not if it looks like a credential."""
    if looks_like_a_credential(text):
        return HIDDEN
    text = shortened(text)
    return f'"{text}"' if text.isprintable() and not re.search(r'["\\]', text) else json.dumps(text)


def read_document(text: bytes, may_show: KeyFilter = lambda _: True) -> Document:
    """Parse YAML. Never raises: the problems, also bytes that are not UTF-8, are in `problems` of the result."""
    try:
        characters = text.decode()  # a byte order mark stays: YAML allows it
    except UnicodeDecodeError as error:
        return _unreadable(text.count(b"\n", 0, error.start) + 1, "not UTF-8: save the file as UTF-8")
    reader = _Reader(may_show)
    try:
        node = _Loader(characters).get_single_node()
        value = reader.read(node, ()) if node is not None else None
    except yaml.YAMLError as error:
        return _unreadable(*syntax_problem(error, characters))
    except _TooMuchError as error:
        return _unreadable(error.line, error.message)
    return Document(value, reader.lines, reader.written, tuple(reader.problems), may_show)


def _unreadable(line: int, message: str) -> Document:
    return Document(None, {}, {}, (Problem(line, "", message),))


_TOO_MANY = f"more than {MAX_VALUES} values, counted with the copies that aliases make"
_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"


class _TooMuchError(Exception):
    def __init__(self, mark: yaml.Mark, message: str) -> None:
        super().__init__()
        self.line = mark.line + 1
        self.message = message


class _Loader(yaml.SafeLoader):
    """PyYAML's loader with limits: it composes nested values by recursion, and 4 MiB may hold a million of them."""

    _depth = 0
    _nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._nodes += 1
        if self._depth > MAX_DEPTH or self._nodes > 2 * MAX_VALUES:  # a key is a node, too
            message = _TOO_DEEP if self._depth > MAX_DEPTH else _TOO_MANY
            raise _TooMuchError(self.peek_event().start_mark, message)  # type: ignore[no-untyped-call]
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class _Reader:
    """Turns the nodes of a document into values."""

    def __init__(self, may_show: KeyFilter) -> None:
        self._may_show = may_show
        self.lines: dict[Path, int] = {}
        self.written: dict[Path, str] = {}
        self.problems: list[Problem] = []
        self._scalars = yaml.constructor.SafeConstructor()
        self._open: set[int] = set()

    def read(self, node: yaml.Node, path: Path) -> Any:
        if len(self.lines) > MAX_VALUES:
            raise _TooMuchError(node.start_mark, _TOO_MANY)
        if len(path) > MAX_DEPTH:  # aliases nest what is not nested as nodes
            raise _TooMuchError(node.start_mark, _TOO_DEEP)
        self.lines.setdefault(path, node.start_mark.line + 1)
        if node.tag not in TAGS:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            self._problem(node, path, f"the tag {self._shown(tag, path)} is not supported")
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            self._problem(node, path, "an alias makes this value contain itself")
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
            self._problem(node, path, "one half of a surrogate pair is not text")
            return None
        node.value = text
        if not node.style:
            self.written[path] = node.value
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, AttributeError):  # the tag does not fit
            kind = node.tag.rpartition(":")[2]
            self._problem(node, path, f"{self._shown(node.value, path)} cannot be read as {kind}: put text in quotes")
            return None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = _text(key_node.value) if isinstance(key_node, yaml.ScalarNode) else None
            if key is None:
                self._problem(key_node, path, "a key must be plain text")
                continue
            here = (*path, key)
            if key_node.tag == "tag:yaml.org,2002:merge":
                self._problem(key_node, path, "merge keys (<<) are not supported: write out the keys")
            elif key in result:
                self._problem(key_node, here, f"duplicate key, first on line {self.lines[here]}")
            else:
                self.lines[here] = key_node.start_mark.line + 1
                result[key] = self.read(value_node, here)
        return result

    def _problem(self, node: yaml.Node, path: Path, message: str) -> None:
        self.problems.append(Problem(node.start_mark.line + 1, dotted(path, self._may_show), message))

    def _shown(self, text: str, path: Path) -> str:
        shown = not is_secret(path) and all(self._may_show(path[: place + 1]) for place in range(len(path)))
        return quoted(text) if shown else HIDDEN


def _text(value: str) -> str | None:
    r"""Return text with its surrogate pairs joined, or None if one half of a pair is left.

    JSON writes a character beyond U+FFFF as two escapes (`\ud83d\ude00`), which PyYAML does not join.
    """
    if value.isascii():
        return value
    try:
        return value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        return None
