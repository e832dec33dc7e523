"""What the AWS client reports of its calls. Metrics and events are made from it."""

from typing import Protocol


class ApiObserver(Protocol):
    """Receives what happens at one source. The methods are called from many threads."""

    def attempted(self, operation: str, seconds: float) -> None:
        """One request was sent, and its response or its failure took this long."""

    def failed(self, operation: str, code: str) -> None:
        """One attempt failed with an AWS error code, or with the name of an exception below it."""

    def waited(self, seconds: float) -> None:
        """A call waited this long for the rate limit."""

    def rate_limited(self, calls_per_second: float, configured: float) -> None:
        """The rate limit changed. It is below `configured` while AWS throttles and for a while afterwards."""
