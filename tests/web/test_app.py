"""The routes, without a server."""

import asyncio
import gzip
import threading

import pytest
from starlette.types import Message

from monitor.web.app import application
from tests.web.asgi import answer, request, scope
from tests.web.fake_views import FakeViews
from tests.web.served import TEXT, FakeHealth, FakeMetrics

APP = application(FakeMetrics(), FakeHealth(), FakeViews(), version="1.2.3")
TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def test_a_scrape() -> None:
    """The text comes with its length and the headers that it depends on."""
    got = request(APP)
    assert (got.status, got.body) == (200, TEXT)
    assert got.headers == {
        "content-type": TEXT_TYPE,
        "content-length": str(len(TEXT)),
        "vary": "Accept, Accept-Encoding",
    }


def test_an_openmetrics_scrape() -> None:
    """A client that asks for OpenMetrics gets it, up to its last line."""
    got = request(APP, headers={"Accept": "application/openmetrics-text"})
    assert (got.headers["content-type"], got.body) == (OPENMETRICS_TYPE, TEXT + b"# EOF\n")


def test_a_compressed_scrape() -> None:
    """A client that accepts gzip gets it, with its compressed length."""
    metrics = FakeMetrics(TEXT * 20_000)
    got = request(application(metrics, FakeHealth(), FakeViews(), version=""), headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(got.body) == metrics.text
    assert got.headers["content-encoding"] == "gzip"
    assert got.headers["content-length"] == str(len(got.body))


def test_a_large_scrape_does_not_hold_the_event_loop() -> None:
    """Other tasks run between the chunks of a scrape, however fast its client reads."""

    async def run() -> int:
        turns = 0
        scrape = asyncio.create_task(
            answer(application(FakeMetrics(TEXT * 40_000), FakeHealth(), FakeViews(), version=""))
        )
        while not scrape.done():
            turns += 1
            await asyncio.sleep(0)
        return turns

    assert asyncio.run(run()) > 10


def test_head_has_the_headers_of_get() -> None:
    """A HEAD request is answered as a GET request, without the body."""
    got = request(APP, method="HEAD")
    assert (got.status, got.headers["content-length"], got.body) == (200, str(len(TEXT)), b"")


@pytest.mark.parametrize("path", ["/metrics/", "/Metrics", "//metrics", "/metrics/x", "/-/reload", "/favicon.ico", "*"])
def test_an_unknown_path_is_not_found(path: str) -> None:
    """Only the exact path exists; nothing redirects."""
    got = request(APP, path)
    assert (got.status, got.body) == (404, b"Not Found")


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get"])
def test_other_methods_are_not_allowed(path: str, method: str) -> None:
    """The response names the allowed methods, GET and HEAD."""
    got = request(APP, path, method)
    assert (got.status, got.body) == (405, b"Method Not Allowed")
    assert set(got.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    ("path", "health", "status", "body"),
    [
        ("/livez", FakeHealth(is_alive=True, is_ready=False), 200, b"ok\n"),
        ("/livez", FakeHealth(is_alive=False, is_ready=True), 503, b"the scheduler has stopped\n"),
        ("/readyz", FakeHealth(is_alive=False, is_ready=True), 200, b"ok\n"),
        ("/readyz", FakeHealth(is_alive=True, is_ready=False), 503, b"some products have not been polled yet\n"),
    ],
)
def test_the_probes(path: str, health: FakeHealth, status: int, body: bytes) -> None:
    """Each probe answers its own question only."""
    got = request(application(FakeMetrics(), health, FakeViews(), version=""), path)
    assert (got.status, got.body) == (status, body)


def test_a_reload_runs_in_a_thread_and_answers_with_the_problems() -> None:
    """POST /-/reload answers 200, or 400 with the problems; the event loop is free meanwhile."""
    problems: list[str | None] = [None, "monitor.yaml:1: products: is required"]
    threads = []

    def reload() -> str | None:
        threads.append(threading.current_thread())
        return problems.pop(0)

    app = application(FakeMetrics(), FakeHealth(), FakeViews(), version="", reload=reload)
    reloaded, refused = (request(app, "/-/reload", "POST") for _ in range(2))
    assert (reloaded.status, reloaded.body) == (200, b"reloaded\n")
    assert (refused.status, refused.body) == (400, b"monitor.yaml:1: products: is required\n")
    assert request(app, "/-/reload").status == 405
    assert threading.main_thread() not in threads


def test_too_many_scrapes_at_once() -> None:
    """A scrape counts until its client has received it; one too many is answered with 503 and may be repeated."""

    async def run() -> list[int]:
        app = application(FakeMetrics(), FakeHealth(), FakeViews(), version="", scrapes=2)
        received = asyncio.Event()
        statuses: list[int] = []

        async def scrape(wait: asyncio.Event) -> None:
            async def receive() -> Message:
                raise AssertionError

            async def send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    statuses.append(message["status"])
                else:
                    await wait.wait()

            await app(scope(), receive, send)

        at_once = asyncio.Event()
        at_once.set()
        slow = [asyncio.create_task(scrape(received)) for _ in range(2)]
        await asyncio.sleep(0)
        await scrape(at_once)
        received.set()
        await asyncio.gather(*slow)
        await scrape(at_once)
        return statuses

    assert asyncio.run(run()) == [200, 200, 503, 200]


def test_a_failed_scrape_does_not_count_for_ever() -> None:
    """A scrape whose client is gone makes room for the next one."""
    app = application(FakeMetrics(), FakeHealth(), FakeViews(), version="", scrapes=1)

    async def send(_: Message) -> None:
        raise ConnectionResetError

    async def receive() -> Message:
        raise AssertionError

    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            asyncio.run(app(scope(), receive, send))  # type: ignore[arg-type] # an application is a coroutine function
    assert request(app).status == 200
