"""The command line. The module of a command is imported when it is called, so that `version` is quick."""

import json
import sys
from difflib import get_close_matches
from importlib import import_module

import click

from monitor import __version__
from monitor.cli.errors import EXIT_CODES, CommandError, ExitCode
from monitor.cli.output import discard_stdout, prepare_stdout, print_error
from monitor.daemon.signals import Signals

COMMANDS = {
    "run": "Run the daemon.",
    "status": "Print what is not CURRENT now, and since when, from the state.",
    "poll": "Poll every product once and print what is not CURRENT.",
    "check": "Check a configuration file.",
    "history": "Print the stored transitions.",
    "wait": "Wait until a rollout has ended, for pipelines.",
    "state": "Move the stored state between a file and DynamoDB.",
    "iam-policy": "Print the least IAM policy that a configuration needs.",
    "aws-template": "Print a CloudFormation template of what a configuration needs at AWS.",
    "schema": "Print the JSON Schema of the configuration file.",
    "demo": "Run the daemon against a simulated AWS on this machine.",
    "version": "Print the version.",
}
"""The name of a command is that of its module and its function, with `_` for `-`, or it is in this module."""
_VERSION = f"stackset-monitor {__version__}"


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            if (close := get_close_matches(cmd_name, COMMANDS, n=1)) and not ctx.resilient_parsing:
                ctx.fail(f"No such command {cmd_name!r}. Did you mean {close[0]!r}?")
            return None
        if command := self.commands.get(cmd_name):
            return command
        module = cmd_name.replace("-", "_")
        found: click.Command = getattr(import_module(f"monitor.cli.{module}"), module)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message=_VERSION)
def cli() -> None:
    """Monitor the stack instances of AWS Service Catalog products deployed as CloudFormation StackSets.

    \b
    Exit codes:
      0    success; status, poll, wait: every instance is CURRENT
      1    status, poll, wait: an instance is not CURRENT;
           check --aws: AWS reported a problem
      2    wrong usage or configuration
      3    failure (no credentials, AWS unreachable, port, disk, missing file)
      4    wait: the rollout did not end in time
      130  interrupted by Ctrl-C
    """  # noqa: D301 - click's mark for lines that it must not wrap


@cli.command(epilog=EXIT_CODES)
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors and pipelines."""
    from monitor.config.json_schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


@cli.command(epilog=EXIT_CODES)
def version() -> None:
    """Print the version."""
    click.echo(_VERSION)


def main(arguments: list[str] | None = None, signals: Signals | None = None) -> None:
    """Run a command and exit with its code. `signals`: those of a daemon, if their handlers are installed already."""
    prepare_stdout()
    sys.exit(_exit_code(arguments, signals))


def _exit_code(arguments: list[str] | None, signals: Signals | None) -> int:
    """Run a command and return its exit code. An error becomes one sentence on stderr."""
    try:
        code = cli.main(args=arguments, prog_name="stackset-monitor", standalone_mode=False, obj=signals)
    except CommandError as error:
        return _failed(str(error), error.code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return ExitCode.USAGE
    except click.ClickException as error:
        return _failed(_usage(error), ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except (BrokenPipeError, SystemExit):  # the reader ended, as `head` does; click turns it into SystemExit
        discard_stdout()
        return 0
    except OSError as error:
        where = "the output" if error.filename is None else error.filename
        return _failed(f"{where}: {error.strerror or error}", ExitCode.FAILED)
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        return _failed(_bug(error), ExitCode.FAILED)
    return code if isinstance(code, int) else 0


def _failed(sentence: str, code: ExitCode) -> ExitCode:
    print_error(sentence)
    return code


def _usage(error: click.ClickException) -> str:
    """Return click's message and the command that shows the help as one line."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "stackset-monitor"
    sentence = " ".join(error.format_message().split()).removesuffix(".")
    return f"{sentence} (see {path} --help)"


def _bug(error: Exception) -> str:
    """Return an unexpected exception and its place as one line."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f" in {trace.tb_frame.f_globals.get('__name__')}, line {trace.tb_lineno}" if trace else ""
    what = f"{type(error).__name__}{where}: {' '.join(str(error).split())}"
    return f"this is a bug, please report it: {what} (python -X dev -m monitor shows the traceback)"
