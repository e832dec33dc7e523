"""The demo as a process."""

import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.e2e.process import eventually


def test_the_demo_prints_its_address_and_events(tmp_path: Path) -> None:
    """It prints its address and events, a rollout starts, discovery finds a product, and no file is left."""
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
