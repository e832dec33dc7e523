"""The schema of the configuration file: every key, its type, its default and what it is for."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from monitor.config.kinds import (
    Duration,
    ExternalId,
    FilePath,
    Given,
    Listen,
    Name,
    ProductId,
    Region,
    RoleArn,
    Tag,
    TagValue,
)  # fmt: skip
from monitor.config.settings import InstanceSeries, LogFormat, LogLevel


def _product(value: object) -> object:
    return {"id": value} if isinstance(value, str) else value


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PollPart(_Part):
    """How products are polled."""

    interval: Duration = Field(300.0, description="how often each product is polled, unless it says so itself")
    timeout: Duration | None = Field(
        None, description="deadline of one whole poll, all pages; default: 80 % of the interval"
    )
    concurrency: int = Field(16, ge=1, le=256, description="polls under way at once")
    stale_after: Duration = Field(
        3600.0,
        description="a product with no complete poll for this long loses its instance series; by default twice the"
        " longest interval where that is more",
    )
    confirm_shrink: float = Field(
        0.5,
        ge=0,
        le=1,
        description="a listing that lost more than this share of the instances is listed once more before it is"
        " believed",
    )


class DiscoverPart(_Part):
    """Which products of a source are found by themselves: those that fit a name and have all tags."""

    names: list[Name] = Field(
        default_factory=lambda: ["*"], min_length=1, description="patterns as a shell has them; one of them has to fit"
    )
    tags: dict[Tag, TagValue] = Field(default_factory=dict, description="a product has to have all of them")
    interval: Duration = Field(900.0, description="how often they are looked for")


class SourcePart(_Part):
    """An AWS account and Region that products are read from."""

    name: Name = Field(description="what products refer to it by, and the label `source`")
    region: Region | None = Field(None, description="its Region; default: the one that boto3 finds by itself")
    profile: Name | None = Field(
        None, description="a profile of the AWS configuration files; default: AWS_PROFILE, or the default profile"
    )
    role_arn: RoleArn | None = Field(
        None, description="an IAM role that is assumed with the ambient credentials; default: these themselves"
    )
    external_id: ExternalId | None = Field(None, description="what the role's trust policy asks for; a secret")
    external_id_file: FilePath | None = Field(
        None, description="a file that holds the external ID, relative to this file; instead of external_id"
    )
    calls_per_second: float = Field(10.0, gt=0, le=1000, description="budget of all calls to this source")
    page_size: int = Field(20, ge=1, le=20, description="stack instances a page; the API allows 1 to 20")
    accept_language: Literal["en", "jp", "zh"] = Field("en", description="the language of AWS' own messages")
    discover: DiscoverPart | None = Field(
        None, description="find the products of type CFN_STACKSET here, in place of a list or beside one"
    )


class ProductPart(_Part):
    """A provisioned product of type CFN_STACKSET."""

    id: ProductId = Field(description="the provisioned product's id, as `pp-aaaaaaaaaaaaa`")
    name: Name | None = Field(
        None, description="the label `provisioned_product_name`; default: the name that AWS knows it by"
    )
    source: Name | None = Field(None, description="the name of its source; needed only where there are several")
    interval: Duration | None = Field(None, description="how often it is polled; default: poll.interval")


class MetricsPart(_Part):
    """Which series there are."""

    instance_series: Annotated[InstanceSeries, Field(strict=False)] = Field(
        InstanceSeries.ALL, description="which stack instances have series: all, non_current or none"
    )
    zero_series: bool = Field(default=True, description="false: only the series of the status that holds")
    max_instance_series: int = Field(
        1_000_000, ge=0, description="of all products together; what is over it is counted and left out"
    )


class StatePart(_Part):
    """What outlives the process."""

    path: FilePath = Field(Path("state/monitor.db"), description="the SQLite file, seen from the working directory")
    history: Duration = Field(90 * 86400.0, description="how long transitions are kept")


class WebPart(_Part):
    """Where Prometheus scrapes."""

    listen: Listen = Field("0.0.0.0:9935", description="HOST:PORT, [IPv6]:PORT, or :PORT for every address")
    config_file: Annotated[FilePath | None, Given] = Field(
        None,
        description="TLS and users: a web configuration file in the format of Prometheus' exporter-toolkit, seen from"
        " the folder of this file; default: neither",
    )


class LogPart(_Part):
    """What is told on stdout."""

    level: Annotated[LogLevel, Field(strict=False)] = Field(
        LogLevel.INFO, description="events that matter less than this are not told"
    )
    format: Annotated[LogFormat, Field(strict=False)] = Field(LogFormat.JSON, description="json, or console for people")


class ConfigurationFile(_Part):
    """The configuration of stackset-monitor."""

    poll: PollPart = Field(default_factory=PollPart)
    sources: list[SourcePart] = Field(
        default_factory=list,
        description="where products are read from; default: one source, `default`, with the credentials and the"
        " Region that boto3 finds by itself",
    )
    products: list[
        Annotated[ProductPart, BeforeValidator(_product, json_schema_input_type=ProductId | ProductPart)]
    ] = Field(
        default_factory=list,
        description="what is monitored: ids, or ids with more about them; required where no source has `discover`",
    )
    metrics: MetricsPart = Field(default_factory=MetricsPart)
    state: StatePart = Field(default_factory=StatePart)
    web: WebPart = Field(default_factory=WebPart)
    log: LogPart = Field(default_factory=LogPart)
