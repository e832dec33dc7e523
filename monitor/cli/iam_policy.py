"""`stackset-monitor iam-policy`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.errors import CommandError, ExitCode
from monitor.cli.options import checked, config_option, load_configuration
from monitor.cli.streams import print_error

if TYPE_CHECKING:
    from monitor.config.settings import SourceSettings


def principal_arn(text: str) -> str:
    """Validate the ARN of an identity."""
    from monitor.policy.iam import checked_principal

    return checked_principal(text)


@click.command("iam-policy")
@config_option
@click.option("--source", "name", metavar="NAME", help="The policy of the identity that reads this source.")
@click.option("--profile", metavar="NAME", help="The policy of the identity of this AWS profile.")
@click.option("--trust", is_flag=True, help="The trust policy of the role instead: who may assume it.")
@click.option(
    "--principal",
    callback=checked(principal_arn),
    metavar="ARN",
    help="With --trust: the IAM role, user or account that the monitor runs as.",
)
@click.option("--session-tags", is_flag=True, help="The monitor runs with EKS Pod Identity: allow session tags.")
def iam_policy(
    config: Path, name: str | None, profile: str | None, trust: bool, principal: str | None, session_tags: bool
) -> None:
    """Print the least IAM policy (JSON) that this configuration needs. AWS is not called.

    Without --source or --profile it is the policy of the identity that the monitor runs as. Each AWS profile
    and each role that it assumes needs a policy of its own, and a role a trust policy:

    \b
      iam-policy --config FILE
          the monitor's own identity
      iam-policy --config FILE --profile NAME
          the identity of an AWS profile
      iam-policy --config FILE --source NAME
          the role of a source
      iam-policy --config FILE --source NAME --trust --principal ARN
          who may assume this role

    An external ID is a secret and is not printed: replace ${EXTERNAL_ID}.
    """  # noqa: D301 - click's mark for lines that it must not wrap
    from monitor.policy.iam import own_policy, role_policy, trust_policy

    if trust != (principal is not None):
        missing, given = ("--principal", "--trust") if trust else ("--trust", "--principal")
        message = f"Missing option {missing!r}, which {given!r} requires"
        raise click.UsageError(message)
    if name is not None and profile is not None:
        message = "Options '--source' and '--profile' cannot be combined"
        raise click.UsageError(message)
    sources = load_configuration(config).sources
    role_arn = _role(sources, name, trust=trust)
    if principal is not None and role_arn is not None:
        _check_partition(principal, role_arn)
        policy = trust_policy(sources, role_arn, principal, session_tags=session_tags)
    elif role_arn is not None:
        policy = role_policy(sources, role_arn)
    else:
        profile = _profile(sources, name, profile)
        policy = own_policy(sources, profile, session_tags=session_tags)
    click.echo(json.dumps(policy, indent=2))
    for hint in _hints(sources, role_arn, profile, trust=trust):
        print_error(hint)


def _role(sources: "Sequence[SourceSettings]", name: str | None, *, trust: bool) -> str | None:
    """Return the role whose policy is wanted, or None for an identity without a role."""
    by_name = {source.name: source.role_arn for source in sources}
    if name is not None:
        if name not in by_name:
            raise CommandError(f"--source: there is no source {name!r}", ExitCode.USAGE)
        if trust and by_name[name] is None:
            raise CommandError(f"--trust: the source {name!r} has no role_arn", ExitCode.USAGE)
        return by_name[name]
    roles = {role_arn for role_arn in by_name.values() if role_arn is not None}
    if trust and len(roles) != 1:
        reason = "there are several roles: choose one with --source" if roles else "no source has a role_arn"
        raise CommandError(f"--trust: {reason}", ExitCode.USAGE)
    return roles.pop() if trust else None


def _profile(sources: "Sequence[SourceSettings]", name: str | None, profile: str | None) -> str | None:
    """Return the AWS profile of the wanted identity, or None for the credentials of the environment."""
    profiles = {source.name: source.profile for source in sources}
    if name is not None:
        return profiles[name]
    if profile is None and None not in profiles.values() and len(set(profiles.values())) > 1:
        raise CommandError("every source has a profile: choose one with --profile", ExitCode.USAGE)
    if profile is not None and profile not in profiles.values():
        raise CommandError(f"--profile: no source has the profile {profile!r}", ExitCode.USAGE)
    return profile if profile is not None or None in profiles.values() else next(iter(profiles.values()))


def _check_partition(principal: str, role_arn: str) -> None:
    from monitor.policy.iam import partition

    if partition(principal) != partition(role_arn):
        message = (
            f"--principal: an identity of partition {partition(principal)} cannot assume {role_arn},"
            f" which is in partition {partition(role_arn)}"
        )
        raise CommandError(message, ExitCode.USAGE)


def _hints(
    sources: "Sequence[SourceSettings]", role_arn: str | None, profile: str | None, *, trust: bool
) -> Sequence[str]:
    """Return what to do besides attaching the printed policy."""
    from monitor.policy.iam import EXTERNAL_ID

    if trust:
        required = any(source.has_external_id for source in sources if source.role_arn == role_arn)
        return [f"the external ID is not printed: replace {EXTERNAL_ID}"] if required else []
    if role_arn is not None:
        return []
    hints = []
    roles = {
        source.role_arn: source.name for source in reversed(sources) if source.role_arn and source.profile == profile
    }
    if roles:
        options = ", ".join(f"--source {name!r}" for name in reversed(roles.values()))
        hints.append(f"each role needs a policy of its own, and a trust policy (--trust): {options}")
    if others := {source.profile: None for source in sources if source.profile not in (profile, None)}:
        options = ", ".join(f"--profile {name!r}" for name in others)
        hints.append(f"the identity of each profile needs a policy of its own: {options}")
    return hints
