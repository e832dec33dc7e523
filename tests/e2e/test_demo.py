"""The demo as somebody sees it who tries the project for the first time."""

import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.e2e.process import eventually


def test_it_says_where_to_look_and_there_is_something_to_see(tmp_path: Path) -> None:
    """Two lines, then events; /metrics answers, a rollout is under way soon, and Ctrl-C leaves nothing behind."""
    command = [sys.executable, "-m", "monitor", "demo", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout
            assert demo.stderr
            first, second = demo.stdout.readline(), demo.stdout.readline()
            url = next(word.rstrip(":") for word in first.split() if word.startswith("http://"))
            assert "events" in second

            def outdated() -> bool:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    return b'status="OUTDATED"} 1\n' in answer.read()

            assert eventually(outdated)
            demo.terminate()
            assert demo.wait(10) == 0
            assert demo.stderr.read() == ""
            assert "monitor.started" in demo.stdout.readline()
        finally:
            demo.kill()
    assert list(tmp_path.iterdir()) == []
