"""Every metric family of the monitor, and the text syntax of labels and values.

Tests compare docs/metrics.md with this list. Prometheus text 0.0.4 and OpenMetrics 1.0 share the syntax.
"""

from dataclasses import dataclass
from enum import StrEnum

from monitor.model.instances import Product


class Kind(StrEnum):
    """The type of a family, as both formats spell it."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """A metric family. The name of a counter ends in `_total`."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str

    def header(self, *, openmetrics: bool) -> bytes:
        """Return the HELP and TYPE lines. In OpenMetrics, the name of a counter family has no `_total`."""
        name = self.name.removesuffix("_total") if openmetrics and self.kind is Kind.COUNTER else self.name
        return f"# HELP {name} {self.help}\n# TYPE {name} {self.kind}\n".encode()


def _gauge(name: str, labels: tuple[str, ...], text: str) -> Family:
    return Family(name, Kind.GAUGE, labels, text)


def _counter(name: str, labels: tuple[str, ...], text: str) -> Family:
    return Family(name, Kind.COUNTER, labels, text)


PRODUCT = ("provisioned_product_id", "provisioned_product_name")
INSTANCE = (*PRODUCT, "account", "region")

_AGE = (
    "The value is from the last complete poll of AWS,"
    " see servicecatalog_poll_last_success_timestamp_seconds and servicecatalog_poll_interval_seconds."
)

INSTANCE_STATUS = _gauge(
    "servicecatalog_stack_instance_status",
    (*INSTANCE, "status"),
    f"Whether a stack instance has this status: 1 for its current status, 0 for the others. {_AGE}",
)
INSTANCE_SINCE = _gauge(
    "servicecatalog_stack_instance_status_since_timestamp_seconds",
    (*INSTANCE, "status"),
    f"Unix time since when a stack instance that is not CURRENT has its status, as the polls saw it. {_AGE}",
)
INSTANCES = _gauge(
    "servicecatalog_stack_instances",
    (*PRODUCT, "status"),
    "Number of stack instances of a provisioned product that have this status.",
)
TRANSITIONS = _counter(
    "servicecatalog_stack_instance_transitions_total",
    (*PRODUCT, "from", "to"),
    "Number of times that a stack instance changed its status, appeared (from ABSENT) or disappeared (to ABSENT).",
)
PRODUCT_STATUS = _gauge(
    "servicecatalog_provisioned_product_status",
    (*PRODUCT, "status"),
    "Whether the provisioned product itself has this status: 1 for its current status, 0 for the others.",
)
PRODUCT_INFO = _gauge(
    "servicecatalog_provisioned_product_info",
    (*PRODUCT, "product_id", "provisioning_artifact_id", "source", "source_account", "source_region"),
    "Always 1. The labels are the product, the version and the source of a provisioned product.",
)
UP = _gauge(
    "servicecatalog_up",
    PRODUCT,
    "Whether the last poll of the provisioned product returned a complete listing: 1 if it did, 0 if it failed.",
)
LAST_SUCCESS = _gauge(
    "servicecatalog_poll_last_success_timestamp_seconds",
    PRODUCT,
    "Unix time of the last complete listing of the provisioned product, 0 before the first one.",
)
INTERVAL = _gauge(
    "servicecatalog_poll_interval_seconds", PRODUCT, "Configured time between two polls of the provisioned product."
)
DURATION = _gauge(
    "servicecatalog_poll_duration_seconds", PRODUCT, "Duration of the last poll of the provisioned product."
)
PAGES = _gauge(
    "servicecatalog_poll_pages", PRODUCT, "Number of pages of the last complete listing of the provisioned product."
)
POLLS = _counter(
    "servicecatalog_polls_total",
    PRODUCT,
    "Number of polls of the provisioned product that returned, complete or failed.",
)
FAILURES = _counter(
    "servicecatalog_poll_failures_total",
    (*PRODUCT, "reason"),
    "Number of failed polls of the provisioned product by reason.",
)
FAILING = _gauge(
    "servicecatalog_poll_failing",
    (*PRODUCT, "reason"),
    "Always 1. The reason why the last poll of the provisioned product failed; no series if it did not fail.",
)
SKIPPED = _counter(
    "servicecatalog_polls_skipped_total",
    (*PRODUCT, "reason"),
    "Number of due polls that were skipped: the previous one was running (overrun), or the process was not (misfire).",
)
DROPPED = _gauge(
    "servicecatalog_instance_series_dropped",
    PRODUCT,
    "Number of stack instance series that are not exposed because of metrics.max_instance_series.",
)
ANOMALIES = _counter(
    "servicecatalog_listing_anomalies_total",
    (*PRODUCT, "kind"),
    "Number of irregularities in complete listings by kind, for example a stack instance that was listed twice.",
)
DETAILED_STATUS = _gauge(
    "servicecatalog_stack_instance_detailed_status",
    (*INSTANCE, "detailed_status"),
    "Always 1. Why a stack instance is not CURRENT, as CloudFormation says it; no series if it does not.",
)
INSTANCE_ACCEPTED = _gauge(
    "servicecatalog_stack_instance_accepted",
    INSTANCE,
    "Always 1. A stack instance that is not CURRENT and that an entry of `accepted` in the configuration matches.",
)
INSTANCES_ACCEPTED = _gauge(
    "servicecatalog_stack_instances_accepted",
    (*PRODUCT, "status"),
    "Number of stack instances of a provisioned product with this status that the configuration accepts.",
)
DRIFT = _gauge(
    "servicecatalog_stack_instances_by_drift_status",
    (*PRODUCT, "drift_status"),
    "Number of stack instances of a provisioned product that had this drift status, at most an hour ago.",
)
ROLLOUT_INSTANCES = _gauge(
    "servicecatalog_rollout_instances",
    (*PRODUCT, "state"),
    "Number of stack instances of the last operation of the stack set that succeeded, failed or remain.",
)
ROLLOUT_START = _gauge(
    "servicecatalog_rollout_start_timestamp_seconds",
    PRODUCT,
    "Unix time when the last operation of the stack set started.",
)
ROLLOUT_END = _gauge(
    "servicecatalog_rollout_end_timestamp_seconds",
    PRODUCT,
    "Unix time when the last operation of the stack set ended; no series while it is running.",
)
DETAILS_UP = _gauge(
    "servicecatalog_details_up",
    PRODUCT,
    "Whether the details of the provisioned product could be read from CloudFormation: 1 if so, 0 if not.",
)
API_REQUESTS = _counter(
    "servicecatalog_api_requests_total", ("source", "operation"), "Number of HTTP requests to AWS, including retries."
)
API_ERRORS = _counter(
    "servicecatalog_api_errors_total",
    ("source", "operation", "code"),
    "Number of HTTP requests to AWS that failed, by the error code of AWS or the name of the network error.",
)
API_DURATION = Family(
    "servicecatalog_api_request_duration_seconds",
    Kind.HISTOGRAM,
    ("source", "operation"),
    "Duration of an HTTP request to AWS, from the request to the last byte of the response.",
)
API_WAIT = _counter(
    "servicecatalog_api_budget_wait_seconds_total",
    ("source",),
    "Seconds that requests waited because of the setting calls_per_second.",
)
API_RATE_LIMIT = _gauge(
    "servicecatalog_api_rate_limit_calls_per_second",
    ("source",),
    "Number of calls per second that are allowed now: calls_per_second, or less while AWS throttles.",
)
DISCOVERY_SUCCESS = _gauge(
    "servicecatalog_discovery_last_success_timestamp_seconds",
    ("source",),
    "Unix time of the last complete search for the products of a source, 0 before the first one.",
)
DISCOVERY_INTERVAL = _gauge(
    "servicecatalog_discovery_interval_seconds",
    ("source",),
    "Configured time between two searches for the products of a source.",
)
DISCOVERED = _gauge(
    "servicecatalog_discovered_products",
    ("source",),
    "Number of products that the last complete search of a source found.",
)
DISCOVERY_INVALID_ITEMS = _gauge(
    "servicecatalog_discovery_invalid_items",
    ("source",),
    "Number of items of the last search without an id, name, type or status. They are not monitored.",
)
DISCOVERY_FAILURES = _counter(
    "servicecatalog_discovery_failures_total",
    ("source", "reason"),
    "Number of failed searches for the products of a source by reason.",
)
BUILD_INFO = _gauge(
    "stackset_monitor_build_info",
    ("version", "revision", "python_version"),
    "Always 1. The labels are the version, the source revision and the Python version of the monitor.",
)
RELOAD_OK = _gauge(
    "stackset_monitor_config_last_reload_successful",
    (),
    "Whether the last reload of the configuration succeeded: 1 if it did, 0 if the previous configuration is kept.",
)
RELOAD_TIME = _gauge(
    "stackset_monitor_config_last_reload_success_timestamp_seconds",
    (),
    "Unix time when a configuration was last loaded.",
)
STATE_COMMIT = _gauge(
    "stackset_monitor_state_last_commit_timestamp_seconds",
    (),
    "Unix time of the last commit to the state, 0 before the first one.",
)
STATE_ERRORS = _counter(
    "stackset_monitor_state_errors_total", (), "Number of times that the state could not be read or written."
)
LOG_LINES_DROPPED = _counter(
    "stackset_monitor_log_lines_dropped_total",
    (),
    "Number of log lines that were lost because stdout was blocked or closed. Transitions are never lost.",
)
SHARD = _gauge("stackset_monitor_shard_ordinal", (), "Number of the shard that this process monitors, counted from 0.")
SHARDS = _gauge("stackset_monitor_shards", (), "Number of shards that the products are divided into.")
LEASE_OWNER = _gauge(
    "stackset_monitor_lease_owner", ("shard",), "1 if this replica owns the products of the shard, 0 if it does not."
)
LEASE_CHANGES = _counter(
    "stackset_monitor_lease_changes_total",
    ("shard", "reason"),
    "Number of times that this replica acquired, lost or released the lease of the shard.",
)

INSTANCE_FAMILIES = (INSTANCE_STATUS, INSTANCE_SINCE)
DETAIL_FAMILIES = (
    DETAILED_STATUS, INSTANCE_ACCEPTED, INSTANCES_ACCEPTED, DRIFT, ROLLOUT_INSTANCES, ROLLOUT_START, ROLLOUT_END,
    DETAILS_UP,
)  # fmt: skip
PRODUCT_FAMILIES = (
    INSTANCES, TRANSITIONS, PRODUCT_STATUS, PRODUCT_INFO, UP, LAST_SUCCESS, INTERVAL, DURATION, PAGES, POLLS, FAILURES,
    FAILING, SKIPPED, DROPPED, ANOMALIES, *DETAIL_FAMILIES,
)  # fmt: skip
OWN_FAMILIES = (
    API_REQUESTS, API_ERRORS, API_DURATION, API_WAIT, API_RATE_LIMIT, DISCOVERY_SUCCESS, DISCOVERY_INTERVAL,
    DISCOVERED, DISCOVERY_INVALID_ITEMS, DISCOVERY_FAILURES, BUILD_INFO, RELOAD_OK, RELOAD_TIME, STATE_COMMIT,
    STATE_ERRORS, LOG_LINES_DROPPED, SHARD, SHARDS, LEASE_OWNER, LEASE_CHANGES,
)  # fmt: skip
FAMILIES = (*INSTANCE_FAMILIES, *PRODUCT_FAMILIES, *OWN_FAMILIES)

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def escape(value: str) -> str:
    """Escape a label value. A lone surrogate, which UTF-8 cannot encode, becomes a question mark."""
    if value.isascii() and not ("\\" in value or '"' in value or "\n" in value):
        return value  # true for every account and Region, and about ten times as fast
    return value.translate(_ESCAPES).encode("utf-8", "replace").decode()


def number(value: float) -> str:
    """Format a value so that it is parsed back exactly; integers have no decimal point."""
    return str(int(value)) if value == int(value) else repr(value)


def product_labels(product: Product) -> str:
    """Return the two labels that each series of a product starts with, without braces."""
    return f'provisioned_product_id="{escape(product.id)}",provisioned_product_name="{escape(product.name)}"'
