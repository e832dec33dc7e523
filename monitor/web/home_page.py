"""The HTML page at `/`."""

from html import escape

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>stackset-monitor</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 40rem; padding: 0 1rem; color: #1c2024; }}
h1 {{ font-size: 1.5rem; margin-bottom: 0; }}
p.version {{ margin-top: 0; color: #60646c; }}
dt {{ margin-top: 1rem; }}
dd {{ margin-left: 0; color: #60646c; }}
a {{ color: #0b68cb; }}
</style>
</head>
<body>
<h1>stackset-monitor</h1>
<p class="version">version {version}</p>
<p>Monitors the stack instances of AWS Service Catalog products that are deployed as CloudFormation StackSets.</p>
<dl>
<dt><a href="/metrics">/metrics</a></dt><dd>metrics for Prometheus</dd>
<dt><a href="/readyz">/readyz</a></dt><dd>readiness: each product has its stored snapshot or its first poll</dd>
<dt><a href="/livez">/livez</a></dt><dd>liveness: the scheduler runs</dd>
</dl>
</body>
</html>
"""


def home_page(version: str) -> str:
    """Return the HTML."""
    return _PAGE.format(version=escape(version))
