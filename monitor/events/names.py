"""The events: their names, and the `message` of each."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any


class EventName(StrEnum):
    """Every event of the monitor; docs/events.md says what is in them."""

    TRANSITION = "stack_instance.transition"
    PRODUCT_TRANSITION = "provisioned_product.transition"
    ROLLOUT_COMPLETED = "rollout.completed"
    DETAILS_FAILED = "details.failed"
    DETAILS_RECOVERED = "details.recovered"
    ACCEPTED_EXPIRED = "accepted.expired"
    ACCEPTED_UNMATCHED = "accepted.unmatched"
    UNDESCRIBED = "provisioned_product.undescribed"
    ADDED = "provisioned_product.added"
    REMOVED = "provisioned_product.removed"
    BASELINE = "provisioned_product.baseline"
    MISSING = "provisioned_product.missing"
    STALE = "provisioned_product.stale"
    POLL_COMPLETED = "poll.completed"
    POLL_FAILED = "poll.failed"
    STATE_FAILED = "state.failed"
    STATE_RECOVERED = "state.recovered"
    WEB_CONFIG_RELOADED = "web_config.reloaded"
    WEB_CONFIG_REFUSED = "web_config.reload_failed"
    DISCOVERY_COMPLETED = "discovery.completed"
    DISCOVERY_FAILED = "discovery.failed"
    THROTTLED = "source.throttled"
    THROTTLING_ENDED = "source.throttling_ended"
    LEASE_ACQUIRED = "lease.acquired"
    LEASE_LOST = "lease.lost"
    CONFIG_RELOADED = "config.reloaded"
    CONFIG_REFUSED = "config.reload_failed"
    STARTED = "monitor.started"
    DEFECT = "monitor.defect"
    CLOCK_JUMPED = "monitor.clock_jumped"
    FAILED = "monitor.failed"
    STOPPED = "monitor.stopped"


_INSTANCE = "The stack instance in account {account}, Region {region}, of {product}"
# By event, the template of its `message`. An event that has one, such as the error of AWS, keeps that.
MESSAGES: Mapping[str, str] = {
    EventName.TRANSITION: f"{_INSTANCE} changed from {{previous_status}} to {{status}}.",
    EventName.PRODUCT_TRANSITION: "The provisioned product {product} changed from {previous_status} to {status}.",
    EventName.UNDESCRIBED: "The status of {product} is not known, because it cannot be described.",
    EventName.ADDED: "The product {product} of source {source} is monitored from now on.",
    EventName.REMOVED: "The product {product} is not monitored any more.",
    EventName.ROLLOUT_COMPLETED: "The operation {action} of {product} ended with {status}"
    " after {duration_seconds} seconds;"
    " stack instances succeeded: {succeeded}, failed: {failed}, not reached: {remaining}.",
    EventName.DETAILS_FAILED: "The details of {product} could not be read: {error_code}.",
    EventName.DETAILS_RECOVERED: "The details of {product} could be read again.",
    EventName.ACCEPTED_EXPIRED: "The entry of `accepted` for account {account} expired on {until} (reason: {reason}).",
    EventName.ACCEPTED_UNMATCHED: "The entry of `accepted` for account {account} matches no stack instance"
    " (reason: {reason}).",
    EventName.BASELINE: "The first snapshot of {product} is stored; later changes are logged as transitions.",
    EventName.MISSING: "AWS does not know the provisioned product {product}.",
    EventName.STALE: "The last complete poll of {product} was {snapshot_age_seconds} seconds ago;"
    " its instance series are removed.",
    EventName.POLL_COMPLETED: "The poll of {product} completed; instances: {instances}, transitions: {transitions}.",
    EventName.POLL_FAILED: "The poll of {product} failed: {error_code}.",
    EventName.STATE_FAILED: "The state could not be read or written.",
    EventName.STATE_RECOVERED: "The state file is used again.",
    EventName.WEB_CONFIG_RELOADED: "The web configuration or a certificate was reloaded.",
    EventName.WEB_CONFIG_REFUSED: "The web configuration is invalid; the last valid one stays in use.",
    EventName.DISCOVERY_COMPLETED: "The search in source {source} completed;"
    " products: {products}, added: {added}, removed: {removed}.",
    EventName.DISCOVERY_FAILED: "The search in source {source} failed: {error_code}.",
    EventName.THROTTLED: "AWS throttles the calls to source {source};"
    " it is called at most {calls_per_second} times a second for now.",
    EventName.THROTTLING_ENDED: "Source {source} is called as often as configured again.",
    EventName.LEASE_ACQUIRED: "Replica {replica} owns the products of shard {shard} from now on.",
    EventName.LEASE_LOST: "Replica {replica} does not own the products of shard {shard} any more ({reason}).",
    EventName.CONFIG_RELOADED: "The configuration was reloaded;"
    " products added: {added}, removed: {removed}, changed: {changed}.",
    EventName.CONFIG_REFUSED: "The configuration is invalid; the previous one stays in use.",
    EventName.STARTED: "stackset-monitor {version} started: it monitors {products} products and listens on {listen}.",
    EventName.DEFECT: "An unexpected error occurred and the monitor goes on; this is a bug, please report it.",
    EventName.CLOCK_JUMPED: "The system clock jumped by {seconds} seconds; all polls were scheduled again.",
    EventName.FAILED: "The {part} ended unexpectedly; the process exits to be restarted.",
    EventName.STOPPED: "The monitor stopped.",
}


def message(event: str, fields: Mapping[str, Any]) -> str:
    """Return the message of an event: one plain sentence. The text of an event of a library is its own message."""
    template = MESSAGES.get(event)
    if template is None:
        return event
    values = defaultdict(lambda: "unknown", fields)  # a field that is missing does not cost the event
    name, product_id = values["provisioned_product_name"], values["provisioned_product_id"]
    values["product"] = name if name == product_id else f"{name} ({product_id})"
    if event == EventName.TRANSITION and values["previous_status"] is None:
        template = f"{_INSTANCE} appeared with status {{status}}."
    elif event == EventName.TRANSITION and values["status"] is None:
        template = f"{_INSTANCE} disappeared; its last status was {{previous_status}}."
    elif event == EventName.PRODUCT_TRANSITION and fields.get("status_reason"):
        template += " AWS says: {status_reason}."
    if fields.get("detailed_status"):
        values["why"] = ": ".join(filter(None, (values["detailed_status"], fields.get("status_reason"))))
        template = f"{template.removesuffix('.')} ({{why}})."
    if event == EventName.BASELINE and fields.get("non_current"):
        template = (
            "Of the {instances} stack instances in the first snapshot of {product}, {number} are not CURRENT: {which}."
        )
        values |= _non_current(fields["counts"], fields["non_current"])
    elif event == EventName.CONFIG_RELOADED and fields.get("restart_required"):
        values["keys"] = ", ".join(values["restart_required"])
        template += " Restart the monitor to apply {keys}."
    elif event == EventName.STOPPED and values["polls_ended"] is False:
        template = "The monitor stopped; polls were still running."
    return template.format_map(values)


def _non_current(counts: Mapping[str, int], first: Sequence[Mapping[str, str]]) -> dict[str, object]:
    """Return what the message of a baseline says about the instances that are not CURRENT."""
    number = sum(count for status, count in counts.items() if status != "CURRENT")
    named = [f"{instance['account']}/{instance['region']} {instance['status']}" for instance in first]
    rest = [f"and {number - len(first)} more"] if number > len(first) else []
    return {"instances": sum(counts.values()), "number": number, "which": ", ".join(named + rest)}
