"""The pages as a browser gets them: headers, links, static files, errors and hostile text."""

import asyncio
import gzip
import re
import threading
from dataclasses import replace
from urllib.parse import urljoin

import pytest

from monitor.model.instances import Product, Status
from tests.browser.fleet import BASELINE, NOW
from tests.making import detail
from tests.web.asgi import answer, request
from tests.web.fake_views import FakeViews, product_view, source_view
from tests.web.pages.pages import HOSTILE, PATHS, Links, application, get, text_of
from tests.web.served import Answer


@pytest.mark.parametrize("path", PATHS)
def test_a_page_loads_nothing_from_elsewhere(path: str) -> None:
    """Browsers are told to load and run only the files of the monitor, and no page has inline styles or scripts."""
    got = get(path)
    assert (got.status, got.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = dict(directive.split(" ", 1) for directive in got.headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["referrer-policy"] == "no-referrer"
    assert got.headers["cache-control"] == "no-store"
    html = got.body.decode()
    assert not re.search(r"\sstyle=|<style|\son\w+=|<script>", html)
    assert all(re.fullmatch(r"/static/[a-z]+\.(css|js|svg)", link) for link in Links(html).loaded)


@pytest.mark.parametrize("path", PATHS)
def test_the_links_of_a_page_work(path: str) -> None:
    """Each link to a page or a file of the monitor leads to one."""
    links = Links(get(path).body.decode())
    assert links.loaded == {"/static/icon.svg", "/static/refresh.js", "/static/style.css"}
    for link in links.followed | links.loaded:
        if not link.startswith(("/api/", "/metrics", "https://")):
            assert get(urljoin(path, link).partition("#")[0]).status == 200, link


def test_every_fragment_exists() -> None:
    """A link to a part of a page leads to an element with this ID."""
    seen = set()
    for path in PATHS:
        html = get(path).body.decode()
        for link in Links(html).followed:
            target, _, fragment = link.partition("#")
            if fragment and not link.startswith("https://"):
                page = html if not target or target.startswith("?") else get(urljoin(path, target)).body.decode()
                assert f'id="{fragment}"' in page, link
                seen.add(fragment)
    assert len(seen) > 1  # more than the link that skips to the content


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/products/nothing", 404, "there is no product with the ID or name 'nothing'"),
        ("/?status=broken", 400, "status: 'broken' does not exist; use CURRENT, OUTDATED, INOPERABLE, UNKNOWN"),
        ("/?cursor=x&status=OUTDATED", 400, "'x' is not a cursor of this list"),
        ("/?cursor=x", 400, "'x' is not a cursor of this list"),
        (f"/products/{BASELINE.id}?map_cursor=x", 400, "'x' is not a cursor of this list"),
        ("/transitions?since=soon", 400, "since: 'soon' is neither a duration"),
    ],
)
def test_a_wrong_address_is_explained(path: str, status: int, sentence: str) -> None:
    """The page says what is wrong with the address, and links the way back."""
    assert get(path).status == status
    assert sentence in text_of(path)
    assert "/" in Links(get(path).body.decode()).followed


def test_a_name_of_two_products_is_not_guessed() -> None:
    """Products of the same name are opened by their ID."""
    views = FakeViews([product_view(product=Product(product_id, "twin")) for product_id in ("pp-1", "pp-2")])
    assert get("/products/twin", views).status == 404
    several = "2 products have the name 'twin': use one of the IDs pp-1, pp-2"
    assert several in text_of("/products/twin", views)


@pytest.mark.parametrize("path", ["/", "/products/pp-evil", "/?status=OUTDATED", "/transitions"])
def test_text_from_aws_is_text(path: str) -> None:
    """A name with markup, control characters and quotes is shown as it is, and is no element of the page."""
    product = Product("pp-evil", HOSTILE)
    view = product_view(
        {(HOSTILE, HOSTILE): Status.OUTDATED}, product, NOW, detail=replace(detail(product=product), product_id=HOSTILE)
    )
    html = get(path, FakeViews([view], [source_view(HOSTILE)])).body.decode()
    assert "<img src=x" not in html
    assert "</script><" not in html.replace("</script>\n", "")
    if path != "/transitions":
        assert "&lt;img src=x onerror=alert(1)&gt;" in html


def test_hostile_parameters_are_text() -> None:
    """A parameter that a form shows again is escaped."""
    html = get("/?account=%22%3E%3Cimg%20src%3Dx%3E").body.decode()
    assert "<img src=x" not in html
    assert "&#34;&gt;&lt;img src=x&gt;" in html


def test_the_version_is_shown_and_escaped() -> None:
    """The footer names the version, as text."""
    assert b"stackset-monitor 1.0&lt;b&gt;" in request(application(version="1.0<b>"), "/").body


def test_a_page_is_compressed_for_clients_that_accept_it() -> None:
    """The body is the same, and caches are told what it depends on."""
    plain, packed = get("/"), request(application(), "/", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["content-length"] == str(len(packed.body))
    assert gzip.decompress(packed.body) == plain.body
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("style.css", "text/css; charset=utf-8"),
        ("refresh.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_a_static_file_is_sent_once(name: str, media_type: str) -> None:
    """A browser that has the file gets 304, until the file changes."""
    got = get(f"/static/{name}")
    assert (got.status, got.headers["content-type"]) == (200, media_type)
    assert got.headers["cache-control"] == "private, no-cache"
    for tag in (got.headers["etag"], f'"other", W/{got.headers["etag"]}', "*"):
        again = request(application(), f"/static/{name}", headers={"If-None-Match": tag})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", got.headers["etag"])
    assert request(application(), f"/static/{name}", headers={"If-None-Match": '"other"'}).status == 200


@pytest.mark.parametrize(
    "path", ["/static/", "/static/../app.py", "/static/nothing.css", "/products/", "/products/a/b"]
)
def test_nothing_else_exists(path: str) -> None:
    """Only the files of the folder are served."""
    assert get(path).status == 404


def test_pages_are_rendered_off_the_event_loop() -> None:
    """The views are read in a thread, and the event loop is free meanwhile."""
    entered, leave = threading.Event(), threading.Event()

    class SlowViews(FakeViews):
        def products(self) -> list[object]:  # type: ignore[override] # no product is enough
            entered.set()
            assert leave.wait(20)
            return []

    async def run() -> Answer:
        page = asyncio.create_task(answer(application(SlowViews()), "/"))
        assert await asyncio.to_thread(entered.wait, 20)
        assert not page.done()
        leave.set()
        return await page

    assert asyncio.run(run()).status == 200
