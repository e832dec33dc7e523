"""The responses of pages: headers with which a browser loads and runs nothing but the files of the monitor itself."""

import gzip

from starlette.responses import Response

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# A heat map of 8,500 cells has 250 kB, and a phone may be the client. Level 1 takes a millisecond for it.
GZIP_LEVEL = 1


def page_response(html: str, status: int, *, compress: bool) -> Response:
    """Return a page as a response that no cache keeps."""
    body = html.encode()
    headers = {**SECURITY_HEADERS, "Cache-Control": "no-store", "Vary": "Accept-Encoding"}
    if compress:
        body = gzip.compress(body, GZIP_LEVEL)
        headers["Content-Encoding"] = "gzip"
    return Response(body, status, headers, "text/html")
