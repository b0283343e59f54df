"""Names: the ids by which clients of this dialect know modules, agents and teams: aliases, else the core's ids."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.datastore.settings import Alias

DIALECT = "symantec_ccs"
STANDARD, ASSET, ASSET_GROUP = "standard", "asset", "asset_group"
#: How many ids one statement names.
MANY = 500


def to_key(text: str) -> UUID | None:
    """Return the id in *text*, in any case, with or without braces; None if there is none."""
    with suppress(ValueError):
        return UUID(text.strip()) if len(text) <= 50 else None
    return None


def find(session: Session, kind: str, text: str) -> UUID | None:
    """Return the id of the object that *text* names: an alias, in any case, else an id; None if it is neither.

    Whether there is an object with that id is not known.
    """
    return find_all(session, kind, [text])[0]


def find_all(session: Session, kind: str, texts: Sequence[str]) -> list[UUID | None]:
    """Return for each of *texts* what ``find`` does."""
    wanted = [text.strip() for text in texts]
    found: dict[str, UUID] = {}
    mine = select(Alias.external_id, Alias.object_id).where(Alias.dialect == DIALECT, Alias.kind == kind)
    for start in range(0, len(wanted), MANY):
        part = wanted[start : start + MANY]
        spellings = {spelling for name in part for spelling in (name, name.lower(), name.upper())}
        query = mine.where(Alias.external_id.in_(spellings)).order_by(Alias.external_id.desc())
        found.update((name.lower(), key) for name, key in session.execute(query).tuples())
    return [found.get(name.lower()) or to_key(name) for name in wanted]


def aliases_of(session: Session, kind: str, keys: Collection[UUID]) -> dict[UUID, str]:
    """Return the aliases of those of the objects that have one; the first in order, of several."""
    found: dict[UUID, str] = {}
    wanted = list(keys)
    mine = select(Alias.object_id, Alias.external_id).where(Alias.dialect == DIALECT, Alias.kind == kind)
    for start in range(0, len(wanted), MANY):
        query = mine.where(Alias.object_id.in_(wanted[start : start + MANY])).order_by(Alias.external_id.desc())
        found.update((key, name.lower()) for key, name in session.execute(query).tuples())
    return found
