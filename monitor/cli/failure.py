"""How a command ends that cannot do what it should."""

WRONG = 2
"""Exit code: wrong usage or configuration."""
FAILED = 3
"""Exit code: it could not be done (AWS, port, disk)."""
INTERRUPTED = 130
"""Exit code: Ctrl-C. What shells say of a process that SIGINT ended."""


class CommandError(Exception):
    """One sentence for stderr, and the exit code."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        """Keep the exit code."""
        super().__init__(message)
        self.code = code
