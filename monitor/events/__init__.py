"""Log events as lines on stdout; the only package that imports structlog."""
