"""What keeps text from being YAML, said so that one finds it and knows what to do."""

import re

import yaml

from monitor.config.secret import HIDDEN, has_secret

_HINTS = (
    (r"found character '\\t' that cannot start any token", "a tab cannot begin anything in YAML: indent with spaces"),
    (r"found character '(.+)' that cannot start any token", "text that begins with {} needs quotes"),
    (
        r"mapping values are not allowed here",
        "no `key: value` can be here: look at the indentation, and at text with `: ` in it, which needs quotes",
    ),
    (
        r"expected <block end>, but found .*",
        "this does not fit what is before it: look at the indentation and the quotes",
    ),
    (r"found undefined alias '(.+)'", "there is no anchor &{} above"),
    (r"found duplicate anchor '(.+)'; first occurrence", "the anchor &{} is there twice"),
)
"""What PyYAML says of common mistakes, and what helps more."""
_BEGINNINGS = (
    ("while parsing a flow sequence", "expected ',' or ']'", "this [ is not closed, or a comma is missing behind it"),
    ("while parsing a flow mapping", "expected ',' or '}'", "this { is not closed, or a comma is missing behind it"),
    ("while parsing a flow node", "expected the node content, but found '<stream end>'", "a bracket is never closed"),
    ("while scanning a quoted scalar", "found unexpected end of stream", "the quote that begins here has no end"),
    ("while scanning a simple key", "could not find expected ':'", "this is neither `key: value` nor `- item`"),
)
"""The same where the mistake is at the beginning of what PyYAML could not read to its end."""
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""Where a line ends, as PyYAML counts them."""
_SECOND_DOCUMENT = "but found another document"


def syntax_problem(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """Return the line and a sentence for what PyYAML raised on `text`."""
    match error:
        case yaml.reader.ReaderError():
            line = text.count("\n", 0, error.position) + 1
            character = error.character if isinstance(error.character, int) else ord(error.character)
            return line, f"this is not YAML: the character U+{character:04X} cannot be in it"
        case yaml.MarkedYAMLError():
            return _marked(error, text)
    return 1, f"this is not YAML: {' '.join(str(error).split())}"


def _marked(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    problem = error.problem or ""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    if _SECOND_DOCUMENT in problem:
        return line, "a second YAML document begins here: one file is one configuration"
    for context, end, sentence in _BEGINNINGS:
        if error.context_mark and error.context == context and problem.startswith(end):
            return error.context_mark.line + 1, f"this is not YAML: {sentence}"
    hidden = has_secret("\n".join(_BREAK.split(text)[max(0, line - 2) : line]))  # the value may be below its key
    for pattern, sentence in _HINTS:
        if found := re.fullmatch(pattern, problem) or re.fullmatch(pattern, error.context or ""):
            shown = (HIDDEN if hidden else part for part in found.groups())
            return line, f"this is not YAML: {sentence.format(*shown)}"
    said = ", ".join(part for part in (error.context, problem) if part)
    if hidden:
        said = re.sub("'.*'", HIDDEN, said)
    return line, f"this is not YAML: {said}"
