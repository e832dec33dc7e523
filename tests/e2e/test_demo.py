"""The demo as somebody sees it who tries the project for the first time."""

import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.e2e.process import eventually


def test_it_says_where_to_look_and_there_is_something_to_see(tmp_path: Path) -> None:
    """Two lines, then events; a rollout is under way soon, a product of another account is found; nothing is left."""
    command = [sys.executable, "-m", "monitor", "demo", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout
            assert demo.stderr
            first, second = demo.stdout.readline(), demo.stdout.readline()
            url = next(word.rstrip(":") for word in first.split() if word.startswith("http://"))
            assert "events" in second

            def seen(line: bytes) -> bool:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    return line in answer.read()

            assert eventually(lambda: seen(b'status="OUTDATED"} 1\n'))
            assert eventually(lambda: seen(b'provisioned_product_name="network-hub",status="CURRENT"} '))
            assert seen(b'source="network",source_account="210987654321",source_region="eu-west-1"} 1\n')
            demo.terminate()
            assert demo.wait(10) == 0
            assert demo.stderr.read() == ""
            assert "monitor.started" in demo.stdout.readline()
        finally:
            demo.kill()
    assert list(tmp_path.iterdir()) == []
