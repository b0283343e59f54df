"""``dispatcher notice``: what an agent tells the user of this computer, and the answer to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dispatcher.cli.exits import REFUSED, Failed
from dispatcher.cli.output import json_option, show_facts, show_json, show_table
from dispatcher.directories import data_directory

if TYPE_CHECKING:
    from dispatcher.tasks.notices.files import Notice, Notices

# Nothing of the server: a managed computer may have no SQLAlchemy.

_COLUMNS = ("ID", "ABOUT", "BEGINS", "SNOOZED", "ANSWERS", "MESSAGE")
#: How long an agent is given to take an answer, in seconds.
_PATIENCE_S = 5.0

_home_option = click.option(
    "--home",
    "homes",
    multiple=True,
    envvar="DISPATCHER_AGENT_HOME",
    type=click.Path(path_type=Path, file_okay=False),
    help="The home of an agent; repeatable.  [all in your data directory]",
)
_id_argument = click.argument("notice_id", metavar="[ID]", default="")


@click.group()
def notice() -> None:
    """Show what agents on this computer tell its user, and answer.

    The administrator, the account of the agent and the user at the console may answer: begin now, be reminded later, or
    cancel it. Who says nothing has agreed when the time is over. ID is the beginning of one; it is not needed where
    there is one notice only.

    \b
    Example:
      dispatcher notice list --home /var/lib/dispatcher-agent
      dispatcher notice now --home /var/lib/dispatcher-agent
    """


@notice.command("list")
@_home_option
@json_option
def list_notices(homes: tuple[Path, ...], as_json: bool) -> None:
    """List the notices that are waited for, the next to begin first."""
    found = [one for _, one in _waiting(homes)]
    if as_json:
        show_json(_COLUMNS, (_row(one, lambda moment: moment.isoformat()) for one in found))
    else:
        show_table(_COLUMNS, (_row(one, _local) for one in found))


@notice.command()
@_home_option
@_id_argument
def show(homes: tuple[Path, ...], notice_id: str) -> None:
    """Show all of a notice."""
    _, found = _find(homes, notice_id)
    show_facts([(name.capitalize(), value) for name, value in zip(_COLUMNS, _row(found, _local), strict=True)])


@notice.command()
@_home_option
@_id_argument
def now(homes: tuple[Path, ...], notice_id: str) -> None:
    """Have it begin now."""
    _answer(homes, notice_id, "now")


@notice.command()
@_home_option
@_id_argument
def snooze(homes: tuple[Path, ...], notice_id: str) -> None:
    """Be reminded later; when it begins stays."""
    _answer(homes, notice_id, "snooze")


@notice.command()
@_home_option
@_id_argument
def cancel(homes: tuple[Path, ...], notice_id: str) -> None:
    """Cancel it: it is not done."""
    _answer(homes, notice_id, "cancel")


def _answer(homes: tuple[Path, ...], notice_id: str, word: str) -> None:
    from dispatcher.tasks.notices.files import Answer

    notices, found = _find(homes, notice_id)
    answer = Answer(word)
    if answer not in found.answers:
        raise Failed(f"notice {found.id}: {answer} is not allowed", REFUSED)
    try:
        notices.answer(found, answer)
    except FileNotFoundError:
        raise Failed(f"notice {found.id}: it is over", REFUSED) from None
    except PermissionError:
        raise Failed(f"notice {found.id}: you may not answer it", REFUSED) from None
    click.echo(f"{found.id}: {answer if _is_taken(notices, found) else 'the agent has not taken it yet'}")


def _is_taken(notices: Notices, found: Notice) -> bool:
    until = time.monotonic() + _PATIENCE_S
    while not notices.is_taken(found):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def _find(homes: tuple[Path, ...], beginning: str) -> tuple[Notices, Notice]:
    found = [(notices, one) for notices, one in _waiting(homes) if one.id.startswith(beginning)]
    if len(found) != 1:
        many = "there is more than one notice" if found else "there is no notice"
        raise Failed(f"{many} {beginning}".strip(), REFUSED)
    return found[0]


def _waiting(homes: tuple[Path, ...]) -> list[tuple[Notices, Notice]]:
    from dispatcher.tasks.notices.files import Notices

    found = [(notices, one) for home in homes or _homes() for notices in [Notices(home)] for one in notices.waiting()]
    return sorted(found, key=lambda pair: (pair[1].begins_at, pair[1].id))


def _homes() -> list[Path]:
    """Return the homes of the agents in this user's data directory, that of a server's own agent too."""
    folder = data_directory()
    return [*sorted(folder.glob("agents/*")), *sorted(folder.glob("*.agent"))]


def _row(one: Notice, moment: Callable[[Any], str]) -> tuple[str, ...]:
    snoozed = moment(one.snoozed_until) if one.snoozed_until else ""
    return one.id, one.about, moment(one.begins_at), snoozed, ", ".join(one.answers), one.order.message


def _local(moment: Any) -> str:
    return str(moment.astimezone().strftime("%Y-%m-%d %H:%M:%S"))
