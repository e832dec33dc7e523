"""The `message` of each event: one plain sentence made from the fields of the event."""

from collections.abc import Callable, Mapping
from typing import Any

from monitor.events.names import EventName

Fields = Mapping[str, Any]


def message(event: str, fields: Fields) -> str:
    """Return the sentence of an event. The text of an event that is not ours, of a library, is its own sentence."""
    make = MESSAGES.get(event)
    return event if make is None else make(_WithDefaults(fields))


class _WithDefaults(dict[str, Any]):
    """Fields, of which one that is missing costs a word and not the event."""

    def __missing__(self, _: str) -> str:
        return "unknown"


def _template(text: str) -> Callable[[Fields], str]:
    """Return a function that fills in fields; `{product}` is the name and the id of the product."""
    return lambda fields: text.format_map(_WithDefaults(fields, product=_product(fields)))


def _product(fields: Fields) -> str:
    name, product_id = fields["provisioned_product_name"], fields["provisioned_product_id"]
    return f"{name} ({product_id})" if name != product_id else f"{name}"


def _count(number: Any, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _transition(fields: Fields) -> str:
    instance = f"The stack instance in account {fields['account']}, Region {fields['region']}, of {_product(fields)}"
    if fields["previous_status"] is None:
        return f"{instance} appeared with status {fields['status']}."
    if fields["status"] is None:
        return f"{instance} disappeared; its last status was {fields['previous_status']}."
    return f"{instance} changed from {fields['previous_status']} to {fields['status']}."


def _poll_completed(fields: Fields) -> str:
    instances, transitions = _count(fields["instances"], "instance"), _count(fields["transitions"], "transition")
    return f"The poll of {_product(fields)} completed with {instances} and {transitions}."


def _baseline(fields: Fields) -> str:
    instances = _count(sum(fields["counts"].values()), "instance")
    return f"The first snapshot of {_product(fields)} has {instances}; later changes are logged as transitions."


def _discovery_completed(fields: Fields) -> str:
    return (
        f"The search in source {fields['source']} found {_count(fields['products'], 'product')}:"
        f" {fields['added']} added, {fields['removed']} removed."
    )


def _config_reloaded(fields: Fields) -> str:
    changes = f"{fields['added']} products added, {fields['removed']} removed, {fields['changed']} changed"
    restart = fields["restart_required"]
    later = f"; restart the monitor to apply {', '.join(restart)}" if isinstance(restart, list) and restart else ""
    return f"The configuration was reloaded: {changes}{later}."


def _stopped(fields: Fields) -> str:
    running = "" if fields["polls_ended"] else "; polls were still running"
    return f"The monitor stopped{running}."


MESSAGES: Mapping[str, Callable[[Fields], str]] = {
    EventName.TRANSITION: _transition,
    EventName.PRODUCT_TRANSITION: _template(
        "The provisioned product {product} changed from {previous_status} to {status}."
    ),
    EventName.UNDESCRIBED: _template("The status of {product} is not known, because it cannot be described."),
    EventName.ADDED: _template("The product {product} of source {source} is monitored from now on."),
    EventName.REMOVED: _template("The product {product} is not monitored any more."),
    EventName.BASELINE: _baseline,
    EventName.MISSING: _template("AWS does not know the provisioned product {product}."),
    EventName.STALE: _template(
        "The last complete poll of {product} was {snapshot_age_seconds} seconds ago; its instance series are removed."
    ),
    EventName.POLL_COMPLETED: _poll_completed,
    EventName.POLL_FAILED: _template("The poll of {product} failed: {error_code}."),
    EventName.STATE_FAILED: _template("The state could not be read or written."),
    EventName.STATE_RECOVERED: _template("The state file is used again."),
    EventName.WEB_CONFIG_RELOADED: _template("The web configuration or a certificate was reloaded."),
    EventName.WEB_CONFIG_REFUSED: _template("The web configuration is invalid; the last valid one stays in use."),
    EventName.DISCOVERY_COMPLETED: _discovery_completed,
    EventName.DISCOVERY_FAILED: _template("The search in source {source} failed: {error_code}."),
    EventName.THROTTLED: _template(
        "AWS throttles the calls to source {source}; it is called at most {calls_per_second} times a second for now."
    ),
    EventName.THROTTLING_ENDED: _template("Source {source} is called as often as configured again."),
    EventName.CONFIG_RELOADED: _config_reloaded,
    EventName.CONFIG_REFUSED: _template("The configuration is invalid; the previous one stays in use."),
    EventName.STARTED: _template(
        "stackset-monitor {version} started: it monitors {products} products and listens on {listen}."
    ),
    EventName.DEFECT: _template(
        "An unexpected error occurred and the monitor goes on; this is a bug, please report it."
    ),
    EventName.CLOCK_JUMPED: _template("The system clock jumped by {seconds} seconds; all polls were scheduled again."),
    EventName.FAILED: _template("The {part} ended unexpectedly; the process exits to be restarted."),
    EventName.STOPPED: _stopped,
}
"""By event. An event whose `message` comes from elsewhere, such as the error of AWS, keeps that."""
