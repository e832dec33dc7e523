"""`stackset-monitor iam-policy`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.failure import WRONG, CommandError
from monitor.cli.options import checked, config_option, settings_of
from monitor.cli.streams import tell

if TYPE_CHECKING:
    from monitor.config.settings import SourceSettings


def principal_arn(text: str) -> str:
    """Take the ARN of an identity."""
    from monitor.policy.iam import checked_principal

    return checked_principal(text)


@click.command("iam-policy")
@config_option
@click.option("--source", "name", metavar="NAME", help="The policy of the role that this source is read by.")
@click.option("--trust", is_flag=True, help="The role's trust policy instead: who may assume it.")
@click.option(
    "--principal",
    callback=checked(principal_arn),
    metavar="ARN",
    help="With --trust: the IAM role, user or account that the monitor runs as.",
)
@click.option("--session-tags", is_flag=True, help="The monitor runs with EKS Pod Identity: let session tags pass.")
def iam_policy(config: Path, name: str | None, trust: bool, principal: str | None, session_tags: bool) -> None:
    """Print the least IAM policy (JSON) that this configuration needs. AWS is not asked.

    Without --source it is the policy of the identity that the monitor runs as. Each role that it
    assumes needs a policy and a trust policy of its own:

    \b
      iam-policy --config FILE
          what the monitor's own identity needs
      iam-policy --config FILE --source NAME
          what the role of this source needs
      iam-policy --config FILE --source NAME --trust --principal ARN
          who may assume this role

    An external id is a secret and is not printed: ${EXTERNAL_ID} stands in its place.
    """  # noqa: D301 - click's mark for lines that stay as they are
    from monitor.policy.iam import own_policy, role_policy, trust_policy

    if trust != (principal is not None):
        missing, given = ("--principal", "--trust") if trust else ("--trust", "--principal")
        message = f"Missing option {missing!r}, which belongs to {given!r}"
        raise click.UsageError(message)
    sources = settings_of(config).sources
    role_arn = _role(sources, name, trust=trust)
    if principal is not None and role_arn is not None:
        _same_partition(principal, role_arn)
        policy = trust_policy(sources, role_arn, principal, session_tags=session_tags)
    elif role_arn is not None:
        policy = role_policy(sources, role_arn)
    else:
        policy = own_policy(sources, session_tags=session_tags)
    click.echo(json.dumps(policy, indent=2))
    for hint in _hints(sources, role_arn, trust=trust):
        tell(hint)


def _role(sources: "Sequence[SourceSettings]", name: str | None, *, trust: bool) -> str | None:
    """Return the role that is asked about, None for the monitor's own identity."""
    by_name = {source.name: source.role_arn for source in sources}
    if name is not None:
        if name not in by_name:
            message = f"--source: {name!r} is not in the configuration"
            raise CommandError(message, WRONG)
        if trust and by_name[name] is None:
            message = f"--trust: the source {name!r} has no role_arn"
            raise CommandError(message, WRONG)
        return by_name[name]
    roles = {role_arn for role_arn in by_name.values() if role_arn is not None}
    if trust and len(roles) != 1:
        message = (
            f"--trust: {'there are several roles: say which with --source' if roles else 'no source has a role_arn'}"
        )
        raise CommandError(message, WRONG)
    return roles.pop() if trust else None


def _same_partition(principal: str, role_arn: str) -> None:
    from monitor.policy.iam import partition

    if partition(principal) != partition(role_arn):
        message = (
            f"--principal: an identity of the partition {partition(principal)} cannot assume {role_arn},"
            f" which is in {partition(role_arn)}"
        )
        raise CommandError(message, WRONG)


def _hints(sources: "Sequence[SourceSettings]", role_arn: str | None, *, trust: bool) -> Sequence[str]:
    """Return what a reader has to do beside attaching what was printed."""
    from monitor.policy.iam import EXTERNAL_ID

    if trust:
        asked = any(source.has_external_id for source in sources if source.role_arn == role_arn)
        return [f"the external id is not printed: put it in place of {EXTERNAL_ID}"] if asked else []
    named = {source.role_arn: source.name for source in reversed(sources) if source.role_arn is not None}
    if role_arn is not None or not named:
        return []
    options = ", ".join(f"--source {name!r}" for name in reversed(named.values()))
    return [f"each role needs a policy of its own, and a trust policy (--trust): {options}"]
