"""`stackset-monitor iam-policy`."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from monitor.cli.errors import EXIT_CODES, CommandError, ExitCode
from monitor.cli.options import checked, config_option, load_configuration
from monitor.cli.output import print_error
from monitor.config.settings import SourceSettings
from monitor.policy.iam import EXTERNAL_ID, checked_principal, own_policy, partition, role_policy, trust_policy


@click.command("iam-policy", epilog=EXIT_CODES)
@config_option
@click.option("--source", "name", metavar="NAME", help="The policy of the identity that reads this source.")
@click.option("--profile", metavar="NAME", help="The policy of the identity of this AWS profile.")
@click.option("--trust", is_flag=True, help="The trust policy of the role instead: who may assume it.")
@click.option(
    "--principal",
    callback=checked(checked_principal),
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
    if trust != (principal is not None):
        missing, given = ("--principal", "--trust") if trust else ("--trust", "--principal")
        message = f"Missing option {missing!r}, which {given!r} requires"
        raise click.UsageError(message)
    if profile is not None and (name is not None or trust):
        message = f"Options {'--trust' if trust else '--source'!r} and '--profile' cannot be combined"
        raise click.UsageError(message)
    settings = load_configuration(config)
    sources, table = settings.sources, settings.state_table
    if principal is not None:
        role_arn = _trusting_role(sources, name, principal)
        policy = trust_policy(sources, role_arn, principal, session_tags=session_tags)
        external_id = any(source.has_external_id for source in sources if source.role_arn == role_arn)
        hints = iter([f"the external ID is not printed: replace {EXTERNAL_ID}"] if external_id else [])
    else:
        source = _source(sources, name) if name is not None else None
        if source and source.role_arn:
            policy, hints = role_policy(sources, source.role_arn), iter(())
        else:
            profile = source.profile if source else _profile(sources, profile)
            policy = own_policy(sources, profile, session_tags=session_tags, table=table)
            hints = _other_policies(sources, profile)
    click.echo(json.dumps(policy, indent=2))
    for hint in hints:
        print_error(hint)


def _source(sources: Sequence[SourceSettings], name: str) -> SourceSettings:
    found = next((source for source in sources if source.name == name), None)
    if found is None:
        raise CommandError(f"--source: there is no source {name!r}", ExitCode.USAGE)
    return found


def _trusting_role(sources: Sequence[SourceSettings], name: str | None, principal: str) -> str:
    """Return the role of a source, or the only role, if the principal can assume it."""
    if name is not None:
        roles = {_source(sources, name).role_arn} - {None}
        reason = f"the source {name!r} has no role_arn"
    else:
        roles = {source.role_arn for source in sources} - {None}
        reason = "there are several roles: choose one with --source" if roles else "no source has a role_arn"
    if len(roles) != 1:
        raise CommandError(f"--trust: {reason}", ExitCode.USAGE)
    role_arn = str(roles.pop())
    if partition(principal) != partition(role_arn):
        message = (
            f"--principal: an identity of partition {partition(principal)} cannot assume {role_arn},"
            f" which is in partition {partition(role_arn)}"
        )
        raise CommandError(message, ExitCode.USAGE)
    return role_arn


def _profile(sources: Sequence[SourceSettings], wanted: str | None) -> str | None:
    """Return the AWS profile of the wanted identity, or None for the credentials of the environment."""
    profiles = {source.profile for source in sources}
    if wanted is not None and wanted not in profiles:
        raise CommandError(f"--profile: no source has the profile {wanted!r}", ExitCode.USAGE)
    if wanted is not None or None in profiles:
        return wanted
    if len(profiles) > 1:
        raise CommandError("every source has a profile: choose one with --profile", ExitCode.USAGE)
    return profiles.pop()


def _other_policies(sources: Sequence[SourceSettings], profile: str | None) -> Iterator[str]:
    """Yield which policies are needed besides that of the identity of a profile."""
    roles: dict[str, str] = {}
    for source in sources:
        if source.role_arn and source.profile == profile:
            roles.setdefault(source.role_arn, source.name)
    if roles:
        options = ", ".join(f"--source {name!r}" for name in roles.values())
        yield f"each role needs a policy of its own, and a trust policy (--trust): {options}"
    if others := dict.fromkeys(source.profile for source in sources if source.profile not in (profile, None)):
        options = ", ".join(f"--profile {name!r}" for name in others)
        yield f"the identity of each profile needs a policy of its own: {options}"
