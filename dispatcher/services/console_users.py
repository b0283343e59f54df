"""Console users: the agents that a user works at, or has worked at last."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from dispatcher.core import console
from dispatcher.core.console import By
from dispatcher.core.jobs import Who, WhoKind
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.base import Row

_AGENTS: Any = Agent.__table__
#: Whoever is at a console was the last there, too: one key serves both.
_OF_USER = (
    select(_AGENTS.c.id, _AGENTS.c.name, _AGENTS.c.console_user, _AGENTS.c.last_console_user, _AGENTS.c.console_user_at)
    .where(_AGENTS.c.console_key == bindparam("key"), _AGENTS.c.removed_at.is_(None))
    .order_by(_AGENTS.c.name, _AGENTS.c.id)
)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def agents_of(session: Session, user: str, by: By) -> list[Who]:
    """Return the agents of *user*, sorted by name: as the agents said last, whether they are online or not.

    With ``MOST_RECENT`` that is one agent at most. Where the user is now comes before where the user was. A domain
    alone is no user.
    """
    if not console.key(user):  # the key of all agents that have seen nobody
        return []
    found = session.connection().execute(_OF_USER, {"key": console.key(user)}).mappings()
    # Some databases compare text without regard to accents.
    rows = [row for row in found if console.is_same(row["last_console_user"], user)]
    if by is By.CONSOLE_USER:
        rows = [row for row in rows if row["console_user"]]
    elif by is By.MOST_RECENT:
        rows = sorted(rows, key=_recency)[-1:]
    return [Who(row["id"], row["name"], WhoKind.AGENT) for row in rows]


def _recency(row: Row) -> tuple[bool, datetime]:
    return bool(row["console_user"]), row["console_user_at"] or _LONG_AGO
