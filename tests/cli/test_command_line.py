"""The commands and options of the public interface, and the messages for wrong usage."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import pytest

from monitor import __version__
from monitor.cli import cli
from monitor.config.duration import EXAMPLES
from tests.cli.commands import Result, here, process, python

COMMANDS: Mapping[str, Mapping[str, bool]] = {
    "run": {"--config": False, "--listen": False},
    "status": {"--config": False, "--product": True, "--account": True, "--all": False, "--output": False},
    "poll": {"--config": False, "--product": True, "--all": False, "--output": False},
    "check": {"--config": False},
    "history": {"--config": False, "--since": False, "--product": True, "--account": True, "--output": False},
    "wait": {"--config": False, "--product": False, "--timeout": False},
    "iam-policy": {
        "--config": False,
        "--source": False,
        "--trust": False,
        "--principal": False,
        "--profile": False,
        "--session-tags": False,
    },
    "aws-template": {"--config": False, "--session-tags": False},
    "schema": {},
    "demo": {"--listen": False},
    "version": {},
}
"""The options of each command; true if an option may be repeated."""
HEAVY = {"boto3", "botocore", "pydantic", "yaml", "apscheduler", "uvicorn", "starlette", "rich", "structlog", "moto"}


def options(command: click.Command) -> dict[str, bool]:
    """Return the options of a command, apart from --help."""
    return {
        parameter.opts[0]: parameter.multiple for parameter in command.params if isinstance(parameter, click.Option)
    }


@pytest.fixture
def context() -> click.Context:
    """Return the context in which click finds the commands."""
    return click.Context(cli, info_name="stackset-monitor")


def test_every_command_of_the_interface_is_there(context: click.Context) -> None:
    """The group has every command, and each can be imported."""
    assert set(cli.list_commands(context)) >= set(COMMANDS)
    for name in cli.list_commands(context):
        assert cli.get_command(context, name)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_the_interface_is_there(name: str, context: click.Context) -> None:
    """Repeatable options are repeatable."""
    command = cli.get_command(context, name)
    assert command
    assert options(command).items() >= COMMANDS[name].items()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_a_command_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The help lists each option and the exit codes in 80 columns; choices are in lower case."""
    shown = here(capsys, name, "--help")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith(f"Usage: stackset-monitor {name} [OPTIONS]\n")
    for option in COMMANDS[name]:
        assert f"\n  {option} " in shown.out
    assert "TABLE" not in shown.out
    assert "Exit codes:" in shown.out
    assert [line for line in shown.out.splitlines() if len(line) > 80] == []
    assert shown.out == here(capsys, name, "-h").out


def test_help_of_all_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The help lists the commands and all exit codes."""
    shown = here(capsys, "--help")
    assert (shown.code, shown.err) == (0, "")
    for name in COMMANDS:
        assert f"\n  {name} " in shown.out
    assert (
        """
  Exit codes:
    0    success; status, poll, wait: every instance is CURRENT
    1    status, poll, wait: an instance is not CURRENT;
         check --aws: AWS reported a problem
    2    wrong usage or configuration
    3    failure (no credentials, AWS unreachable, port, disk, missing file)
    4    wait: the rollout did not end in time
    130  interrupted by Ctrl-C
"""
        in shown.out
    )


def test_without_a_command_the_help_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """The help goes to stderr, because it was not requested."""
    shown = here(capsys)
    assert (shown.code, shown.out) == (2, "")
    assert shown.err.startswith("Usage: stackset-monitor [OPTIONS] COMMAND [ARGS]...\n")


ADDRESS = "is not an address to listen on: write HOST:PORT, [IPv6]:PORT or :PORT, for example :9935"
PORT = "has a port above 65535"
WRONG_USAGE = {
    "pol": "No such command 'pol'. Did you mean 'poll'?",
    "nothing-like-it": "No such command 'nothing-like-it'",
    "--verbose": "No such option '--verbose'. Did you mean '--version'?",
    "poll": "Missing option '--config'",
    "run": "Missing option '--config'",
    "check": "Missing option '--config'",
    "history": "Missing option '--config'",
    "iam-policy": "Missing option '--config'",
    "wait --config x": "Missing option '--product'",
    "iam-policy --config x --trust": "Missing option '--principal', which '--trust' requires",
    "iam-policy --config x --principal arn:aws:iam::111122223333:root": (
        "Missing option '--trust', which '--principal' requires"
    ),
    "iam-policy --config x --trust --principal *": (
        "Invalid value for '--principal': '*' is not the ARN of an IAM role, user or account, like"
        " arn:aws:iam::111122223333:role/stackset-monitor"
    ),
    "poll --config x --output xml": "Invalid value for '--output': 'xml' is not one of 'table', 'json', 'csv'",
    "poll --config x --output TABLE": "Invalid value for '--output': 'TABLE' is not one of 'table', 'json', 'csv'",
    "history --config x --since 1": f"Invalid value for '--since': '1' is not a duration: write it like {EXAMPLES}",
    "history --config x --since 0s": "Invalid value for '--since': '0s' must be longer than 0s",
    "run --config x --listen 9935": f"Invalid value for '--listen': '9935' {ADDRESS}",
    "demo --listen :70000": f"Invalid value for '--listen': ':70000' {PORT}",
    "version now": "Got unexpected extra argument (now)",
    "schema --output json": "No such option '--output'",
}


@pytest.mark.parametrize("usage", WRONG_USAGE)
def test_wrong_usage_is_one_sentence(usage: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the help of the command; exit code 2."""
    arguments = usage.split()
    path = f"stackset-monitor {arguments[0]}" if arguments[0] in COMMANDS else "stackset-monitor"
    message = f"stackset-monitor: {WRONG_USAGE[usage]} (see {path} --help)\n"
    assert here(capsys, *arguments) == Result(2, "", message)


@pytest.mark.parametrize("command", ["run", "status", "poll", "check", "history", "iam-policy"])
def test_a_configuration_that_cannot_be_read(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing file and a directory give exit code 3."""
    message = "stackset-monitor: cannot read the configuration file"
    missing = tmp_path / "monitor.yaml"
    assert here(capsys, command, "--config", str(missing)) == Result(
        3, "", f"{message} {missing}: No such file or directory\n"
    )
    assert here(capsys, command, "--config", str(tmp_path)) == Result(3, "", f"{message} {tmp_path}: Is a directory\n")


@pytest.mark.parametrize("command", ["run", "status", "poll", "check", "history", "iam-policy"])
def test_every_problem_of_a_configuration_is_reported(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report has a line for each problem, like that of a compiler; exit code 2."""
    path = tmp_path / "monitor.yaml"
    path.write_text("poll: {interval: 5 m}\nproducts: [pp-a, pp-a]\nwebb: {}\n")
    assert here(capsys, command, "--config", str(path)) == Result(
        2,
        "",
        "stackset-monitor: 3 problems in the configuration\n"
        f'{path}:1: poll.interval: "5 m" is not a duration: write it like 90s, 5m, 1h30m or 7d\n'
        f'{path}:2: products[1]: duplicate "pp-a", first in products[0] on line 2\n'
        f"{path}:3: webb: unknown key; did you mean `web`?\n",
    )


def test_check_reports_a_valid_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The number of products and sources shows whether it is the right file."""
    path = tmp_path / "monitor.yaml"
    path.write_text("products: [pp-a]")
    assert here(capsys, "check", "--config", str(path)) == Result(
        0, f"{path}: configuration OK (1 product, 1 source)\n", ""
    )
    path.write_text("products: [{id: pp-a, source: a}, {id: pp-b, source: b}]\nsources: [{name: a}, {name: b}]")
    assert here(capsys, "check", "--config", str(path)) == Result(
        0, f"{path}: configuration OK (2 products, 2 sources)\n", ""
    )


def test_check_reads_the_web_configuration_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The problems of the web configuration are reported before the daemon starts with it."""
    path, web = tmp_path / "monitor.yaml", tmp_path / "web.yml"
    path.write_text("products: [pp-a]\nweb: {config_file: web.yml}")
    web.write_text("http_server_config: {}\n")
    assert here(capsys, "check", "--config", str(path)).code == 0
    web.write_text("http_server_confg: {}\n")
    assert here(capsys, "check", "--config", str(path)) == Result(
        2,
        "",
        "stackset-monitor: 1 problem in the web configuration\n"
        f"{web}:1: http_server_confg: unknown key; did you mean `http_server_config`?\n",
    )


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("web: {config_file: none.yml}", "web.config_file: cannot read {folder}/none.yml: No such file or directory"),
        (
            "sources: [{name: a, role_arn: 'arn:aws:iam::111122223333:role/x', external_id_file: canary-id}]",
            "sources[0].external_id_file: cannot read the file that it names: No such file or directory",
        ),
        ("state: {path: /dev/null/x/monitor.db}", "state.path: cannot write /dev/null/x/monitor.db: Not a directory"),
        (
            "state: {path: /proc/x/monitor.db}",
            "state.path: cannot write /proc/x/monitor.db: No such file or directory",
        ),
        ("state: {path: /proc}", "state.path: cannot write /proc: Is a directory"),
    ],
)
def test_check_tries_the_files_that_are_named(
    more: str, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the daemon could not read or create is a problem of the key that names it, not of the missing file."""
    path = tmp_path / "monitor.yaml"
    path.write_text(f"products: [pp-a]\n{more}")
    found = here(capsys, "check", "--config", str(path))
    expected = problem.format(folder=tmp_path)
    head = f"stackset-monitor: 1 problem in the configuration\n{path}:2: "
    assert (found.code, found.out, found.err.replace('"', "")) == (2, "", f"{head}{expected}\n")


def test_check_tries_to_write_a_state_file_that_exists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its folder may be writable, and the file itself may not be a file that can be written."""
    path, state = tmp_path / "monitor.yaml", tmp_path / "monitor.db"
    path.write_text(f"products: [pp-a]\nstate: {{path: {state}}}")
    os.mkfifo(state)
    found = here(capsys, "check", "--config", str(path))
    assert (found.code, found.err.splitlines()[1:]) == (
        2,
        [f'{path}:2: state.path: cannot write "{state}": No such device or address'],
    )
    state.unlink()
    state.write_text("stored")
    assert here(capsys, "check", "--config", str(path)).code == 0
    assert state.read_text() == "stored"


def test_check_warns_about_a_region_that_may_be_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It has the form of a Region, and botocore does not know it (yet)."""
    path = tmp_path / "monitor.yaml"
    path.write_text("products: [pp-a]\nsources: [{name: a, region: eu-west-9}]")
    found = here(capsys, "check", "--config", str(path))
    assert (found.code, found.out) == (0, f"{path}: configuration OK (1 product, 1 source)\n")
    assert found.err == (
        f'stackset-monitor: warning: {path}:2: sources[0].region: botocore does not know the Region "eu-west-9":'
        " correct it, unless the Region is new\n"
    )


def test_one_problem_is_in_the_singular(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The number of problems is in the singular."""
    path = tmp_path / "monitor.yaml"
    path.write_text("")
    message = f"stackset-monitor: 1 problem in the configuration\n{path}:1: the file is empty: add `products`\n"
    assert here(capsys, "check", "--config", str(path)) == Result(2, "", message)


def test_a_bug_is_one_sentence_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception is reported with its place and how to see the traceback."""
    nothing: dict[str, str] = {}
    monkeypatch.setattr("monitor.cli.check.load_with_lines", lambda _: nothing["products\nof"])
    message = here(capsys, "check", "--config", "x")
    assert message.code == 3
    assert message.err == (
        "stackset-monitor: this is a bug, please report it: KeyError in tests.cli.test_command_line, line"
        f" {test_a_bug_is_one_sentence_too.__code__.co_firstlineno + 3}: 'products\\nof'"
        " (python -X dev -m monitor shows the traceback)\n"
    )


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The output is the name and the version."""
    assert here(capsys, "version") == Result(0, f"stackset-monitor {__version__}\n", "")
    assert here(capsys, "--version") == here(capsys, "version")


def test_the_module_is_the_command() -> None:
    """`python -m monitor` prints the same as `stackset-monitor`, also in messages with its name."""
    command = str(Path(sys.executable).with_name("stackset-monitor"))
    for arguments, code in (["version"], 0), (["pol"], 2):
        found = process(python(*arguments))
        assert found == process([command, *arguments])
        assert found.code == code


def test_version_is_quick() -> None:
    """It imports none of the libraries that other commands need."""
    script = "import sys; from monitor.cli import main\ntry: main(['version'])\nfinally: print(*sys.modules)"
    first, second = process([sys.executable, "-c", script]).out.splitlines()
    assert first == f"stackset-monitor {__version__}"
    assert {name.partition(".")[0] for name in second.split()} & (HEAVY | {"sqlite3", "asyncio"}) == set()


def test_a_web_configuration_without_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It has the same limit as the main file."""
    path = tmp_path / "monitor.yaml"
    path.write_text("products: [pp-a]\nweb: {config_file: /dev/zero}")
    found = here(capsys, "check", "--config", str(path))
    assert (found.code, found.err.splitlines()[1:]) == (
        2,
        [f'{path}:2: web.config_file: cannot read "/dev/zero": larger than 4 MiB'],
    )
