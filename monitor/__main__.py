"""The command `stackset-monitor`, which is also `python -m monitor`."""

import sys

from monitor.daemon.signals import Signals

DAEMON_COMMANDS = ("run", "demo")


def main() -> None:
    """Run the command line. A command that runs the daemon handles signals before anything else is imported."""
    signals = Signals() if sys.argv[1:2] and sys.argv[1] in DAEMON_COMMANDS else None
    from monitor.cli import main as command_line  # noqa: PLC0415

    command_line(signals=signals)


if __name__ == "__main__":
    main()
