"""The command line: ``dispatcher``, with one file per command group, loaded when the group is used."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, NoReturn

import click

from dispatcher import __version__
from dispatcher.cli.exits import INTERRUPTED, Failed, exit_code_of
from dispatcher.core.errors import DispatcherError

#: Every command group with what ``--help`` says of it; it is the attribute of that name in the module of that name.
COMMANDS = {
    "serve": "Run the server.",
    "agent": "Run an agent: the program on a computer that does the work.",
    "migrate": "Create or upgrade the datastore's schema.",
    "login": "Add, list and disable logins.",
    "token": "Make tokens by which agents enrol.",
    "setting": "Show and change what may be changed at run time.",
    "library": "Import and export modules, projects, run books, agents and teams.",
    "job": "Schedule jobs on a running server, watch them, read their results.",
    "wsdl": "Write or check the golden WSDL files.",
}


class CommandLine(click.Group):
    """The root group: loads its commands late, and turns errors into a message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the commands, in the order of their table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the command *cmd_name*, importing its file; None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"dispatcher.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what Dispatcher or the database refuses becomes a message on stderr."""
        try:
            return super().invoke(ctx)
        except Failed as failed:
            _end(failed.message, failed.exit_code)
        except DispatcherError as error:
            _end(error.message, exit_code_of(error))
        except (KeyboardInterrupt, click.Abort):
            # click's own code for this is 1, which here means that a job failed.
            _end("interrupted", INTERRUPTED)


def _end(message: str, exit_code: int) -> NoReturn:
    from dispatcher.logs import visible

    click.echo(f"dispatcher: {visible(message, keep=chr(10))}", err=True)
    raise click.exceptions.Exit(exit_code)


@click.group(cls=CommandLine, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--datastore",
    metavar="URL",
    help="The datastore, such as postgresql+psycopg://user@host/name.  [SQLite in your data directory]",
)
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="A TOML file with settings.")
@click.version_option(__version__, prog_name="dispatcher", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context, datastore: str | None, config: Path | None) -> None:
    """Dispatcher runs jobs on many computers, for clients old and new.

    \b
    Start here:
      dispatcher serve --demo            a server with a sample library and an agent
      dispatcher job submit --help       how to schedule something on it

    The environment variables DISPATCHER_DATASTORE and DISPATCHER_CONFIG stand for the options below, and
    DISPATCHER_<SECTION>__<KEY> for any other setting (see conf/dispatcher.toml).

    Exit codes: 0 done, 1 the job failed, 2 wrong usage, 3 unreachable, 4 refused.
    """
    from dispatcher import logs
    from dispatcher.cli.context import Context

    # Commands print what they did themselves; the server sets up its log as configured.
    logs.configure("warning", "console")
    context.obj = Context(datastore, config)


def main() -> None:
    """Run the command line of this process, and end it."""
    cli(prog_name="dispatcher")
