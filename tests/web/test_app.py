"""The routes, without a server."""

import asyncio
import zlib
from html.parser import HTMLParser

import pytest
from starlette.types import Message

from monitor.web.app import application
from monitor.web.page import page
from tests.web.asking import answer, ask
from tests.web.serving import TEXT, FakeBoard, FakeHealth

APP = application(FakeBoard(), FakeHealth(), version="1.2.3")
TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def test_a_scrape() -> None:
    """The text is sent with its length, and caches are told what it depends on."""
    got = ask(APP)
    assert (got.status, got.body) == (200, TEXT)
    assert got.headers == {
        "content-type": TEXT_TYPE,
        "content-length": str(len(TEXT)),
        "vary": "Accept, Accept-Encoding",
    }


def test_an_openmetrics_scrape() -> None:
    """Who asks for OpenMetrics gets it, up to the line that ends it."""
    got = ask(APP, headers={"Accept": "application/openmetrics-text"})
    assert (got.headers["content-type"], got.body) == (OPENMETRICS_TYPE, TEXT + b"# EOF\n")


def test_a_packed_scrape_is_one_gzip_member() -> None:
    """A reader that stops after the first member, as curl does, has everything, with the right length beforehand."""
    board = FakeBoard(TEXT * 20_000)
    got = ask(application(board, FakeHealth(), version=""), headers={"Accept-Encoding": "gzip"})
    reader = zlib.decompressobj(wbits=31)
    assert reader.decompress(got.body) == board.text
    assert (reader.eof, reader.unused_data) == (True, b"")
    assert got.headers["content-encoding"] == "gzip"
    assert got.headers["content-length"] == str(len(got.body))


def test_others_have_their_turn_amid_a_large_scrape() -> None:
    """However fast a client takes it, a large scrape does not hold the event loop from its first chunk to its last."""

    async def run() -> int:
        turns = 0
        scrape = asyncio.create_task(answer(application(FakeBoard(TEXT * 40_000), FakeHealth(), version="")))
        while not scrape.done():
            turns += 1
            await asyncio.sleep(0)
        return turns

    assert asyncio.run(run()) > 10


def test_head_has_the_headers_of_get() -> None:
    """A HEAD is answered as a GET, without the body."""
    got = ask(APP, method="HEAD")
    assert (got.status, got.headers["content-length"], got.body) == (200, str(len(TEXT)), b"")


@pytest.mark.parametrize("path", ["/metrics/", "/Metrics", "//metrics", "/metrics/x", "/-/reload", "/favicon.ico", "*"])
def test_anything_else_is_not_there(path: str) -> None:
    """A path is right as it is written in the contract, or it is a 404; nothing redirects."""
    got = ask(APP, path)
    assert (got.status, got.body) == (404, b"404 Not Found\n")


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get"])
def test_other_methods_are_refused(path: str, method: str) -> None:
    """Only GET and HEAD are there, and that is said."""
    got = ask(APP, path, method)
    assert (got.status, got.body) == (405, b"405 Method Not Allowed\n")
    assert set(got.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    ("path", "health", "status", "body"),
    [
        ("/livez", FakeHealth(ticks=True, is_ready=False), 200, b"ok\n"),
        ("/livez", FakeHealth(ticks=False, is_ready=True), 503, b"the scheduler does not tick\n"),
        ("/readyz", FakeHealth(ticks=False, is_ready=True), 200, b"ok\n"),
        ("/readyz", FakeHealth(ticks=True, is_ready=False), 503, b"some products were not polled yet\n"),
    ],
)
def test_the_probes(path: str, health: FakeHealth, status: int, body: bytes) -> None:
    """Each probe answers for its own question only."""
    got = ask(application(FakeBoard(), health, version=""), path)
    assert (got.status, got.body) == (status, body)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value for name, value in attrs if (tag, name) == ("a", "href") and value]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_links_to_what_there_is() -> None:
    """The page for people names the version, and every link on it works."""
    got = ask(APP, "/")
    assert (got.status, got.headers["content-type"]) == (200, "text/html; charset=utf-8")
    shown = _Page()
    shown.feed(got.body.decode())
    assert "version 1.2.3" in shown.text
    assert shown.links == ["/metrics", "/readyz", "/livez"]
    assert [ask(APP, link).status for link in shown.links] == [200, 200, 200]


def test_a_version_is_text() -> None:
    """What is odd in a version does not become markup."""
    assert "version 1.0&lt;b&gt;" in page("1.0<b>")


def test_too_many_scrapes_at_once() -> None:
    """A scrape counts until its client has taken it; one too many is a 503, and the next may come again."""

    async def run() -> list[int]:
        app = application(FakeBoard(), FakeHealth(), version="", scrapes=2)
        taken = asyncio.Event()
        statuses: list[int] = []

        async def scrape(wait: asyncio.Event) -> None:
            async def receive() -> Message:
                raise AssertionError

            async def send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    statuses.append(message["status"])
                else:
                    await wait.wait()

            scope = {"type": "http", "method": "GET", "path": "/metrics", "headers": []}
            await app(scope, receive, send)

        at_once = asyncio.Event()
        at_once.set()
        slow = [asyncio.create_task(scrape(taken)) for _ in range(2)]
        await asyncio.sleep(0)
        await scrape(at_once)
        taken.set()
        await asyncio.gather(*slow)
        await scrape(at_once)
        return statuses

    assert asyncio.run(run()) == [200, 200, 503, 200]


def test_a_client_that_fails_gives_its_place_back() -> None:
    """Whatever happens while a scrape is sent, it does not count for ever."""
    app = application(FakeBoard(), FakeHealth(), version="", scrapes=1)

    async def send(_: Message) -> None:
        raise ConnectionResetError

    async def receive() -> Message:
        raise AssertionError

    async def scrape() -> None:
        await app({"type": "http", "method": "GET", "path": "/metrics", "headers": []}, receive, send)

    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            asyncio.run(scrape())
    assert ask(app).status == 200
