"""The schema of the configuration file: every key with its type, its default and its description."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from monitor.config.field_types import (
    AccountId,
    Day,
    Duration,
    Endpoint,
    ExternalId,
    FilePath,
    Given,
    Listen,
    Name,
    ProductId,
    Reason,
    Region,
    RoleArn,
    TableName,
    Tag,
    TagValue,
)  # fmt: skip
from monitor.config.settings import InstanceSeries, LogFormat, LogLevel

MAX_CALLS_PER_SECOND = 1000


def _product(value: object) -> object:
    return {"id": value} if isinstance(value, str) else value


class Section(BaseModel):
    """A mapping of a configuration file. Unknown keys are refused, and no value is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PollSection(Section):
    """How products are polled."""

    interval: Duration = Field(300.0, description="how often a product without an interval of its own is polled")
    timeout: Duration | None = Field(
        None, description="deadline of one whole poll, all pages; default: 80 % of the interval"
    )
    concurrency: int = Field(16, ge=1, le=256, description="maximum number of polls at the same time")
    stale_after: Duration = Field(
        3600.0,
        description="a product without a complete poll for this long loses its instance series; default: 1h, or twice"
        " the longest interval if that is longer",
    )
    confirm_shrink: float = Field(
        0.5,
        ge=0,
        le=1,
        description="a listing that lost more than this share of the instances is made once more before it is accepted",
    )


class DiscoverSection(Section):
    """Which products of a source are discovered: those that match one of the names and have all tags."""

    names: list[Name] = Field(
        default_factory=lambda: ["*"], min_length=1, description="shell patterns; a product matches at least one"
    )
    tags: dict[Tag, TagValue] = Field(default_factory=dict, description="a product has all of them")
    interval: Duration = Field(900.0, description="how often the source is searched")


class SourceSection(Section):
    """An AWS account and Region that products are read from."""

    name: Name = Field(description="the name that products refer to, and the label `source`")
    region: Region | None = Field(None, description="its Region; default: AWS_DEFAULT_REGION, or that of the profile")
    profile: Name | None = Field(
        None, description="a profile of the AWS configuration files; default: AWS_PROFILE, or the default profile"
    )
    role_arn: RoleArn | None = Field(
        None, description="an IAM role to assume with the credentials of the environment or the profile"
    )
    external_id: ExternalId | None = Field(
        None, description="the external ID that the role's trust policy requires; a secret"
    )
    external_id_file: FilePath | None = Field(
        None, description="a file that holds the external ID, relative to this file; instead of external_id"
    )
    calls_per_second: float = Field(
        10.0, gt=0, le=MAX_CALLS_PER_SECOND, description="maximum rate of all calls to this source"
    )
    page_size: int = Field(20, ge=1, le=20, description="stack instances per page; the API allows 1 to 20")
    accept_language: Literal["en", "jp", "zh"] = Field("en", description="language of the messages of AWS")
    details: bool = Field(
        default=False, description="ask CloudFormation why a stack instance is not CURRENT, and how far a rollout is"
    )
    discover: DiscoverSection | None = Field(
        None, description="discover the products of type CFN_STACKSET here, instead of or in addition to `products`"
    )


class ProductSection(Section):
    """A provisioned product of type CFN_STACKSET."""

    id: ProductId = Field(description="the ID of the provisioned product, like `pp-aaaaaaaaaaaaa`")
    name: Name | None = Field(
        None, description="the label `provisioned_product_name`; default: the product's name at AWS"
    )
    source: Name | None = Field(None, description="the name of its source; required if there are several")
    interval: Duration | None = Field(None, description="how often it is polled; default: poll.interval")


class AcceptedSection(Section):
    """Stack instances that are known not to be CURRENT and accepted: they stay visible and raise no alert."""

    account: AccountId = Field(description="the account of the stack instances")
    region: Region | None = Field(None, description="their Region; default: every Region")
    product: Name | None = Field(None, description="the ID or the name of their product; default: every product")
    statuses: list[Literal["OUTDATED", "INOPERABLE"]] = Field(
        min_length=1, description="the accepted statuses: OUTDATED, INOPERABLE or both"
    )
    until: Day = Field(description="the last day on which the entry applies, in UTC")
    reason: Reason = Field(description="why they are accepted, for people")


class MetricsSection(Section):
    """Which series are exposed."""

    instance_series: Annotated[InstanceSeries, Field(strict=False)] = Field(
        InstanceSeries.ALL, description="which stack instances have series: all, non_current or none"
    )
    zero_series: bool = Field(default=True, description="false: only the series of the current status")
    max_instance_series: int = Field(
        1_000_000, ge=0, description="maximum for all products together; more are counted and not exposed"
    )


class TableSection(Section):
    """A table of DynamoDB, which several replicas share."""

    table: TableName = Field(description="its name; `stackset-monitor aws-template` prints a table")
    region: Region | None = Field(None, description="its Region; default: AWS_DEFAULT_REGION")
    endpoint: Endpoint | None = Field(None, description="the URL of another endpoint, such as DynamoDB Local")


class StateSection(Section):
    """What is kept across restarts."""

    path: FilePath = Field(Path("state/monitor.db"), description="the SQLite file, relative to the working directory")
    dynamodb: TableSection | None = Field(None, description="keep the state in DynamoDB instead of a file")
    history: Duration = Field(90 * 86400.0, description="how long transitions are kept")


class ClusterSection(Section):
    """How replicas that share a table divide the products among themselves."""

    shards: int = Field(1, ge=1, le=64, description="parts of the products; a replica owns one or more of them")
    lease: Duration = Field(
        15.0, description="how long after its last sign of life the parts of a replica are taken over"
    )


class WebSection(Section):
    """The web server that Prometheus scrapes."""

    listen: Listen = Field(":9935", description="HOST:PORT, [IPv6]:PORT, or :PORT for all IPv4 and IPv6 addresses")
    config_file: Annotated[FilePath | None, Given] = Field(
        None,
        description="TLS and users: a web configuration file in the format of Prometheus' exporter-toolkit, relative to"
        " this file; default: neither",
    )


class LogSection(Section):
    """The events on stdout."""

    level: Annotated[LogLevel, Field(strict=False)] = Field(
        LogLevel.INFO, description="the lowest level that is logged"
    )
    format: Annotated[LogFormat, Field(strict=False)] = Field(LogFormat.JSON, description="json, or console for people")


class MonitorFile(Section):
    """The configuration of stackset-monitor."""

    poll: PollSection = Field(default_factory=PollSection)
    sources: list[SourceSection] = Field(
        default_factory=list,
        description="where products are read from; default: one source `default` with the credentials and the Region of"
        " the environment",
    )
    products: list[
        Annotated[ProductSection, BeforeValidator(_product, json_schema_input_type=ProductId | ProductSection)]
    ] = Field(
        default_factory=list,
        description="the monitored products: IDs, or mappings with an ID; required unless a source has `discover`",
    )
    accepted: list[AcceptedSection] = Field(
        default_factory=list, description="stack instances that are known not to be CURRENT and accepted; no alert"
    )
    metrics: MetricsSection = Field(default_factory=MetricsSection)
    state: StateSection = Field(default_factory=StateSection)
    cluster: ClusterSection = Field(default_factory=ClusterSection)
    web: WebSection = Field(default_factory=WebSection)
    log: LogSection = Field(default_factory=LogSection)
