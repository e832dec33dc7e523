"""`stackset-monitor schema`."""

import json

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors and pipelines."""
    from monitor.config.json_schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
