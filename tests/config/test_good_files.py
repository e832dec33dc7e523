"""Configuration files that are right, and the settings that they give."""

import json
from datetime import date
from pathlib import Path

import pytest

from monitor.config.errors import UnreadableError
from monitor.config.load import load_settings, parse_settings
from monitor.config.settings import (
    ClusterSettings,
    DiscoverSettings,
    InstanceSeries,
    LogFormat,
    LogLevel,
    MonitoredProduct,
    PollSettings,
    SeriesOptions,
    Settings,
    SourceSettings,
    TableSettings,
)
from monitor.model.accepted import Acceptance
from monitor.model.instances import Product, Status

GOOD = Path(__file__).parent / "data" / "good"


def names(settings: Settings) -> list[tuple[str, str]]:
    """Return the ID and the name of each product."""
    return [(monitored.product.id, monitored.product.name) for monitored in settings.products]


@pytest.mark.parametrize("name", sorted(path.name for path in GOOD.iterdir()))
def test_a_good_file_loads(name: str) -> None:
    """A valid file has no problems."""
    settings = load_settings(GOOD / name)
    assert settings.products or any(source.discover for source in settings.sources)


def test_the_least_file_gives_the_defaults_of_the_contract() -> None:
    """A file with one product has the documented defaults."""
    settings = load_settings(GOOD / "least.yaml")
    assert settings == Settings(
        poll=PollSettings(concurrency=16, stale_after=3600.0, confirm_shrink=0.5, interval=300.0, timeout=240.0),
        sources=(SourceSettings("default", None, 10.0, 20, "en"),),
        products=(
            MonitoredProduct(
                Product("pp-aaaaaaaaaaaaa", "pp-aaaaaaaaaaaaa"),
                "default",
                300.0,
                240.0,
                own_name=True,
                adaptive_timeout=True,
            ),
        ),
        series=SeriesOptions(InstanceSeries.ALL, zero_series=True, max_instance_series=1_000_000),
        state_path=Path("state/monitor.db"),
        history=90 * 86400.0,
        listen=":9935",
        log_level=LogLevel.INFO,
        log_format=LogFormat.JSON,
    )


def test_every_key_reaches_the_settings() -> None:
    """A file that sets every key gives settings without any default."""
    assert load_settings(GOOD / "whole.yaml") == Settings(
        poll=PollSettings(
            concurrency=256,
            stale_after=86400.0,
            confirm_shrink=1.0,
            interval=600.0,
            timeout=540.0,
            adaptive_timeout=False,
        ),
        sources=(
            SourceSettings(
                name="hub",
                region="us-gov-west-1",
                calls_per_second=2.5,
                page_size=1,
                accept_language="jp",
                role_arn="arn:aws-us-gov:iam::111122223333:role/monitoring/stackset-monitor",
                external_id="1234567890",
                profile="hub",
                discover=DiscoverSettings(("baseline-*", "guardrails"), {"team": "platform", "tier": ""}, 3600.0),
            ),
            SourceSettings("spoke", None, 10.0, 20, "en"),
        ),
        products=(
            MonitoredProduct(Product("pp-aaaaaaaaaaaaa", "baseline"), "spoke", 5400.0, 540.0),
            # Its interval is shorter than poll.timeout, so it is the deadline.
            MonitoredProduct(Product("pp-bbbbbbbbbbbbb", "pp-bbbbbbbbbbbbb"), "hub", 30.0, 30.0, own_name=True),
        ),
        series=SeriesOptions(InstanceSeries.NON_CURRENT, zero_series=False, max_instance_series=0),
        state_path=Path("/var/lib/stackset-monitor/monitor.db"),
        history=365 * 86400.0,
        listen="[::1]:9935",
        web_config=GOOD / "web.yml",
        log_level=LogLevel.WARNING,
        log_format=LogFormat.CONSOLE,
    )


def test_names_are_kept_as_they_are() -> None:
    """Quotes, backslashes, newlines, a NUL, emoji and what looks like a template are characters like others."""
    settings = load_settings(GOOD / "names.yaml")
    assert names(settings) == [
        ("pp-aaaaaaaaaaaaa", 'it\'s "the" \\ baseline'),
        ("pp-bbbbbbbbbbbbb", "two\nlines\tand a NUL \0"),
        ("pp-ccccccccccccc", "🚦 Ampel für Ünïcödé 守护"),
        ("pp-ddddddddddddd", "no"),
        ("0123", "2026-01-02"),
        ("_-", "{{ not a template }} <b>%s</b>"),
    ]
    assert {monitored.source for monitored in settings.products} == {'hub & "spoke"'}


def test_json_is_yaml() -> None:
    """JSON escapes with surrogate pairs are joined."""
    settings = load_settings(GOOD / "json.yaml")
    assert names(settings) == [("pp-aaaaaaaaaaaaa", '🚦 Ämpel / "x"')]
    assert (settings.products[0].timeout, settings.listen) == (60.0, ":0")


def test_a_file_with_windows_line_ends_is_read() -> None:
    """A byte order mark and carriage returns change nothing."""
    raw = (GOOD / "windows.yaml").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.count(b"\r\n") == raw.count(b"\n") == 5
    settings = load_settings(GOOD / "windows.yaml")
    assert names(settings) == [("pp-aaaaaaaaaaaaa", "bäse"), ("pp-bbbbbbbbbbbbb", "pp-bbbbbbbbbbbbb")]
    assert settings.log_level is LogLevel.DEBUG


def test_numbers_may_be_written_as_yaml_allows() -> None:
    """Hexadecimal, binary, underscores and exponents are numbers, and `off` is false."""
    settings = load_settings(GOOD / "number_forms.yaml")
    assert settings.poll == PollSettings(concurrency=16, stale_after=3600.0, confirm_shrink=0.0)
    assert settings.sources == (SourceSettings("a", None, 100.0, 5, "en"),)
    assert settings.products[0].source == "a"
    assert settings.series == SeriesOptions(InstanceSeries.ALL, zero_series=False, max_instance_series=1000)


def test_an_anchor_stands_for_its_value() -> None:
    """Aliases are accepted if they do not multiply."""
    settings = load_settings(GOOD / "anchors.yaml")
    assert [monitored.interval for monitored in settings.products] == [120.0, 120.0]
    assert settings.state_path == Path("pp-bbbbbbbbbbbbb")


def test_a_missing_file_gives_one_sentence(tmp_path: Path) -> None:
    """A missing file raises `UnreadableError`, not `ConfigurationError`."""
    with pytest.raises(UnreadableError) as caught:
        load_settings(tmp_path / "monitor.yaml")
    assert str(caught.value) == (
        f"cannot read the configuration file {tmp_path}/monitor.yaml: No such file or directory"
    )


def test_the_default_of_stale_after_grows_with_the_intervals() -> None:
    """A product that is polled every six hours keeps its series between two polls."""
    settings = load_settings(GOOD / "long_interval.yaml")
    assert settings.poll.stale_after == 12 * 3600.0


def test_a_timeout_is_compared_with_the_intervals_in_use() -> None:
    """The default interval does not count if each product has its own."""
    text = "poll: {timeout: 8m}\nproducts: [{id: pp-a, interval: 10m}, {id: pp-b, interval: 1m}]"
    settings = parse_settings(text.encode(), Path("monitor.yaml"))
    assert [monitored.timeout for monitored in settings.products] == [480.0, 60.0]


def test_the_state_in_a_table() -> None:
    """A table with its Region and endpoint, and how the replicas divide the products."""
    settings = load_settings(GOOD / "dynamodb.yaml")
    assert settings.state_table == TableSettings("stackset-monitor", "eu-west-1", "http://localhost:8000")
    assert settings.cluster == ClusterSettings(3, 30.0)


def test_discover_alone_is_sufficient() -> None:
    """With `discover`, `products` is optional; by default every product of the type matches."""
    settings = load_settings(GOOD / "discovered.yaml")
    assert settings.products == ()
    assert settings.sources[0].discover == DiscoverSettings(("*",), {}, 900.0)
    assert settings.poll == PollSettings(16, 7200.0, 0.5, interval=3600.0, timeout=2880.0)


def test_an_external_id_is_not_shown() -> None:
    """The repr of a source does not contain it."""
    assert "1234567890" not in repr(load_settings(GOOD / "whole.yaml"))


@pytest.mark.parametrize(("written", "path"), [("id.txt", "/etc/monitor/id.txt"), ("/run/id.txt", "/run/id.txt")])
def test_an_external_id_file_is_relative_to_the_configuration_file(written: str, path: str) -> None:
    """It is resolved like web.config_file."""
    role_arn = "arn:aws:iam::111122223333:role/stackset-monitor"
    source = {"name": "hub", "role_arn": role_arn, "external_id_file": written}
    text = json.dumps({"sources": [source], "products": ["pp-a"]})
    (found,) = parse_settings(text.encode(), Path("/etc/monitor/monitor.yaml")).sources
    assert (found.external_id, found.external_id_file) == (None, Path(path))


def test_roles_may_have_paths_and_any_partition() -> None:
    """IAM allows almost any character in a path, and isolated clouds have partitions of their own."""
    settings = [*load_settings(GOOD / "roles.yaml").sources, *load_settings(GOOD / "isolated.yaml").sources]
    assert [source.role_arn for source in settings] == [
        None,
        "arn:aws:iam::111122223333:role/stackset-monitor",
        "arn:aws:iam::111122223333:role/stackset-monitor",
        "arn:aws:iam::444455556666:role/a/path-(of!sorts)/stackset-monitor",
        "arn:aws-iso:iam::111122223333:role/stackset-monitor",
        "arn:aws-iso-b:iam::111122223333:role/stackset-monitor",
        "arn:aws-iso-e:iam::111122223333:role/stackset-monitor",
        "arn:aws-eusc:iam::111122223333:role/stackset-monitor",
    ]


def test_accepted_instances() -> None:
    """A date may be written with or without quotes; Region and product are optional."""
    full, least = load_settings(GOOD / "accepted.yaml").accepted
    assert full == Acceptance(
        account="444455556666",
        statuses=frozenset({Status.OUTDATED, Status.INOPERABLE}),
        until=date(2027, 1, 31),
        reason="account is suspended",
        region="eu-west-1",
        product="pp-aaaaaaaaaaaaa",
    )
    assert least == Acceptance("777788889999", frozenset({Status.OUTDATED}), date(2027, 2, 28), "is being closed")
    unquoted = (GOOD / "accepted.yaml").read_bytes().replace(b"'2027-01-31'", b"2027-01-31")
    assert parse_settings(unquoted, Path("monitor.yaml")).accepted == (full, least)
    assert [full.expired(day) for day in (date(2027, 1, 31), date(2027, 2, 1))] == [False, True]


def test_details_are_off_by_default(tmp_path: Path) -> None:
    """They need more permissions."""
    file = tmp_path / "monitor.yaml"
    file.write_text("products: [pp-1]\nsources: [{name: a, details: true}]\n")
    assert load_settings(file).sources[0].details
    assert not load_settings(GOOD / "least.yaml").sources[0].details
