"""The command line. Each command imports the rooms that it needs when it runs: `version` is quick."""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import click

from monitor.cli.failure import CommandError

COMMANDS = {
    "run": "Run the daemon.",
    "poll": "Poll everything once and print what is found.",
    "check": "Check a configuration file.",
    "history": "Print the stored transitions.",
    "schema": "Print the JSON Schema of the configuration file.",
    "demo": "Run the daemon against a simulated AWS on this machine.",
    "version": "Print the version.",
}
"""Each lives in a module of its name in this package, as a click command of its name."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"monitor.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Watch the stack instances of AWS Service Catalog products deployed as CloudFormation StackSets.

    Exit codes: 0 fine; 1 something is not CURRENT (poll); 2 wrong usage or configuration;
    3 it could not be done (AWS, port, disk).
    """


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit with its code."""
    sys.exit(call(lambda: cli.main(args=arguments, prog_name="stackset-monitor", standalone_mode=False)))


def call(command: Callable[[], Any]) -> int:
    """Run a command; say what went wrong in one sentence and return the exit code."""
    try:
        code = command()
    except CommandError as error:
        click.echo(f"stackset-monitor: {error}", err=True)
        return error.code
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        return _broken_pipe()
    return code if isinstance(code, int) else 0


def _broken_pipe() -> int:
    """Be quiet where the reader of a pipe left early, as `head` does."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
