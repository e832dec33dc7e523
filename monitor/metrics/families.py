"""Every metric family of the monitor: name, type, labels and HELP. Tests compare docs/metrics.md with this list."""

from dataclasses import dataclass
from enum import StrEnum


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


PRODUCT = ("provisioned_product_id", "provisioned_product_name")
INSTANCE = (*PRODUCT, "account", "region")

_AGE = (
    "The value is from the last complete poll of AWS,"
    " see servicecatalog_poll_last_success_timestamp_seconds and servicecatalog_poll_interval_seconds."
)

INSTANCE_STATUS = Family(
    "servicecatalog_stack_instance_status",
    Kind.GAUGE,
    (*INSTANCE, "status"),
    f"Whether a stack instance has this status: 1 for its current status, 0 for the others. {_AGE}",
)
INSTANCE_SINCE = Family(
    "servicecatalog_stack_instance_status_since_timestamp_seconds",
    Kind.GAUGE,
    (*INSTANCE, "status"),
    f"Unix time since when a stack instance that is not CURRENT has its status, as the polls saw it. {_AGE}",
)
INSTANCES = Family(
    "servicecatalog_stack_instances",
    Kind.GAUGE,
    (*PRODUCT, "status"),
    "Number of stack instances of a provisioned product that have this status.",
)
TRANSITIONS = Family(
    "servicecatalog_stack_instance_transitions_total",
    Kind.COUNTER,
    (*PRODUCT, "from", "to"),
    "Number of times that a stack instance changed its status, appeared (from ABSENT) or disappeared (to ABSENT).",
)
PRODUCT_STATUS = Family(
    "servicecatalog_provisioned_product_status",
    Kind.GAUGE,
    (*PRODUCT, "status"),
    "Whether the provisioned product itself has this status: 1 for its current status, 0 for the others.",
)
PRODUCT_INFO = Family(
    "servicecatalog_provisioned_product_info",
    Kind.GAUGE,
    (*PRODUCT, "product_id", "provisioning_artifact_id", "source", "source_account", "source_region"),
    "Always 1. The labels are the product, the version and the source of a provisioned product.",
)
UP = Family(
    "servicecatalog_up",
    Kind.GAUGE,
    PRODUCT,
    "Whether the last poll of the provisioned product returned a complete listing: 1 if it did, 0 if it failed.",
)
LAST_SUCCESS = Family(
    "servicecatalog_poll_last_success_timestamp_seconds",
    Kind.GAUGE,
    PRODUCT,
    "Unix time of the last complete listing of the provisioned product, 0 before the first one.",
)
INTERVAL = Family(
    "servicecatalog_poll_interval_seconds",
    Kind.GAUGE,
    PRODUCT,
    "Configured time between two polls of the provisioned product.",
)
DURATION = Family(
    "servicecatalog_poll_duration_seconds", Kind.GAUGE, PRODUCT, "Duration of the last poll of the provisioned product."
)
PAGES = Family(
    "servicecatalog_poll_pages",
    Kind.GAUGE,
    PRODUCT,
    "Number of pages of the last complete listing of the provisioned product.",
)
POLLS = Family(
    "servicecatalog_polls_total",
    Kind.COUNTER,
    PRODUCT,
    "Number of polls of the provisioned product that returned, complete or failed.",
)
FAILURES = Family(
    "servicecatalog_poll_failures_total",
    Kind.COUNTER,
    (*PRODUCT, "reason"),
    "Number of failed polls of the provisioned product by reason.",
)
FAILING = Family(
    "servicecatalog_poll_failing",
    Kind.GAUGE,
    (*PRODUCT, "reason"),
    "Always 1. The reason why the last poll of the provisioned product failed; no series if it did not fail.",
)
SKIPPED = Family(
    "servicecatalog_polls_skipped_total",
    Kind.COUNTER,
    (*PRODUCT, "reason"),
    "Number of due polls that were skipped: the previous poll was still running (overrun), or the process"
    " did not run (misfire).",
)
DROPPED = Family(
    "servicecatalog_instance_series_dropped",
    Kind.GAUGE,
    PRODUCT,
    "Number of stack instance series that are not exposed because of metrics.max_instance_series.",
)
ANOMALIES = Family(
    "servicecatalog_listing_anomalies_total",
    Kind.COUNTER,
    (*PRODUCT, "kind"),
    "Number of irregularities in complete listings by kind, for example a stack instance that was listed twice.",
)
API_REQUESTS = Family(
    "servicecatalog_api_requests_total",
    Kind.COUNTER,
    ("source", "operation"),
    "Number of HTTP requests to AWS, including retries.",
)
API_ERRORS = Family(
    "servicecatalog_api_errors_total",
    Kind.COUNTER,
    ("source", "operation", "code"),
    "Number of HTTP requests to AWS that failed, by the error code of AWS or the name of the network error.",
)
API_DURATION = Family(
    "servicecatalog_api_request_duration_seconds",
    Kind.HISTOGRAM,
    ("source", "operation"),
    "Duration of an HTTP request to AWS, from the request to the last byte of the response.",
)
API_WAIT = Family(
    "servicecatalog_api_budget_wait_seconds_total",
    Kind.COUNTER,
    ("source",),
    "Seconds that requests waited because of the setting calls_per_second.",
)
API_RATE_LIMIT = Family(
    "servicecatalog_api_rate_limit_calls_per_second",
    Kind.GAUGE,
    ("source",),
    "Calls per second that are allowed now: calls_per_second, or less while AWS throttles.",
)
DISCOVERY_SUCCESS = Family(
    "servicecatalog_discovery_last_success_timestamp_seconds",
    Kind.GAUGE,
    ("source",),
    "Unix time of the last complete search for the products of a source, 0 before the first one.",
)
DISCOVERY_INTERVAL = Family(
    "servicecatalog_discovery_interval_seconds",
    Kind.GAUGE,
    ("source",),
    "Configured time between two searches for the products of a source.",
)
DISCOVERED = Family(
    "servicecatalog_discovered_products",
    Kind.GAUGE,
    ("source",),
    "Number of products that the last complete search of a source found.",
)
DISCOVERY_INVALID_ITEMS = Family(
    "servicecatalog_discovery_invalid_items",
    Kind.GAUGE,
    ("source",),
    "Items of the last search without an id, a name, a type or a status. They are not monitored.",
)
DISCOVERY_FAILURES = Family(
    "servicecatalog_discovery_failures_total",
    Kind.COUNTER,
    ("source", "reason"),
    "Number of failed searches for the products of a source by reason.",
)
BUILD_INFO = Family(
    "stackset_monitor_build_info",
    Kind.GAUGE,
    ("version", "revision", "python_version"),
    "Always 1. The labels are the version, the source revision and the Python version of the monitor.",
)
RELOAD_OK = Family(
    "stackset_monitor_config_last_reload_successful",
    Kind.GAUGE,
    (),
    "Whether the last reload of the configuration succeeded: 1 if it did, 0 if the previous configuration is kept.",
)
RELOAD_TIME = Family(
    "stackset_monitor_config_last_reload_success_timestamp_seconds",
    Kind.GAUGE,
    (),
    "Unix time when a configuration was last loaded.",
)
STATE_COMMIT = Family(
    "stackset_monitor_state_last_commit_timestamp_seconds",
    Kind.GAUGE,
    (),
    "Unix time of the last commit to the state, 0 before the first one.",
)
STATE_ERRORS = Family(
    "stackset_monitor_state_errors_total",
    Kind.COUNTER,
    (),
    "Number of times that the state could not be read or written.",
)

SHARD = Family(
    "stackset_monitor_shard_ordinal",
    Kind.GAUGE,
    (),
    "Number of the shard that this process monitors, counted from 0.",
)
SHARDS = Family("stackset_monitor_shards", Kind.GAUGE, (), "Number of shards that the products are divided into.")

INSTANCE_FAMILIES = (INSTANCE_STATUS, INSTANCE_SINCE)
PRODUCT_FAMILIES = (
    INSTANCES, TRANSITIONS, PRODUCT_STATUS, PRODUCT_INFO, UP, LAST_SUCCESS, INTERVAL, DURATION, PAGES, POLLS, FAILURES,
    FAILING, SKIPPED, DROPPED, ANOMALIES,
)  # fmt: skip
OWN_FAMILIES = (
    API_REQUESTS, API_ERRORS, API_DURATION, API_WAIT, API_RATE_LIMIT, DISCOVERY_SUCCESS, DISCOVERY_INTERVAL,
    DISCOVERED, DISCOVERY_INVALID_ITEMS, DISCOVERY_FAILURES, BUILD_INFO, RELOAD_OK, RELOAD_TIME, STATE_COMMIT,
    STATE_ERRORS, SHARD, SHARDS,
)  # fmt: skip
FAMILIES = (*INSTANCE_FAMILIES, *PRODUCT_FAMILIES, *OWN_FAMILIES)
