"""`stackset-monitor aws-template`."""

from pathlib import Path

import click

from monitor.cli.errors import EXIT_CODES
from monitor.cli.options import config_option, load_configuration
from monitor.cli.output import print_error
from monitor.config.yaml_text import yaml_text
from monitor.policy.template import Needs, accounts, template


@click.command("aws-template", epilog=EXIT_CODES)
@config_option
@click.option("--session-tags", is_flag=True, help="The monitor runs with EKS Pod Identity: allow session tags.")
def aws_template(config: Path, session_tags: bool) -> None:
    """Print a CloudFormation template (YAML) of what this configuration needs at AWS. AWS is not called.

    It has the roles of the sources, with their trust and least permissions, and the policy of the
    identity that the monitor runs as. The same template is for every account: a stack contains only
    what belongs into its account and Region. It contains no secret: external IDs are parameters.

    \b
      stackset-monitor aws-template --config FILE > template.yaml
      aws cloudformation deploy --template-file template.yaml \\
          --stack-name stackset-monitor --capabilities CAPABILITY_NAMED_IAM \\
          --parameter-overrides MonitorPrincipal=ARN
    """  # noqa: D301 - click's mark for lines that it must not wrap
    settings = load_configuration(config)
    needs = Needs(settings.sources, settings.state_table, session_tags=session_tags)
    click.echo(yaml_text(template(needs)), nl=False)
    if needed := accounts(needs):
        places = ", ".join(f"{account} ({', '.join(regions) or 'any Region'})" for account, regions in needed.items())
        print_error(f"create a stack in the account of the monitor, and in {places}")
