"""The names of the events."""

from enum import StrEnum


class EventName(StrEnum):
    """Every event of the monitor; docs/events.md says what is in them."""

    TRANSITION = "stack_instance.transition"
    PRODUCT_TRANSITION = "provisioned_product.transition"
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
    CONFIG_RELOADED = "config.reloaded"
    CONFIG_REFUSED = "config.reload_failed"
    STARTED = "monitor.started"
    DEFECT = "monitor.defect"
    CLOCK_JUMPED = "monitor.clock_jumped"
    FAILED = "monitor.failed"
    STOPPED = "monitor.stopped"
