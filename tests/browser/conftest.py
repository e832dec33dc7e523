"""The pages on a real server, in Chromium."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from monitor.web.app import application
from monitor.web.listen import listen
from monitor.web.server import Server
from tests.browser.fleet import fleet
from tests.web.fake_views import FakeViews
from tests.web.served import FakeHealth, FakeMetrics

Scheme = Literal["light", "dark"]
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@dataclass
class Site:
    """A monitor with a fixed fleet, and what a browser does there."""

    url: str
    views: FakeViews
    server: Server
    context: BrowserContext
    problems: list[str] = field(default_factory=list)
    """Errors on the console, and requests of other addresses."""

    def open(
        self, path: str, context: BrowserContext | None = None, *, width: int = 1280, scheme: Scheme = "light"
    ) -> Page:
        """Open a page of the monitor in a new tab."""
        page = (context or self.context).new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.on("console", lambda message: self._note(message.type in ("error", "warning"), message.text))
        page.on("pageerror", lambda error: self._note(True, str(error)))  # noqa: FBT003
        page.on("request", self._on_request)
        page.on("dialog", lambda dialog: self._note(True, dialog.message))  # noqa: FBT003
        response = page.goto(self.url + path)
        assert response
        assert response.status == 200, path
        return page

    def _on_request(self, request: Request) -> None:
        self._note(not request.url.startswith(self.url + "/"), request.url)

    def _note(self, problem: bool, text: str) -> None:
        if problem:
            self.problems.append(text)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return a running browser."""
    if not Path(CHROMIUM).exists():
        if os.environ.get("STACKSET_MONITOR_NO_SKIPS"):
            pytest.fail(f"{CHROMIUM} is not installed")
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@contextmanager
def serve(browser: Browser, views: FakeViews) -> Iterator[Site]:
    """Serve views on loopback, and check at the end that the browser had no problem with any page."""
    listening = listen("127.0.0.1:0")
    server = Server(application(FakeMetrics(), FakeHealth(), views, version="1.2.3"), listening)
    server.start()
    context = browser.new_context(locale="en-US", timezone_id="UTC")
    context.set_default_timeout(10_000)
    site = Site(f"http://{server.address}", views, server, context)
    try:
        yield site
    finally:
        context.close()
        server.stop(5)
    assert site.problems == []


@pytest.fixture
def site(browser: Browser) -> Iterator[Site]:
    """Serve the fixed fleet."""
    with serve(browser, fleet(now=datetime.now(UTC))) as found:
        yield found


@pytest.fixture
def large_site(browser: Browser) -> Iterator[Site]:
    """Serve the same with 500 accounts."""
    with serve(browser, fleet(500, datetime.now(UTC))) as found:
        yield found
