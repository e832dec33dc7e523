"""The style sheet, the script and the icon."""

from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.web.pages.responses import SECURITY_HEADERS

FOLDER = Path(__file__).parent.parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def static_routes() -> list[Route]:
    """Return a route for each file of the folder, which is read once."""
    return [_route(path) for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES]


def _route(path: Path) -> Route:
    content = path.read_bytes()
    etag = f'"{sha256(content).hexdigest()[:16]}"'
    # `no-cache` lets a browser keep a file, but ask each time whether it is the same after an update of the monitor.
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", **SECURITY_HEADERS}

    async def send(request: Request) -> Response:
        known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
        if etag in known or "*" in known:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=TYPES[path.suffix], headers=headers)

    return Route(f"/static/{path.name}", send)
