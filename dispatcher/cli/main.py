"""The command line: ``dispatcher``, with one file per command group, loaded when the group is used."""

from __future__ import annotations

import gc
import importlib
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from dispatcher import __version__
from dispatcher.cli.exits import INTERRUPTED, REFUSED, UNREACHABLE, Failed, exit_code_of
from dispatcher.core.errors import DispatcherError

#: Every command group with what ``--help`` says of it; it is the attribute of that name in the module of that name.
COMMANDS = {
    "serve": "Run the server.",
    "agent": "Run an agent: the program on a computer that does the work.",
    "notice": "Answer what an agent tells the user of this computer.",
    "status": "List the dispatchers that serve the datastore.",
    "migrate": "Create or upgrade the datastore's schema.",
    "backup": "Copy the datastore to a file, also while a server runs.",
    "restore": "Put such a file in the place of the datastore.",
    "login": "Add, list and disable logins.",
    "role": "Make roles, give them to logins, and say who may do what.",
    "token": "Make tokens by which agents enrol.",
    "audit": "List who has changed what.",
    "alert": "List what somebody should look at.",
    "configuration": "Show versions of configurations that jobs have fetched.",
    "setting": "Show and change what may be changed at run time.",
    "library": "Import and export modules, run books, agents and teams.",
    "job": "Schedule jobs on a running server, watch them, see results.",
    "schedule": "Let jobs recur, pause and resume them, look ahead and back.",
    "wsdl": "Write or check the golden WSDL files.",
}


#: Commands for managed computers, where nothing of the server may be installed, such as SQLAlchemy.
_MANAGED = frozenset({"agent", "notice"})
#: Options that may stand before or behind the command.
_COMMON = frozenset({"--datastore", "--config"})


class CommandLine(click.Group):
    """The root group: loads its commands late, and turns errors into a message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the commands, in the order of their table."""
        return list(COMMANDS)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the options that every command has from wherever they stand."""
        return super().parse_args(ctx, _common_first(args))

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
        except OSError as error:
            _end(f"{error.filename or 'the system'}: {error.strerror or error}", REFUSED)
        except Exception as error:
            # Without importing it: most commands need no database, and an error of one shows that it is there.
            database = sys.modules.get("sqlalchemy.exc")
            if database is None or not isinstance(error, database.SQLAlchemyError):
                raise
            _end(f"the datastore cannot be used: {getattr(error, 'orig', None) or error}", UNREACHABLE)


def _common_first(args: list[str]) -> list[str]:
    """Return *args* with ``--datastore`` and ``--config``, and their values, before everything else.

    An agent has a ``--config`` of its own.
    """
    common, rest = [], list[str]()
    waiting = iter(args)
    for argument in waiting:
        if argument == "--" or (argument == "agent" and not rest):
            rest += [argument, *waiting]
        elif argument in _COMMON:
            common += [argument, *([value] if (value := next(waiting, None)) is not None else [])]
        elif argument.partition("=")[0] in _COMMON:
            common.append(argument)
        else:
            rest.append(argument)
    return common + rest


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

    # Commands print what they did themselves; the server sets up its log as configured.
    logs.configure("warning", "console")
    if context.invoked_subcommand not in _MANAGED:
        from dispatcher.cli.context import Context

        context.obj = Context(datastore, config)


def main() -> None:
    """Run the command line of this process, and end it."""
    # What is imported stays: to look again and again for what could go takes a tenth of the time of every start.
    gc.set_threshold(20_000, 50, 100)
    cli(prog_name="dispatcher")
