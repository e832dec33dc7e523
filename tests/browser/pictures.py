"""Draws the pictures of the README: `python -m tests.browser.pictures [FOLDER]`. They are the same each time."""

import sys
from dataclasses import dataclass
from pathlib import Path

from anyio import CapacityLimiter
from playwright.sync_api import Browser, sync_playwright
from starlette.applications import Starlette

from monitor import __version__
from monitor.web.listen import listen
from monitor.web.pages.routes import Pages
from monitor.web.server import Server
from tests.browser.conftest import ARGUMENTS, CHROMIUM, Scheme
from tests.browser.fleet import BASELINE, NOW, fleet

FOLDER = Path(__file__).parents[2] / "docs" / "images"
WIDTH = 1080


@dataclass(frozen=True)
class Picture:
    """A page, or its upper part."""

    name: str
    path: str
    height: int


PICTURES = (Picture("fleet", "/", 780), Picture("product", f"/products/{BASELINE.id}", 920))
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


def draw(folder: Path) -> list[Path]:
    """Write each picture in light and dark to a folder, and return the files."""
    pages = Pages(fleet(), __version__, CapacityLimiter(1), lambda: NOW)
    server = Server(Starlette(routes=pages.routes()), listen("127.0.0.1:0"))
    server.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            return [
                _draw(browser, f"http://{server.address}", picture, scheme, folder)
                for picture in PICTURES
                for scheme in SCHEMES
            ]
    finally:
        server.stop(5)


def _draw(browser: Browser, url: str, picture: Picture, scheme: Scheme, folder: Path) -> Path:
    page = browser.new_page(viewport={"width": WIDTH, "height": picture.height}, color_scheme=scheme)
    page.goto(url + picture.path)
    file = folder / f"{picture.name}-{scheme}.png"
    page.screenshot(path=file)
    return file


if __name__ == "__main__":
    for drawn in draw(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER):
        print(f"{drawn}: {drawn.stat().st_size / 1000:.0f} kB")
