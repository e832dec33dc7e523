"""What is told on stdout, one event a line: the only room that knows structlog."""
