"""The schema of the configuration file: every key, its type, its default and what it is for."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from monitor.configuration.duration import PATTERN, parse_duration
from monitor.configuration.settings import InstanceSeries, LogFormat, LogLevel


def _duration(value: object) -> float:
    if not isinstance(value, str):
        message = f"{value!r} is not a duration: write it like 90s, 5m, 1h30m or 7d"
        raise ValueError(message)  # noqa: TRY004 - pydantic collects ValueError
    return parse_duration(value)


def _later(what: str) -> Callable[[object], object]:
    def refuse(value: object) -> object:
        if value is not None:
            message = f"not supported by this version yet: {what}"
            raise ValueError(message)
        return value

    return refuse


def _product(value: object) -> object:
    return {"id": value} if isinstance(value, str) else value


Duration = Annotated[
    float,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["90s", "5m", "1h30m", "7d"]}),
]
Name = Annotated[str, Field(min_length=1, max_length=128)]
Port = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]*\]|[^\s:\[\]]*):[0-9]{1,5}$")]


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
        3600.0, description="a product with no complete poll for this long loses its instance series"
    )
    confirm_shrink: float = Field(
        0.5,
        ge=0,
        le=1,
        description="a listing that lost more than this share of the instances is listed once more before it is"
        " believed",
    )


class SourcePart(_Part):
    """An AWS account and Region that products are read from."""

    name: Name = Field(description="what products refer to it by, and the label `source`")
    region: str | None = Field(
        None, pattern=r"^[a-z]{2,}(-[a-z0-9]+)+$", description="default: the Region that boto3 finds by itself"
    )
    role_arn: Annotated[str | None, AfterValidator(_later("sources that assume a role"))] = Field(
        None, description="an IAM role to assume"
    )
    external_id: Annotated[str | None, AfterValidator(_later("sources that assume a role"))] = Field(
        None, description="the external id that the role asks for"
    )
    calls_per_second: float = Field(10.0, gt=0, le=1000, description="budget of all calls to this source")
    page_size: int = Field(20, ge=1, le=20, description="stack instances a page; the API allows 1 to 20")
    accept_language: str = Field("en", pattern="^(en|jp|zh)$", description="the language of AWS' own messages")
    discover: Annotated[dict[str, Any] | None, AfterValidator(_later("discovery of products"))] = Field(
        None, description="find the CFN_STACKSET products here instead of listing them"
    )


class ProductPart(_Part):
    """A provisioned product of type CFN_STACKSET."""

    id: str = Field(pattern="^[A-Za-z0-9_-]{1,100}$", description="the provisioned product's id, as `pp-aaaaaaaaaaaaa`")
    name: Name | None = Field(None, description="the label `provisioned_product_name`; default: the id")
    source: Name | None = Field(None, description="the name of its source; needed only where there are several")
    interval: Duration | None = Field(None, description="how often it is polled; default: poll.interval")


class MetricsPart(_Part):
    """Which series there are."""

    instance_series: Annotated[InstanceSeries, Field(strict=False)] = Field(
        InstanceSeries.ALL, description="which stack instances have series"
    )
    zero_series: bool = Field(default=True, description="false: only the series of the status that holds")
    max_instance_series: int = Field(1_000_000, ge=0, description="series of stack instances, of all products")


class StatePart(_Part):
    """What outlives the process."""

    path: Annotated[Path, Field(strict=False)] = Field(
        Path("state/monitor.db"), description="the SQLite file, seen from the working directory"
    )
    history: Duration = Field(90 * 86400.0, description="how long transitions are kept")


class WebPart(_Part):
    """Where Prometheus scrapes."""

    listen: Port = Field("0.0.0.0:9935", description="HOST:PORT")
    config_file: Annotated[str | None, AfterValidator(_later("TLS and users by web.config_file"))] = Field(
        None, description="a web configuration file in the format of Prometheus' exporter-toolkit"
    )


class LogPart(_Part):
    """What is told on stdout."""

    level: Annotated[LogLevel, Field(strict=False)] = Field(LogLevel.INFO, description="what is told")
    format: Annotated[LogFormat, Field(strict=False)] = Field(LogFormat.JSON, description="how a line looks")


class ConfigurationFile(_Part):
    """The configuration of stackset-monitor."""

    poll: PollPart = PollPart()
    sources: list[SourcePart] = Field(
        [], description='default: one, "default", with the ambient credentials and Region'
    )
    products: list[Annotated[ProductPart, BeforeValidator(_product, json_schema_input_type=str | ProductPart)]] = Field(
        [], description="an id, or an object"
    )
    metrics: MetricsPart = MetricsPart()
    state: StatePart = StatePart()
    web: WebPart = WebPart()
    log: LogPart = LogPart()
