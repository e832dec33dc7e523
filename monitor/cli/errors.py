"""Exit codes, and the error that ends a command."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the commands. They are part of the public interface."""

    OK = 0
    NOT_CURRENT = 1
    """An instance is not CURRENT (`poll`, `status`, `wait`), or AWS reported a problem (`check --aws`)."""
    USAGE = 2
    """Wrong usage or configuration."""
    FAILED = 3
    """The command could not do its work: no credentials, AWS unreachable, port, disk, missing file."""
    TIMED_OUT = 4
    """`wait`: the rollout did not end in time."""
    INTERRUPTED = 130
    """Ctrl-C. Shells report 128 + 2 for a process that SIGINT (2) ended."""


EXIT_CODES = "Exit codes: 0 success, 2 wrong usage or configuration, 3 failure (AWS, port, disk, missing file)."
"""The end of the help of a command that has no codes of its own."""


class CommandError(Exception):
    """A command cannot continue. The message goes to stderr."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code
