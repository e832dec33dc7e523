"""Every metric family of the monitor: name, type, labels and help. The one list that code, docs and tests go by."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The type of a family, as both formats write it."""

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
        """Return the HELP and TYPE lines. OpenMetrics calls a counter by its name without `_total`."""
        name = self.name.removesuffix("_total") if openmetrics and self.kind is Kind.COUNTER else self.name
        return f"# HELP {name} {self.help}\n# TYPE {name} {self.kind}\n".encode()


PRODUCT = ("provisioned_product_id", "provisioned_product_name")
INSTANCE = (*PRODUCT, "account", "region")

_POLLED = (
    "Polled from AWS, not scraped: as old as servicecatalog_poll_last_success_timestamp_seconds says,"
    " usually at most one servicecatalog_poll_interval_seconds."
)

INSTANCE_STATUS = Family(
    "servicecatalog_stack_instance_status",
    Kind.GAUGE,
    (*INSTANCE, "status"),
    f"1 for the status that a stack instance has, 0 for the others. {_POLLED}",
)
INSTANCE_SINCE = Family(
    "servicecatalog_stack_instance_status_since_timestamp_seconds",
    Kind.GAUGE,
    (*INSTANCE, "status"),
    f"When the status of a stack instance that is not CURRENT was first seen. {_POLLED}",
)
INSTANCES = Family(
    "servicecatalog_stack_instances",
    Kind.GAUGE,
    (*PRODUCT, "status"),
    "How many stack instances of a provisioned product have a status.",
)
TRANSITIONS = Family(
    "servicecatalog_stack_instance_transitions_total",
    Kind.COUNTER,
    (*PRODUCT, "from", "to"),
    "Stack instances that changed status, appeared (from ABSENT) or disappeared (to ABSENT) between two polls.",
)
PRODUCT_STATUS = Family(
    "servicecatalog_provisioned_product_status",
    Kind.GAUGE,
    (*PRODUCT, "status"),
    "1 for the status that the provisioned product itself has, 0 for the others. UNDER_CHANGE: a rollout is under way.",
)
PRODUCT_INFO = Family(
    "servicecatalog_provisioned_product_info",
    Kind.GAUGE,
    (*PRODUCT, "product_id", "provisioning_artifact_id", "source", "source_account", "source_region"),
    "1; the labels say what the provisioned product was made of, and where it is read from.",
)
UP = Family(
    "servicecatalog_up",
    Kind.GAUGE,
    PRODUCT,
    "1 where the last poll of the provisioned product ended in a complete listing, else 0.",
)
LAST_SUCCESS = Family(
    "servicecatalog_poll_last_success_timestamp_seconds",
    Kind.GAUGE,
    PRODUCT,
    "When the last complete listing ended; 0 before the first.",
)
INTERVAL = Family(
    "servicecatalog_poll_interval_seconds", Kind.GAUGE, PRODUCT, "How often the provisioned product is polled."
)
DURATION = Family("servicecatalog_poll_duration_seconds", Kind.GAUGE, PRODUCT, "How long the last poll took.")
PAGES = Family("servicecatalog_poll_pages", Kind.GAUGE, PRODUCT, "Pages that the last complete listing had.")
POLLS = Family("servicecatalog_polls_total", Kind.COUNTER, PRODUCT, "Polls that ended, complete or failed.")
FAILURES = Family(
    "servicecatalog_poll_failures_total", Kind.COUNTER, (*PRODUCT, "reason"), "Polls that failed, by reason."
)
FAILING = Family(
    "servicecatalog_poll_failing",
    Kind.GAUGE,
    (*PRODUCT, "reason"),
    "1 with the reason for which the last poll failed; there only where it failed.",
)
SKIPPED = Family(
    "servicecatalog_polls_skipped_total",
    Kind.COUNTER,
    (*PRODUCT, "reason"),
    "Polls that were due and did not take place: the one before was not over (overrun), or nothing ran (misfire).",
)
DROPPED = Family(
    "servicecatalog_instance_series_dropped",
    Kind.GAUGE,
    PRODUCT,
    "Series of stack instances that are left out because of metrics.max_instance_series.",
)
ANOMALIES = Family(
    "servicecatalog_listing_anomalies_total",
    Kind.COUNTER,
    (*PRODUCT, "kind"),
    "What complete listings had that they should not have.",
)
API_REQUESTS = Family(
    "servicecatalog_api_requests_total",
    Kind.COUNTER,
    ("source", "operation"),
    "Requests that went out to AWS, every attempt.",
)
API_ERRORS = Family(
    "servicecatalog_api_errors_total",
    Kind.COUNTER,
    ("source", "operation", "code"),
    "Attempts that failed, by the error code of AWS or the name of the error below it.",
)
API_DURATION = Family(
    "servicecatalog_api_request_duration_seconds",
    Kind.HISTOGRAM,
    ("source", "operation"),
    "How long an attempt took, from the request to the last byte of the answer.",
)
API_WAIT = Family(
    "servicecatalog_api_budget_wait_seconds_total",
    Kind.COUNTER,
    ("source",),
    "Seconds that calls waited for their place in calls_per_second.",
)
DISCOVERY_SUCCESS = Family(
    "servicecatalog_discovery_last_success_timestamp_seconds",
    Kind.GAUGE,
    ("source",),
    "When the products of a source were last looked for and found as a whole; 0 before the first time.",
)
DISCOVERY_INTERVAL = Family(
    "servicecatalog_discovery_interval_seconds",
    Kind.GAUGE,
    ("source",),
    "How often the products of a source are looked for.",
)
DISCOVERED = Family(
    "servicecatalog_discovered_products",
    Kind.GAUGE,
    ("source",),
    "How many products the last complete search of a source has found.",
)
DISCOVERY_FAILURES = Family(
    "servicecatalog_discovery_failures_total", Kind.COUNTER, ("source", "reason"), "Searches that failed, by reason."
)
BUILD_INFO = Family(
    "stackset_monitor_build_info", Kind.GAUGE, ("version", "revision", "python_version"), "1; the labels say what runs."
)
RELOAD_OK = Family(
    "stackset_monitor_config_last_reload_successful",
    Kind.GAUGE,
    (),
    "1 where the configuration was read without a problem the last time, else 0.",
)
RELOAD_TIME = Family(
    "stackset_monitor_config_last_reload_success_timestamp_seconds",
    Kind.GAUGE,
    (),
    "When a configuration was last taken over.",
)
STATE_COMMIT = Family(
    "stackset_monitor_state_last_commit_timestamp_seconds",
    Kind.GAUGE,
    (),
    "When something was last written to the state file; 0 before the first time.",
)
STATE_ERRORS = Family(
    "stackset_monitor_state_errors_total", Kind.COUNTER, (), "How often the state file could not be read or written."
)

SHARD = Family(
    "stackset_monitor_shard_ordinal",
    Kind.GAUGE,
    (),
    "Which share of the products this monitor has, counted from 0.",
)
SHARDS = Family("stackset_monitor_shards", Kind.GAUGE, (), "How many shares there are.")

INSTANCE_FAMILIES = (INSTANCE_STATUS, INSTANCE_SINCE)
PRODUCT_FAMILIES = (
    INSTANCES, TRANSITIONS, PRODUCT_STATUS, PRODUCT_INFO, UP, LAST_SUCCESS, INTERVAL, DURATION, PAGES, POLLS, FAILURES,
    FAILING, SKIPPED, DROPPED, ANOMALIES,
)  # fmt: skip
OWN_FAMILIES = (
    API_REQUESTS, API_ERRORS, API_DURATION, API_WAIT, DISCOVERY_SUCCESS, DISCOVERY_INTERVAL, DISCOVERED,
    DISCOVERY_FAILURES, BUILD_INFO, RELOAD_OK, RELOAD_TIME, STATE_COMMIT, STATE_ERRORS, SHARD, SHARDS,
)  # fmt: skip
FAMILIES = (*INSTANCE_FAMILIES, *PRODUCT_FAMILIES, *OWN_FAMILIES)
