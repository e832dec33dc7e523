"""Pages of stack instances put together to a listing that is complete, or to an error."""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeGuard

from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Anomaly, InstanceKey, Listing, Status

MOST_UNKNOWN_STATUSES = 10
"""Different ones that a listing names; there is no end to what a broken answer may have in their place."""
_LONGEST_STATUS = 64
_STATUSES: dict[str, Status] = {status.value: status for status in Status if status is not Status.UNKNOWN}
_GRAVITY = {Status.CURRENT: 0, Status.UNKNOWN: 1, Status.OUTDATED: 2, Status.INOPERABLE: 3}


def read_body(body: bytes) -> Any:
    """Return the JSON of an answer's body; raise `PollFailedError` (incomplete) where it is none.

    botocore gives a body that it cannot read (HTML, cut, empty) as a success without `StackInstances`
    and without a next token, and an object or a string in their place as an empty list. Taken at its word
    either would be an empty fleet.
    """
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise incomplete("NotJSON", "the answer is not JSON") from error


def check_page(answer: Any) -> None:
    """Raise `PollFailedError` (incomplete) where the JSON of an answer is not a page of stack instances."""
    if not all(isinstance(item, Mapping | None) for item in checked(answer)["StackInstances"]):
        raise incomplete("NotAListing", "the list has something in it that is no stack instance")


def checked(answer: Any) -> Mapping[str, Any]:
    """Return the answer where it is a page; raise `PollFailedError` (incomplete) where it is not."""
    if not isinstance(answer, Mapping) or not isinstance(answer.get("StackInstances"), list):
        raise incomplete("NotAListing", "the answer has no list of stack instances")
    check_token(answer)
    return answer


def check_token(answer: Mapping[str, Any]) -> None:
    """Raise `PollFailedError` (incomplete) where the token of the next page is none."""
    if not isinstance(answer.get("NextPageToken") or "", str):
        raise incomplete("BadPageToken", "the page token is not a string")


class PageTokens:
    """The tokens that led to pages so far."""

    def __init__(self) -> None:
        """Begin at the first page, which needs none."""
        self.pages = 0
        self._tokens: set[str] = set()

    def after(self, page: Mapping[str, Any]) -> str | None:
        """Return the token of the page after a checked one, or None after the last.

        Raise `PollFailedError` (incomplete) where the token leads back to a page that was there before.
        """
        self.pages += 1
        token: str | None = page.get("NextPageToken")
        if not token:
            return None
        if token in self._tokens:
            raise incomplete("RepeatedPageToken", f"page {self.pages} leads back to a page that was read before")
        self._tokens.add(token)
        return token


class Pages:
    """Puts the pages of ListStackInstancesForProvisionedProduct together, one by one."""

    def __init__(self) -> None:
        """Begin an empty listing."""
        self._statuses: dict[InstanceKey, Status] = {}
        self._anomalies: Counter[Anomaly] = Counter()
        self._unknown: set[str] = set()
        self._tokens = PageTokens()

    def __len__(self) -> int:
        """Return how many instances there are so far."""
        return len(self._statuses)

    def add(self, page: Mapping[str, Any]) -> str | None:
        """Take one checked page in; return the token of the next one, or None after the last.

        Raise `PollFailedError` (incomplete) where the token leads back to a page that was there before.
        """
        for item in page["StackInstances"]:
            self._take(item)
        return self._tokens.after(page)

    @property
    def count(self) -> int:
        """The pages so far."""
        return self._tokens.pages

    def listing(self) -> Listing:
        """Return what all pages say together."""
        return Listing(self._statuses, self.count, dict(self._anomalies), frozenset(self._unknown))

    def _take(self, item: Any) -> None:
        fields = item if isinstance(item, Mapping) else {}
        account, region, raw = fields.get("Account"), fields.get("Region"), fields.get("StackInstanceStatus")
        if not (_is_name(account) and _is_name(region)):
            self._anomalies[Anomaly.INVALID_ITEM] += 1
            return
        status = _STATUSES.get(raw) if isinstance(raw, str) else None
        if status is None:
            status = Status.UNKNOWN
            self._anomalies[Anomaly.UNKNOWN_STATUS] += 1
            if len(self._unknown) < MOST_UNKNOWN_STATUSES:
                self._unknown.add(ascii(raw)[:_LONGEST_STATUS] if not _is_name(raw) else raw[:_LONGEST_STATUS])
        # One string each for an account and a Region, however many instances and products carry them.
        key = (sys.intern(account), sys.intern(region))
        if key in self._statuses:
            self._anomalies[Anomaly.DUPLICATE] += 1
            # The worse one counts, in whatever order they come: nothing bad is hidden.
            status = max(status, self._statuses[key], key=_GRAVITY.__getitem__)
        self._statuses[key] = status


def _is_name(value: Any) -> TypeGuard[str]:
    """Say whether a value can stand in a label: text, with nothing in it that is not a character."""
    return isinstance(value, str) and bool(value) and value.isprintable()


def incomplete(code: str, message: str) -> PollFailedError:
    """Return the error for an answer that cannot be believed."""
    return PollFailedError(Reason.INCOMPLETE, code, message)
