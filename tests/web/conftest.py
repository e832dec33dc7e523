"""Fixtures of the web tests."""

from pathlib import Path

import pytest

from tests.web.certificates import WebFolder


@pytest.fixture
def web(tmp_path: Path) -> WebFolder:
    """Write a web configuration with TLS into a folder of its own."""
    return WebFolder(tmp_path)
