"""Numbers: by which integers clients of this dialect know groups and custom patch lists.

That is an alias (``group``, ``patch_list``) that is a number, else the object's own number.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.datastore.projects import Project
from dispatcher.datastore.settings import Alias
from dispatcher.datastore.teams import Team

DIALECT = "ivanti_endpoint_security"
GROUP, PATCH_LIST = "group", "patch_list"
_MODELS: Mapping[str, Any] = {GROUP: Team, PATCH_LIST: Project}


def numbers_of(session: Session, kind: str) -> dict[UUID, int]:
    """Return the numbers of all objects of *kind* by their ids."""
    model = _MODELS[kind]
    own = dict(session.execute(select(model.id, model.number)).tuples().all())
    return own | {key: number for number, key in _aliases(session, kind).items() if key in own}


def find(session: Session, kind: str, numbers: Collection[int]) -> dict[int, UUID]:
    """Return the ids of those objects of *kind* that *numbers* are of, by these."""
    model, aliases = _MODELS[kind], _aliases(session, kind)
    wanted = [number for number in set(numbers) if 0 < number < 1 << 63]
    own = session.execute(select(model.number, model.id).where(model.number.in_(wanted))).tuples().all()
    # What is known by an alias is not known by its own number.
    found = {number: key for number, key in own if key not in aliases.values()}
    return found | {number: aliases[number] for number in numbers if number in aliases}


def _aliases(session: Session, kind: str) -> dict[int, UUID]:
    query = select(Alias.external_id, Alias.object_id).where(Alias.dialect == DIALECT, Alias.kind == kind)
    rows = session.execute(query.order_by(Alias.external_id)).tuples()
    return {int(text): key for text, key in rows if text.isascii() and text.isdigit() and len(text) < 19}
