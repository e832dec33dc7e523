"""The pages of a fixed fleet, without a server."""

import re
from datetime import datetime
from html import unescape
from html.parser import HTMLParser

from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.types import ASGIApp

from monitor.web.pages.routes import Pages
from tests.browser.fleet import BASELINE, NOW, fleet
from tests.web.asgi import request
from tests.web.fake_views import FakeViews
from tests.web.served import Answer

FLEET = fleet()
PATHS = [
    "/",
    "/runbooks/StackInstanceOutdated",
    f"/products/{BASELINE.id}",
    "/?status=OUTDATED",
    "/transitions",
    "/sources",
]
HOSTILE = "</script><img src=x onerror=alert(1)>'\"&\x1b[31m\n=1+1"


def application(views: FakeViews = FLEET, now: datetime = NOW, version: str = "1.2.3") -> ASGIApp:
    """Return an application with nothing but the pages."""
    return Starlette(routes=Pages(views, version, CapacityLimiter(2), lambda: now).routes())


def get(path: str, views: FakeViews = FLEET) -> Answer:
    """Return a page."""
    return request(application(views), path)


def text_of(path: str, views: FakeViews = FLEET) -> str:
    """Return the text of the main part of a page, with single spaces."""
    main = get(path, views).body.decode().partition("<main")[2].partition(">")[2].partition("</main>")[0]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", main)).split())


class Links(HTMLParser):
    """The addresses that a page names."""

    def __init__(self, html: str) -> None:
        """Parse a page."""
        super().__init__()
        self.followed: set[str] = set()
        self.loaded: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the addresses of a tag."""
        for name, value in attrs:
            if name in ("href", "src", "action") and value:
                (self.followed if tag in ("a", "form") else self.loaded).add(value)
