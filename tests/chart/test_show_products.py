"""The program of `helm test`."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.chart.chart import CHART

PRODUCT = 'provisioned_product_id="pp-aaaaaaaaaaaaa",provisioned_product_name="base\\nline"'
READY = (200, "")
INSTANCES = f"""\
# TYPE servicecatalog_stack_instances gauge
servicecatalog_stack_instances{{{PRODUCT},status="CURRENT"}} 12
servicecatalog_stack_instances{{{PRODUCT},status="OUTDATED"}} 1
servicecatalog_stack_instances{{{PRODUCT},status="INOPERABLE"}} 0
# TYPE servicecatalog_up gauge
servicecatalog_up{{{PRODUCT}}} 1
"""


@contextmanager
def serving(metrics: tuple[int, str]) -> Iterator[str]:
    """Serve /readyz and /metrics on loopback; yield the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = READY if self.path == "/readyz" else metrics
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def shown(*pods: str) -> tuple[int, str, str]:
    """Return exit code, stdout and stderr of the program."""
    script = (CHART / "files" / "show_products.py").read_text()
    command = [sys.executable, "-c", script, *pods]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_products_are_printed_with_their_counts() -> None:
    """Each product is one line with the number of instances of each status."""
    with serving((200, INSTANCES)) as pod:
        line = "pp-aaaaaaaaaaaaa 'base\\nline': 12 CURRENT, 1 OUTDATED\n"
        assert shown(pod, pod) == (0, f"{pod} is ready\n{pod} is ready\n{line}{line}", "")


def test_a_failing_product_fails_the_test() -> None:
    """A product whose last poll failed is shown with the reason, and the exit code is 1."""
    failing = f'servicecatalog_poll_failing{{{PRODUCT},reason="access_denied"}} 1\n'
    with serving((200, INSTANCES + failing)) as pod:
        code, out, err = shown(pod)
    assert (code, err) == (1, "products that cannot be read: 1; the log of the pod tells why\n")
    assert out.endswith("12 CURRENT, 1 OUTDATED; the last poll failed: access_denied\n")


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ((401, ""), "/metrics requires a password, so its products are not shown\n"),
        ((200, "python_info 1\n"), " monitors no products yet\n"),
        (
            (200, INSTANCES.partition("# TYPE servicecatalog_up")[2].join(["# TYPE servicecatalog_up", ""])),
            "no instances\n",
        ),
    ],
)
def test_what_cannot_be_shown_is_said(metrics: tuple[int, str], said: str) -> None:
    """Users of /metrics and missing products do not fail the test."""
    with serving(metrics) as pod:
        code, out, _ = shown(pod)
    assert code == 0
    assert out.endswith(said)
