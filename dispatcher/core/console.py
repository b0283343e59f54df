"""Console: who works at a computer itself, and how a user's name chooses agents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

#: The parameter of a run book that chooses its agent, in any case of letters.
PARAMETER = "RunBookWho"


class By(StrEnum):
    """What the value of ``RunBookWho`` is. The texts are stored."""

    COMPUTER = "computer"  #: the name or the id of an agent
    CONSOLE_USER = "console_user"  #: who is at the console of the agent now
    LAST_CONSOLE_USER = "last_console_user"  #: who is there, or else was the last to be there
    MOST_RECENT = "most_recent"  #: likewise; of several agents it is the one where that was last


@dataclass(frozen=True, slots=True)
class Console:
    """Who is at the console of a computer (see ``agents.console``); empty: nobody, as far as its agent has seen.

    ``last_user`` is the same user, or after that has left who it was. ``at`` says since when somebody is there, or
    until when somebody was; None: nobody has been seen yet.
    """

    user: str = ""
    last_user: str = ""
    at: datetime | None = None


#: What is known of a computer before its agent has told anything.
NOBODY = Console()


def chooses_agent(parameter: str) -> bool:
    """Whether *parameter* is the name of ``RunBookWho``."""
    return parameter.casefold() == PARAMETER.casefold()


def key(user: str) -> str:
    """Return what the names of the same user have in common: no domain, no regard to case."""
    return user.rpartition("\\")[2].casefold()[:255]


def is_same(one: str, other: str) -> bool:
    r"""Whether two names are of the same user. A domain (``CORP\anna``) counts only if both have one."""
    domains = {name.rpartition("\\")[0].casefold() for name in (one, other)} - {""}
    return key(one) == key(other) and len(domains) <= 1


def note(known: Mapping[Any, Any], told: Console, now: datetime) -> dict[str, Any]:
    """Return the columns of an agent, *known* before, that follow from what it has *told* now.

    An agent that has seen nobody since it started tells only that nobody is there.
    """
    if told.at is not None:
        return {
            "console_user": told.user,
            "last_console_user": told.last_user,
            # A clock that is fast would make its agent the most recent one for ever.
            "console_user_at": min(told.at, now),
            "console_key": key(told.last_user),
        }
    return {"console_user": "", "console_user_at": now} if known.get("console_user") else {}
