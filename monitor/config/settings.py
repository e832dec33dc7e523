"""The settings of the monitor: frozen, complete and validated. Durations are seconds."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from monitor.model.accepted import Acceptance
from monitor.model.instances import Product


class LogFormat(StrEnum):
    """The format of the log (`log.format`)."""

    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """The lowest level that is logged (`log.level`)."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def number(self) -> int:
        """The number of the level in the standard library."""
        return logging.getLevelNamesMapping()[self.name]


class InstanceSeries(StrEnum):
    """Which stack instances have series (`metrics.instance_series`)."""

    ALL = "all"
    NON_CURRENT = "non_current"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class DiscoverSettings:
    """Which products of a source are discovered: those that match one of the names and have all tags."""

    names: tuple[str, ...]
    """Shell patterns like `baseline-*`; a product matches at least one."""
    tags: Mapping[str, str]
    interval: float


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """How to reach one source."""

    name: str
    region: str | None
    """None: `AWS_DEFAULT_REGION`, or the Region of the profile."""
    calls_per_second: float
    page_size: int
    accept_language: str
    role_arn: str | None = None
    """The role to assume with the credentials of the environment or the profile. None: no role."""
    external_id: str | None = field(default=None, repr=False)
    """A secret: it must not be in any output."""
    external_id_file: Path | None = None
    """The file that holds the external ID, instead of `external_id`. Read each time the role is assumed."""
    profile: str | None = None
    """A profile of the AWS configuration files. None: `AWS_PROFILE`, or the default profile."""
    details: bool = False
    """Ask CloudFormation why an instance is not CURRENT."""
    discover: DiscoverSettings | None = None
    """None: only the products in the configuration."""

    @property
    def has_external_id(self) -> bool:
        """Whether AssumeRole sends an external ID."""
        return self.external_id is not None or self.external_id_file is not None


@dataclass(frozen=True, slots=True)
class MonitoredProduct:
    """A product to poll: where, how often, and how long one poll may take."""

    product: Product
    source: str
    interval: float
    timeout: float
    own_name: bool = False
    """True: the configuration gives no name, so the name at AWS replaces the ID as soon as it is known."""
    adaptive_timeout: bool = False
    """True: `poll.timeout` is not configured, so `timeout` may grow with what the product needs."""


@dataclass(frozen=True, slots=True)
class PollSettings:
    """What all polls have in common."""

    concurrency: int
    stale_after: float
    confirm_shrink: float
    interval: float = 300.0
    """Of products without an interval of their own, also of discovered ones."""
    timeout: float = 240.0
    """Of the same products."""
    adaptive_timeout: bool = True
    """True: `poll.timeout` is not configured."""


@dataclass(frozen=True, slots=True)
class SeriesOptions:
    """Which series are exposed (`metrics`)."""

    instance_series: InstanceSeries = InstanceSeries.ALL
    zero_series: bool = True
    max_instance_series: int = 1_000_000


@dataclass(frozen=True, slots=True)
class TableSettings:
    """A table of DynamoDB that holds the state (`state.dynamodb`)."""

    table: str
    region: str | None = None
    """None: the Region of the environment."""
    endpoint: str | None = None
    """The URL of another endpoint, such as DynamoDB Local."""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """How replicas divide the products among themselves (`cluster`)."""

    shards: int = 1
    lease: float = 15.0


@dataclass(frozen=True, slots=True)
class Settings:
    """One whole configuration."""

    poll: PollSettings
    sources: tuple[SourceSettings, ...]
    products: tuple[MonitoredProduct, ...]
    series: SeriesOptions
    state_path: Path
    """The SQLite file, unless the state is in `state_table`."""
    history: float
    listen: str
    log_level: LogLevel
    log_format: LogFormat
    accepted: tuple[Acceptance, ...] = ()
    """The stack instances that are known not to be CURRENT and accepted."""
    web_config: Path | None = None
    """The web configuration file: TLS and users."""
    state_table: TableSettings | None = None
    cluster: ClusterSettings = ClusterSettings()
