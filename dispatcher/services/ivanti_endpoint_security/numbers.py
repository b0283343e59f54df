"""Numbers: by which integers clients of this dialect know groups and custom patch lists.

That is an alias (``group``, ``patch_list``) that is a number without zeros in front, else the object's own number. An
object whose own number is the alias of another one is known by none: a client would get the other one by it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from dispatcher.datastore.projects import Project
from dispatcher.datastore.settings import Alias
from dispatcher.datastore.teams import Team

#: What no column can hold, and no driver sends.
_TOO_MUCH = 1 << 63
_NUMBER = re.compile("0|[1-9][0-9]{0,17}")
DIALECT = "ivanti_endpoint_security"
GROUP, PATCH_LIST = "group", "patch_list"
#: Where numbers begin that are given to objects whose own ones are taken: beyond those, and within 32 bits.
_FREE = 1_000_000_000
_MODELS: Mapping[str, Any] = {GROUP: Team, PATCH_LIST: Project}


def numbers_of(session: Session, kind: str) -> dict[UUID, int]:
    """Return the numbers of all objects of *kind* that have one, by their ids."""
    model = _MODELS[kind]
    own = dict(session.execute(select(model.id, model.number)).tuples().all())
    aliases = _numeric(session.execute(_aliases(kind)).tuples())
    free = {key: number for key, number in own.items() if number not in aliases}
    return free | {key: number for number, key in aliases.items() if key in own}


def find(session: Session, kind: str, numbers: Collection[int]) -> dict[int, UUID]:
    """Return the ids of those objects of *kind* that *numbers* are of, by these; by three statements at most."""
    model = _MODELS[kind]
    wanted = {number for number in numbers if 0 <= number < _TOO_MUCH}
    if not wanted:
        return {}
    fits = Alias.external_id.in_([str(number) for number in wanted])
    aliases = _numeric(session.execute(_aliases(kind).where(fits)).tuples())
    own = select(model.number, model.id).where(model.number.in_(wanted - set(aliases)))
    found = dict(session.execute(own).tuples().all())
    if found:
        # What is known by an alias is not known by its own number.
        other = _numeric(session.execute(_aliases(kind).where(Alias.object_id.in_(found.values()))).tuples())
        found = {number: key for number, key in found.items() if key not in other.values()}
    return found | aliases


def number_of(session: Session, kind: str, key: UUID) -> int | None:
    """Return the number of the object of *kind* with the id *key*; None if there is none, or it has none."""
    model = _MODELS[kind]
    own: int | None = session.scalar(select(model.number).where(model.id == key))
    mine = _numeric(session.execute(_aliases(kind).where(Alias.object_id == key)).tuples())
    if own is None or mine:
        return own if own is None else max(mine, key=str)
    return None if _is_alias(session, kind, own) else own


def settle(session: Session, kind: str, key: UUID) -> None:
    """Give the object of *kind* with the id *key* an alias if it has no number, as its own is another's."""
    if number_of(session, kind, key) is not None:
        return
    taken = _numeric(session.execute(_aliases(kind)).tuples())
    number = next(number for number in count(_FREE) if number not in taken)
    session.add(Alias(dialect=DIALECT, kind=kind, external_id=str(number), object_id=key))
    session.flush()


def _is_alias(session: Session, kind: str, number: int) -> bool:
    which = (Alias.dialect == DIALECT, Alias.kind == kind, Alias.external_id == str(number))
    return bool(session.scalar(select(func.count()).where(*which)))


def _aliases(kind: str) -> Select[tuple[str, UUID]]:
    # Of several that one object has the last one counts.
    of_kind = select(Alias.external_id, Alias.object_id).where(Alias.dialect == DIALECT, Alias.kind == kind)
    return of_kind.order_by(Alias.external_id)


def _numeric(rows: Iterable[tuple[str, UUID]]) -> dict[int, UUID]:
    """Return the aliases that are numbers, as these are written without a zero in front."""
    return {int(text): key for text, key in rows if _NUMBER.fullmatch(text)}
