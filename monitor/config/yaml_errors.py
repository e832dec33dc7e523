"""PyYAML's syntax errors as sentences that say what to do."""

import re

import yaml

from monitor.config.secret import HIDDEN, may_have_secret

# PyYAML's messages for common mistakes, as regular expressions, and ours.
_HINTS = (
    (r"found character '\\t' that cannot start any token", "a tab cannot start a value: indent with spaces"),
    (r"found character '(.+)' that cannot start any token", "text that starts with {} needs quotes"),
    (
        r"mapping values are not allowed here",
        "no `key: value` is allowed here: check the indentation, and put text with `: ` in quotes",
    ),
    (
        r"expected <block end>, but found .*",
        "this does not fit the lines above: check the indentation and the quotes",
    ),
    (r"found undefined alias '(.+)'", "there is no anchor &{} above"),
    (r"found duplicate anchor '(.+)'; first occurrence", "the anchor &{} is defined twice"),
)
# The same for mistakes whose line is that of the start of the value: context, start of the message, ours.
_BEGINNINGS = (
    ("while parsing a flow sequence", "expected ',' or ']'", "this [ is not closed, or a comma is missing after it"),
    ("while parsing a flow mapping", "expected ',' or '}'", "this { is not closed, or a comma is missing after it"),
    ("while parsing a flow node", "expected the node content, but found '<stream end>'", "a bracket is not closed"),
    ("while scanning a quoted scalar", "found unexpected end of stream", "the quote that starts here is not closed"),
    ("while scanning a simple key", "could not find expected ':'", "this is neither `key: value` nor `- item`"),
)
# The line breaks that PyYAML counts.
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_SECOND_DOCUMENT = "but found another document"


def syntax_problem(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """Return the line and the message for an error that PyYAML raised on `text`."""
    match error:
        case yaml.reader.ReaderError():
            line = text.count("\n", 0, error.position) + 1
            character = error.character if isinstance(error.character, int) else ord(error.character)
            return line, f"invalid YAML: the character U+{character:04X} is not allowed"
        case yaml.MarkedYAMLError():
            return _marked(error, text)
    return 1, f"invalid YAML: {' '.join(str(error).split())}"


def _marked(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    problem = error.problem or ""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    if _SECOND_DOCUMENT in problem:
        return line, "a second YAML document starts here: a configuration file has only one"
    for context, end, sentence in _BEGINNINGS:
        if error.context_mark and error.context == context and problem.startswith(end):
            return error.context_mark.line + 1, f"invalid YAML: {sentence}"
    # A value may be on the line below its key.
    hidden = may_have_secret("\n".join(_BREAK.split(text)[max(0, line - 2) : line]))
    for pattern, sentence in _HINTS:
        if found := re.fullmatch(pattern, problem) or re.fullmatch(pattern, error.context or ""):
            shown = (HIDDEN if hidden else part for part in found.groups())
            return line, f"invalid YAML: {sentence.format(*shown)}"
    message = ", ".join(part for part in (error.context, problem) if part)
    if hidden:
        message = re.sub("'.*'", HIDDEN, message)
    return line, f"invalid YAML: {message}"
