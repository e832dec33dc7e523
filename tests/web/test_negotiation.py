"""The format and the encoding of a scrape."""

import pytest

from monitor.web.scrape import wants_gzip, wants_openmetrics

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_2_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
    "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3_TEXT_ONLY = "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.2"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        (PROMETHEUS_2, True),
        (PROMETHEUS_2_PROTOBUF, True),
        (PROMETHEUS_3, True),
        (PROMETHEUS_3_TEXT_ONLY, False),
        (BROWSER, False),
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("text/plain;version=0.0.4", False),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text;version=0.0.1", True),
        ('application/openmetrics-text; version="1.0.0"', True),
        ("APPLICATION/OPENMETRICS-TEXT; Version=1.0.0", True),
        ("application/openmetrics-text; version=2.0.0", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.3", False),
        ("application/openmetrics-text;q=0.3,text/plain;q=0.3", True),
        ("application/openmetrics-text;q=0.3,text/*;q=0.4", False),
        ("application/openmetrics-text;q=nonsense", False),
        ("application/openmetrics-text;q=nan", False),
        (",;,;=;q,", False),
    ],
)
def test_the_format(accept: str, openmetrics: bool) -> None:
    """A client gets OpenMetrics if it prefers it to text or has no preference between them, and text otherwise."""
    assert wants_openmetrics(accept) is openmetrics


@pytest.mark.parametrize(
    ("accept_encoding", "gzip"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("deflate, gzip, br, zstd", True),
        ("gzip;q=0.1, identity", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("gzip;q=nonsense", False),
    ],
)
def test_the_encoding(accept_encoding: str, gzip: bool) -> None:
    """A client that accepts gzip gets gzip."""
    assert wants_gzip(accept_encoding) is gzip
