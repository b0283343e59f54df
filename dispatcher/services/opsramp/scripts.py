"""Scripts: modules as OpsRamp knows them, by their numbers."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from dispatcher.core.jobs import WhatKind
from dispatcher.core.parameters import ParameterType
from dispatcher.datastore.modules import Module
from dispatcher.datastore.opsramp import OpsRampScript
from dispatcher.datastore.parameters import Parameter
from dispatcher.datastore.settings import Alias

#: What a script runs on that says nothing of it.
_EVERYWHERE = ("WINDOWS", "LINUX", "MACOS")
_MODULES: Any = Module.__table__
_PARAMETERS: Any = Parameter.__table__
#: How many ids one statement names.
_MANY = 500
#: How much more the number is of what was made by this API, or has another one's alias as its own number.
_SHIFT = 1_000_000_000
#: The type of values that are whole numbers.
INTEGER = "INTEGER"
_PASSWORD = "PASSWORD"  # noqa: S105 - a type
#: Where the details of a script have its name when it was removed.
REMOVED_AS = "removed_as"


@dataclass(frozen=True, slots=True)
class ScriptParameter:
    """What a script is given. ``data_type`` is STRING, INTEGER or PASSWORD; a password's default is not shown.

    Credentials count as PASSWORD, too, but only what ``is_password`` is kept sealed as a whole.
    """

    number: int
    name: str
    description: str
    default: str | None
    is_required: bool
    data_type: str
    is_password: bool


@dataclass(frozen=True, slots=True)
class Script:
    """A script. ``details`` are what was said of it when it was made, and modules do not have."""

    module_id: UUID
    number: int
    name: str
    description: str
    folder_id: UUID | None
    platforms: Sequence[str]
    parameters: Sequence[ScriptParameter]
    details: Mapping[str, Any] = field(default_factory=dict)


def find_script(session: Session, number: int, *, removed: bool = False) -> Script | None:
    """Return the script with this number; None if there is none, or it is disabled unless it may be *removed*."""
    aliased = _aliased(session, number)
    own = number - _SHIFT if number > _SHIFT else number
    fits = _MODULES.c.number == own if aliased is None else _MODULES.c.id == aliased
    row = session.execute(select(_MODULES.c.id, _MODULES.c.enabled).where(fits)).first()
    if row is None or not (removed or row.enabled):
        return None
    script = next(iter(read_scripts(session, [row.id])), None)
    return script if script is not None and (aliased is not None or script.number == number) else None


def is_integer(text: str) -> bool:
    """Whether *text* is a whole number."""
    return re.fullmatch("[+-]?[0-9]+", text) is not None


def read_scripts(session: Session, module_ids: Sequence[UUID]) -> list[Script]:
    """Return the scripts that these modules are, by number; each is told with its parameters, by few queries."""
    scripts: list[Script] = []
    for start in range(0, len(module_ids), _MANY):
        scripts += _read(session, module_ids[start : start + _MANY])
    return sorted(scripts, key=lambda script: script.number)


def _read(session: Session, module_ids: Sequence[UUID]) -> Iterator[Script]:
    extras_of = select(OpsRampScript.module_id, OpsRampScript.document).where(OpsRampScript.module_id.in_(module_ids))
    extras = dict(session.execute(extras_of).tuples().all())
    rows = session.execute(select(_MODULES).where(_MODULES.c.id.in_(module_ids))).mappings().all()
    numbers = _numbers(session, "script", {row["id"]: row["number"] for row in rows}, extras)
    parameters = _parameters(session, module_ids, extras)
    for row in rows:
        key = row["id"]
        yield Script(
            module_id=key,
            number=numbers[key],
            name=extras.get(key, {}).get(REMOVED_AS, row["name"]),
            description=row["description"],
            folder_id=row["folder_id"],
            platforms=row["platforms"] or _EVERYWHERE,
            parameters=parameters.get(key, ()),
            details=extras.get(key, {}),
        )


def _parameters(
    session: Session, module_ids: Sequence[UUID], extras: Mapping[UUID, Mapping[str, Any]]
) -> Mapping[UUID, Sequence[ScriptParameter]]:
    """Return the parameters of each of the modules, in order."""
    of_modules = (_PARAMETERS.c.owner_kind == WhatKind.MODULE) & _PARAMETERS.c.owner_id.in_(module_ids)
    declared = select(_PARAMETERS).where(of_modules, _PARAMETERS.c.is_input).order_by(_PARAMETERS.c.position)
    rows = session.execute(declared).mappings().all()
    made = {row["id"] for row in rows if row["owner_id"] in extras}
    numbers = _numbers(session, "parameter", {row["id"]: row["number"] for row in rows}, made)
    found: defaultdict[UUID, list[ScriptParameter]] = defaultdict(list)
    for row in rows:
        kinds = extras.get(row["owner_id"], {}).get("parameters", {})
        found[row["owner_id"]].append(_parameter(row, numbers[row["id"]], kinds.get(row["name"], {})))
    return found


def _numbers(session: Session, kind: str, own: Mapping[UUID, int], made: Container[UUID]) -> dict[UUID, int]:
    """Return the numbers by which OpsRamp knows these objects: the alias of each, else its *own*.

    One whose own number is the alias of another one is known by that much more, and so are always those that were
    *made* by this API: whatever gets an alias, clients know them by the numbers that they were told.
    """
    keys, numbers = list(own), {}
    query = select(Alias.object_id, Alias.external_id).where(Alias.dialect == "opsramp", Alias.kind == kind)
    for start in range(0, len(keys), _MANY):
        some = keys[start : start + _MANY]
        same = Alias.external_id.in_([str(own[key]) for key in some])
        rows = session.execute(query.where(or_(Alias.object_id.in_(some), same))).tuples().all()
        taken = {text for _, text in rows}
        aliased: dict[UUID, int] = {}
        for key, text in rows:
            if text.isascii() and text.isdigit():
                aliased[key] = min(int(text), aliased.get(key, int(text)))
        for key in some:
            is_above = key in made or str(own[key]) in taken
            numbers[key] = aliased.get(key, own[key] + _SHIFT if is_above else own[key])
    return numbers


def _aliased(session: Session, number: int) -> UUID | None:
    fits = (Alias.dialect == "opsramp", Alias.kind == "script", Alias.external_id == str(number))
    return session.scalar(select(Alias.object_id).where(*fits))


def _parameter(row: Mapping[Any, Any], number: int, kind: Mapping[str, Any]) -> ScriptParameter:
    is_secret = ParameterType(row["type"]).is_secret
    said = kind.get("type", _PASSWORD)  # perhaps before the library made something else of it
    # Without a word about it, what has no default must be given.
    required = kind.get("required", not row["value1"])
    return ScriptParameter(
        number=number,
        name=row["name"],
        description=row["description"],
        default=None if is_secret or not row["value1"] else row["value1"],
        is_required=required,
        data_type=_PASSWORD if is_secret else "STRING" if said == _PASSWORD else said,
        is_password=row["type"] == ParameterType.PASSWORD,
    )
