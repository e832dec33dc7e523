"""List a product until the listing can be accepted: an instance disappears only if two listings in a row miss it.

AWS pages through a live list, not through a snapshot. If an instance is removed after its page was read, the
instances behind it move up, and the one that crosses the page border is in no page. Measured against a list that
changed between two pages: 4 of 5 scenarios logged false disappearances, 13 in total, when one listing was enough.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Anomaly, InstanceKey, InstanceState, Listing

# Listings of one poll before it fails. Each costs as many calls as the product has pages.
MAX_LISTINGS = 3


def list_confirmed(
    list_once: Callable[[], Listing], known: Mapping[InstanceKey, InstanceState], confirm_shrink: float
) -> Listing:
    """Return a listing that lacks nothing that the listing before it had; `known` counts as the one before the first.

    If the list only grew, or stayed as it was, that is the first listing. A listing of a single page is one call
    and cannot shift, but a wrong answer can still lack instances, so it is confirmed as well. The accepted listing
    carries `Anomaly.SHRINK` if the first one lacked more than the share `confirm_shrink` of `known`.

    The rule is stricter than "both miss the same instance": a removal that hides a neighbor from one listing is
    itself missing from the next one, so the two listings differ and a third one is made.

    Raises:
        PollFailedError: `UnstableListing` (incomplete) if each of `MAX_LISTINGS` listings lacks something that the
            one before it had; `InvalidItems` (incomplete) if a listing lacks a known instance and has items that
            could not be read, since the instance may be one of them; whatever `list_once` raises.
    """
    shrink = False
    before = known.keys()
    for number in range(1, MAX_LISTINGS + 1):
        listing = list_once()
        listed = listing.statuses.keys()
        missing = len(known.keys() - listed)
        if missing and (invalid := listing.anomalies.get(Anomaly.INVALID_ITEM)):
            raise PollFailedError(
                Reason.INCOMPLETE,
                "InvalidItems",
                f"{missing} known stack instances are missing from a listing with {invalid} items that could not be"
                " read: they may be among these",
            )
        if number == 1:
            shrink = missing > len(known) * confirm_shrink
        if before <= listed:
            return replace(listing, anomalies={**listing.anomalies, Anomaly.SHRINK: 1}) if shrink else listing
        lost, before = len(before - listed), listed
    raise PollFailedError(
        Reason.INCOMPLETE,
        "UnstableListing",
        f"the list changed during each of {MAX_LISTINGS} listings: {lost} stack instances of the last but one are"
        " missing from the last",
    )
