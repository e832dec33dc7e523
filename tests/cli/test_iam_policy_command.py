"""`iam-policy` and `aws-template`: the printed documents and the hints on stderr."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config.load import load_settings
from monitor.policy.iam import own_policy, role_policy, trust_policy
from monitor.policy.template import Needs, template
from tests.cli.commands import Result, configuration, here

ROLES = Path(__file__).parents[1] / "config" / "data" / "good" / "roles.yaml"
SOURCES = load_settings(ROLES).sources
MONITOR = "arn:aws:iam::777788889999:role/stackset-monitor"
TRUST = ("--trust", "--principal", MONITOR)


def run(capsys: pytest.CaptureFixture[str], *options: str) -> Result:
    """Run the command with the configuration that has several roles."""
    return here(capsys, "iam-policy", "--config", str(ROLES), *options)


def printed(result: Result) -> Any:
    """Return the one JSON document on stdout of a command that succeeded."""
    assert result.code == 0
    return json.loads(result.out)


def role(name: str) -> str:
    """Return the role of a source."""
    (arn,) = (source.role_arn for source in SOURCES if source.name == name)
    assert arn
    return arn


def test_without_roles_it_is_the_policy_and_there_are_no_hints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output is one document, which `aws iam put-role-policy` accepts."""
    result = here(capsys, "iam-policy", "--config", configuration(tmp_path))
    assert printed(result)["Statement"][0]["Sid"] == "ReadStackInstances"
    assert (len(printed(result)["Statement"]), result.err) == (1, "")


def test_with_roles_the_policies_that_are_missing_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Each role is named once on stderr, by its first source; stdout is one document."""
    result = run(capsys)
    assert printed(result) == own_policy(SOURCES)
    assert result.err == (
        "stackset-monitor: each role needs a policy of its own, and a trust policy (--trust):"
        " --source 'hub', --source 'spoke'\n"
    )


def test_a_source_has_the_policy_of_its_identity(capsys: pytest.CaptureFixture[str]) -> None:
    """Two sources of one role have one policy; a source without a role has the monitor's own."""
    for name in ("hub", "hub in America"):
        result = run(capsys, "--source", name)
        assert printed(result) == role_policy(SOURCES, role(name))
        assert result.err == ""
    assert printed(run(capsys, "--source", "own")) == own_policy(SOURCES)


def test_a_trust_policy_says_what_is_left_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """A hint says that the external ID is not printed; without an external ID there is no hint."""
    result = run(capsys, "--source", "hub", *TRUST)
    assert printed(result) == trust_policy(SOURCES, role("hub"), MONITOR)
    assert result.err == "stackset-monitor: the external ID is not printed: replace ${EXTERNAL_ID}\n"
    assert "not-to-be-shown" not in result.out + result.err
    assert run(capsys, "--source", "spoke", *TRUST).err == ""


def test_session_tags_are_allowed_on_both_sides(capsys: pytest.CaptureFixture[str]) -> None:
    """The option is passed to both policies."""
    assert printed(run(capsys, "--session-tags")) == own_policy(SOURCES, session_tags=True)
    trusted = printed(run(capsys, "--source", "spoke", "--session-tags", *TRUST))
    assert trusted == trust_policy(SOURCES, role("spoke"), MONITOR, session_tags=True)


def test_the_only_role_needs_no_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A configuration with one role has one trust policy."""
    arn = "arn:aws:iam::111122223333:role/stackset-monitor"
    config = configuration(tmp_path, more=f"sources: [{{name: hub, role_arn: '{arn}'}}]\n")
    trusted = printed(here(capsys, "iam-policy", "--config", config, *TRUST))
    assert trusted == trust_policy(load_settings(Path(config)).sources, arn, MONITOR)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--source", "hubb"], "--source: there is no source 'hubb'"),
        (TRUST, "--trust: there are several roles: choose one with --source"),
        (["--source", "own", *TRUST], "--trust: the source 'own' has no role_arn"),
        (
            ["--source", "hub", "--trust", "--principal", "arn:aws-cn:iam::777788889999:root"],
            f"--principal: an identity of partition aws-cn cannot assume {role('hub')}, which is in partition aws",
        ),
    ],
)
def test_impossible_combinations_are_wrong_usage(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message is one sentence, exit code 2, and stdout is empty."""
    assert run(capsys, *options) == Result(2, "", f"stackset-monitor: {message}\n")


def test_each_profile_is_an_identity_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The policy of one identity has no rights of another; the others are named on stderr."""
    source = "{{name: {name}, region: eu-west-1, profile: {profile}}}"
    listed = ", ".join(source.format(name=name, profile=profile) for name, profile in [("a", "one"), ("b", "two")])
    config = configuration(tmp_path, "{id: pp-a, source: a}", more=f"sources: [{listed}, {{name: c}}]\n")
    sources = load_settings(Path(config)).sources

    def policy(*options: str) -> tuple[Any, str]:
        found = here(capsys, "iam-policy", "--config", config, *options)
        return printed(found), found.err.removeprefix("stackset-monitor: ").rstrip()

    missing = "the identity of each profile needs a policy of its own: --profile "
    assert policy() == (own_policy(sources), f"{missing}'one', --profile 'two'")
    one = (own_policy(sources, "one"), f"{missing}'two'")
    assert policy("--profile", "one") == policy("--source", "a") == one
    assert own_policy(sources, "one")["Statement"][0]["Condition"]["StringEquals"]["aws:RequestedRegion"] == [
        "eu-west-1"
    ]
    assert "aws:RequestedRegion" not in str(own_policy(sources))


def test_a_profile_must_be_one_of_the_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With several profiles and no source without one, the identity has to be chosen."""
    config = configuration(
        tmp_path, "{id: pp-a, source: a}", more="sources: [{name: a, profile: one}, {name: b, profile: two}]\n"
    )
    for options, reason in (
        ([], "every source has a profile: choose one with --profile"),
        (["--profile", "three"], "--profile: no source has the profile 'three'"),
    ):
        found = here(capsys, "iam-policy", "--config", config, *options)
        assert found == Result(2, "", f"stackset-monitor: {reason}\n")


def test_no_role_has_no_trust_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a role there is no trust policy."""
    result = here(capsys, "iam-policy", "--config", configuration(tmp_path), *TRUST)
    assert result == Result(2, "", "stackset-monitor: --trust: no source has a role_arn\n")


def test_the_template_is_yaml_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    """`aws-template` prints one document to stdout, and to stderr where stacks of it are needed."""
    result = here(capsys, "aws-template", "--config", str(ROLES), "--session-tags")
    assert result.code == 0
    assert yaml.safe_load(result.out) == template(Needs(SOURCES, session_tags=True))
    assert result.err == (
        "stackset-monitor: create a stack in the account of the monitor, and in 111122223333 (eu-west-1),"
        " 444455556666 (any Region)\n"
    )
    assert "not-to-be-shown" not in result.out


def test_one_account_needs_one_stack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without roles, nothing is said on stderr."""
    assert here(capsys, "aws-template", "--config", configuration(tmp_path)).err == ""
