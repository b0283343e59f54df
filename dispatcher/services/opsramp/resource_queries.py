"""Resource queries: what of a search for resources the database answers.

Letters are compared by ``str.casefold``, which each database does in another way, or not at all. Other characters are
themselves everywhere: by those the database leaves out what cannot fit. It may leave in what does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, false, or_, true

from dispatcher.datastore.agents import AGENTS
from dispatcher.services.opsramp.queries import MOST_CHOICES, Query

#: What every resource has, whatever is asked of it.
ANY = ("all",)
_STATE = "active"
#: What is no letter in any alphabet, and becomes none.
_PLAIN = re.compile(r"[ -@\[-`{-~]+")
#: More characters than any of the columns has, also if each becomes three when letters lose their case.
_LONGEST = 3 * 255
_HOST = case((AGENTS.c.hostname != "", AGENTS.c.hostname), else_=AGENTS.c.name)
_Comparison = tuple[ColumnElement[bool], bool]  #: a condition, and whether nothing else meets that
_Compare = Callable[[str, bool, str | None], _Comparison]


@dataclass(frozen=True, slots=True)
class Known:
    """What the database knows: ``conditions`` that all meet which fit, and if they ``say_all`` nobody else."""

    conditions: list[ColumnElement[bool]]
    say_all: bool


def known_of(query: Query, collation: str | None) -> Known:
    """Return what the database can tell of the filters of *query*.

    By *collation* texts are alike only if they are written so (``Traits.exact_collation``).
    """
    conditions, say_all = [], True
    for name, text in query.filters.items():
        if query.is_flag(name):
            continue
        compare = _COLUMNS.get(name)
        found = [] if compare is None else [compare(one, query.is_exact, collation) for one in _choices(text)]
        conditions.append(or_(false(), *(condition for condition, _ in found)) if found else true())
        say_all = say_all and bool(found) and all(is_all for _, is_all in found)
    return Known(conditions, say_all)


def _choices(text: str) -> Iterator[str]:
    return (part.strip() for part in text.casefold().split(",", MOST_CHOICES))


def _text(column: ColumnElement[Any]) -> _Compare:
    def compare(choice: str, exact: bool, collation: str | None) -> _Comparison:
        if choice in ANY:
            return true(), True
        if len(choice) > _LONGEST:
            return false(), True
        plain = max(_PLAIN.findall(choice), key=len, default="")
        pattern = re.sub(r"([\\%_])", r"\\\1", plain)
        is_whole = bool(plain) and plain == choice
        text = column if collation is None else column.collate(collation)
        return text.like(pattern if exact and is_whole else f"%{pattern}%", escape="\\"), is_whole

    return compare


def _word(*words: tuple[str, ColumnElement[bool]]) -> _Compare:
    """Return the comparison with a member that is one of few *words*, each with when it is that one."""

    def compare(choice: str, exact: bool, _: str | None) -> _Comparison:
        fits = [has for word, has in words if choice in ANY or (word == choice if exact else choice in word)]
        return or_(false(), *fits), True

    return compare


def _id(choice: str, _exact: bool, _: str | None) -> _Comparison:
    if choice in ANY:
        return true(), True
    try:
        key = UUID(choice)
    except ValueError:
        return true(), False
    return (AGENTS.c.id == key, True) if str(key) == choice else (true(), False)


#: The filters that it can tell something of, and how.
_COLUMNS: Mapping[str, _Compare] = {
    "id": _id,
    "hostname": _text(_HOST),
    "dnsname": _text(_HOST),
    "name": _text(AGENTS.c.name),
    "ipaddress": _text(AGENTS.c.address),
    "agentinstalled": _word(("true", AGENTS.c.enrolled_at.is_not(None)), ("false", AGENTS.c.enrolled_at.is_(None))),
    "state": _word((_STATE, true())),
}
