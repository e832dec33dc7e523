"""The errors of reading a configuration file."""

from collections.abc import Sequence
from pathlib import Path

from monitor.config.document import Problem


class ConfigurationError(Exception):
    """A configuration file has problems."""

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        """Keep each problem once, in the order of the lines."""
        self.path = path
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(f"{path}:{problem}" for problem in self.problems))


class UnreadableError(Exception):
    """A configuration file cannot be read. The message is one sentence with the path and the reason."""
