"""The command line. Each command imports the rooms that it needs when it runs: `version` is quick."""

import sys
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from monitor.cli.failure import FAILED, INTERRUPTED, WRONG, CommandError
from monitor.cli.streams import drop_stdout, prepare_stdout, tell
from monitor.daemon.signals import Signals

COMMANDS = {
    "run": "Run the daemon.",
    "poll": "Poll every product once and print what is found.",
    "check": "Check a configuration file.",
    "history": "Print the stored transitions.",
    "iam-policy": "Print the least IAM policy that a configuration needs.",
    "schema": "Print the JSON Schema of the configuration file.",
    "demo": "Run the daemon against a simulated AWS on this machine.",
    "version": "Print the version.",
}
"""Each lives in a module of its name in this package, as a click command of its name (with `_` for `-`)."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            if (close := get_close_matches(cmd_name, COMMANDS, n=1)) and not ctx.resilient_parsing:
                ctx.fail(f"No such command {cmd_name!r}. Did you mean {close[0]!r}?")
            return None
        module = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"monitor.cli.{module}"), module)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """ProductSet the stack instances of AWS Service Catalog products deployed as CloudFormation StackSets.

    \b
    Exit codes:
      0  fine; with poll: every instance is CURRENT
      1  poll found an instance that is not CURRENT
      2  wrong usage or configuration
      3  it could not be done (AWS, port, disk)
    """  # noqa: D301 - click's mark for lines that stay as they are


def main(arguments: list[str] | None = None, signals: Signals | None = None) -> None:
    """Run a command and exit with its code. `signals`: those of a daemon, if their handlers are installed already."""
    prepare_stdout()
    sys.exit(call(lambda: cli.main(args=arguments, prog_name="stackset-monitor", standalone_mode=False, obj=signals)))


def call(command: Callable[[], Any]) -> int:
    """Run a command; say what went wrong in one sentence and return the exit code."""
    try:
        code = command()
    except CommandError as error:
        return _failed(str(error), error.code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return WRONG
    except click.ClickException as error:
        return _failed(_usage(error), WRONG)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):  # the reader left early, as `head` does; click makes an exit of it
        drop_stdout()
        return 0
    except OSError as error:
        where = "the output" if error.filename is None else error.filename
        return _failed(f"{where}: {error.strerror or error}", FAILED)
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        return _failed(_bug(error), FAILED)
    return code if isinstance(code, int) else 0


def _failed(sentence: str, code: int) -> int:
    tell(sentence)
    return code


def _usage(error: click.ClickException) -> str:
    """Put what click says, and where to read more, into one line."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "stackset-monitor"
    sentence = " ".join(error.format_message().split()).removesuffix(".")
    return f"{sentence} (see {path} --help)"


def _bug(error: Exception) -> str:
    """Name what nobody expected, and where it happened."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f" in {trace.tb_frame.f_globals.get('__name__')}, line {trace.tb_lineno}" if trace else ""
    what = f"{type(error).__name__}{where}: {' '.join(str(error).split())}"
    return f"this is a bug, please report it: {what} (python -X dev -m monitor shows the traceback)"
