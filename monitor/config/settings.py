"""The settings that the rooms are built from. Frozen, complete, and known to be right. Times are seconds."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from monitor.model.instances import Product


class LogFormat(StrEnum):
    """How a line looks (`log.format`)."""

    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """What is told (`log.level`)."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def number(self) -> int:
        """The level as the standard library counts."""
        return logging.getLevelNamesMapping()[self.name]


class InstanceSeries(StrEnum):
    """Which stack instances have series (`metrics.instance_series`)."""

    ALL = "all"
    NON_CURRENT = "non_current"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class DiscoverSettings:
    """Which products of a source are found by themselves: those that fit a name and every tag."""

    names: tuple[str, ...]
    """Patterns as a shell has them (`baseline-*`); a product has to fit one of them."""
    tags: Mapping[str, str]
    interval: float


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """How to reach one source."""

    name: str
    region: str | None
    """None: the Region that boto3 finds by itself."""
    calls_per_second: float
    page_size: int
    accept_language: str
    role_arn: str | None = None
    """The role to assume with the ambient credentials; None: these themselves."""
    external_id: str | None = field(default=None, repr=False)
    """A secret: it is in no output."""
    external_id_file: Path | None = None
    """The file that holds the external ID, instead of `external_id`. Read each time the role is assumed."""
    profile: str | None = None
    """A profile of the AWS configuration files. None: `AWS_PROFILE`, or the default profile."""
    discover: DiscoverSettings | None = None
    """None: only listed products."""

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
    """True: it was given no name, so it has the one that AWS knows it by as soon as that is known."""
    adaptive_timeout: bool = False
    """True: `poll.timeout` is not configured, so `timeout` may grow with what the product needs."""


@dataclass(frozen=True, slots=True)
class PollSettings:
    """What is the same for all polls."""

    concurrency: int
    stale_after: float
    confirm_shrink: float
    interval: float = 300.0
    """Of products that say nothing themselves, those that are discovered included."""
    timeout: float = 240.0
    """Of these."""
    adaptive_timeout: bool = True
    """True: `poll.timeout` is not configured."""


@dataclass(frozen=True, slots=True)
class SeriesOptions:
    """Which series there are (`metrics`)."""

    instance_series: InstanceSeries = InstanceSeries.ALL
    zero_series: bool = True
    max_instance_series: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """One whole configuration."""

    poll: PollSettings
    sources: tuple[SourceSettings, ...]
    products: tuple[MonitoredProduct, ...]
    series: SeriesOptions
    state_path: Path
    history: float
    listen: str
    log_level: LogLevel
    log_format: LogFormat
    web_config: Path | None = None
    """The web configuration file: TLS and users."""
