"""The runbooks of the alerts as pages: at three in the morning, they are where the problem is shown."""

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

FOLDER = Path(__file__).parent.parent / "runbooks"
# Other documents are not part of the package, so links to them would lead nowhere.
_OTHER_DOCUMENTS = re.compile(r"\[([^\]]+)\]\(\.\./[^)]+\)")


@dataclass(frozen=True, slots=True)
class Runbook:
    """A runbook as HTML, without its title."""

    name: str
    html: Markup


def names() -> list[str]:
    """Return the names of all runbooks, which are those of the alerts."""
    return sorted(path.stem for path in FOLDER.glob("*.md"))


@cache
def runbook(name: str) -> Runbook | None:
    """Return a runbook; None if there is none of this name."""
    if name not in names():
        return None
    text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(_OTHER_DOCUMENTS.sub(r"\1", text.partition("\n")[2]))
    for heading, content in pairwise(tokens):
        if heading.type == "heading_open":  # runbooks link to sections of each other
            heading.attrSet("id", content.content.lower().replace(" ", "-"))
    return Runbook(name, Markup(markdown.renderer.render(tokens, markdown.options, {})))  # noqa: S704 - our documents
