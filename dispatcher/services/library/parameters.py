"""Library parameters: declarations in library files and the rows they become; and the links that give them values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from dispatcher.core.definitions import links_in
from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import WhatKind
from dispatcher.core.parameters import Parameter, ParameterType, check_choice
from dispatcher.datastore import parameters as rows
from dispatcher.services.library import aliases, children
from dispatcher.services.library.children import Row
from dispatcher.services.library.entries import ParameterEntry
from dispatcher.services.library.items import Item
from dispatcher.services.library.sections import Exporting, Importing

_CHOOSING = (ParameterType.LIST, ParameterType.MULTISELECT)
#: The columns that hold secrets.
_SECRET = {ParameterType.PASSWORD: "value1", ParameterType.CREDENTIALS: "value2"}


def to_parameter(entry: ParameterEntry) -> Parameter:
    """Return the parameter that *entry* declares, secrets open."""
    kind = ParameterType[entry.type.upper()]
    return Parameter(
        name=entry.name,
        type=kind,
        value1=entry.value,
        value2=entry.password if kind is ParameterType.CREDENTIALS else ";".join(entry.choices),
        value3=";".join(entry.labels),
        description=entry.description,
        hint=entry.hint,
        is_input=entry.input,
        is_output=entry.output,
    )


def check(item: Item[Any], entries: Sequence[ParameterEntry]) -> None:
    """Note what is wrong with the declarations of *item*."""
    seen: set[str] = set()
    for place, entry in enumerate(entries):
        path = ("parameters", place)
        # Callers' values are matched without regard to case when no name fits exactly.
        if entry.name.casefold() in seen:
            item.problem(f"another parameter is called {entry.name!r}", *path, "name")
        seen.add(entry.name.casefold())
        parameter = to_parameter(entry)
        for member in _misplaced(entry, parameter.type):
            item.problem(f"a parameter of type {entry.type} has no {member}", *path, member)
        if entry.labels and len(entry.labels) != len(entry.choices):
            item.problem(f"{len(entry.labels)} labels for {len(entry.choices)} choices", *path, "labels")
        if len(set(entry.choices)) != len(entry.choices) or "" in entry.choices:
            item.problem("choices must differ and not be empty", *path, "choices")
        elif problem := choice_problem(parameter, entry.value):
            item.problem(problem, *path, "value")
        aliases.check(item, entry.aliases, "parameters", *path)


def _misplaced(entry: ParameterEntry, kind: ParameterType) -> list[str]:
    given = []
    if kind not in _CHOOSING:
        given += [member for member in ("choices", "labels") if getattr(entry, member)]
    if entry.password and kind is not ParameterType.CREDENTIALS:
        given.append("password")
    return given


def choice_problem(parameter: Parameter, value: str) -> str:
    """Return what is wrong with *value* for *parameter*; nothing, if it may have it."""
    try:
        check_choice(parameter, value)
    except InvalidValue as error:
        return error.message.removeprefix(f"{error.member}: ")
    return ""


def store(importing: Importing, item: Item[Any], kind: WhatKind, wanted: Sequence[Parameter]) -> bool:
    """Make *wanted* the parameters of *item*; return whether that changed anything. Empty secrets stay as they are."""
    owner = {"owner_kind": int(kind), "owner_id": item.row.id}
    stored = {row["name"].casefold(): row for row in children.read(importing.session, rows.Parameter, owner)}
    sealed = [_to_row(importing, parameter, stored.get(parameter.name.casefold())) for parameter in wanted]
    session, new_id = importing.session, importing.ports.new_id
    return children.replace(session, rows.Parameter, owner, sealed, "name", new_id)


def _to_row(importing: Importing, parameter: Parameter, stored: Mapping[str, Any] | None) -> Row:
    row: Row = {name: getattr(parameter, name) for name in Parameter.__slots__}
    row["type"] = int(parameter.type)
    column = _SECRET.get(parameter.type)
    if column is not None:
        before = stored[column] if stored and stored["type"] == parameter.type else ""
        # Sealing the same secret again gives another text: what is stored is kept, so that nothing seems to change.
        same = not row[column] or importing.secrets.holds(before, row[column])
        row[column] = before if same else importing.secrets.seal(row[column])
    return row


def want_aliases(importing: Importing, item: Item[Any], kind: WhatKind, entries: Sequence[ParameterEntry]) -> None:
    """Note the aliases that *entries* give to the stored parameters of *item*."""
    if not any(entry.aliases is not None for entry in entries):
        return
    owner = {"owner_kind": int(kind), "owner_id": item.row.id}
    stored = {row["name"]: row["id"] for row in children.read(importing.session, rows.Parameter, owner)}
    for place, entry in enumerate(entries):
        importing.aliases.want(item, stored[entry.name], entry.aliases, "parameters", place)


def declared(importing: Importing, kind: WhatKind, owner_id: UUID) -> list[Parameter]:
    """Return the stored parameters of an object in order, secrets open."""
    owner = {"owner_kind": int(kind), "owner_id": owner_id}
    found = []
    for row in children.read(importing.session, rows.Parameter, owner):
        parameter = Parameter(**{name: row[name] for name in Parameter.__slots__})
        parameter.type = ParameterType(row["type"])
        if column := _SECRET.get(parameter.type):
            setattr(parameter, column, importing.secrets.open(row[column]))
        found.append(parameter)
    return found


def inherited(links: Mapping[str, str], inner: Sequence[Parameter], outer: Sequence[Parameter]) -> list[Parameter]:
    """Return the parameters of *inner* that *links* take from parameters of the same name that *outer* lacks.

    ``Line: "$[Line]"`` is thus enough to hand a parameter of a module up to the project that contains it.
    """
    known = {parameter.name.casefold() for parameter in outer}
    return [
        replace(parameter)
        for parameter in inner
        if links.get(parameter.name) == f"$[{parameter.name}]" and parameter.name.casefold() not in known
    ]


def check_links(
    item: Item[Any],
    links: Mapping[str, str],
    inner: Sequence[Parameter],
    outer: Collection[Parameter],
    *path: str | int,
) -> None:
    """Note *links* to parameters that *inner* does not declare, and in them names that *outer* does not hold.

    A password may be handed on to a password only: anything else would be stored and shown.
    """
    by_name = {parameter.name: parameter for parameter in inner}
    known = {parameter.name: parameter.type for parameter in outer}
    for name, text in links.items():
        if name not in by_name:
            item.problem(f"there is no parameter {name!r}", *path, name)
            continue
        for link in links_in(text):
            if link not in known:
                item.problem(f"$[{link}] is not declared", *path, name)
            elif known[link] is ParameterType.PASSWORD and by_name[name].type is not ParameterType.PASSWORD:
                item.problem(f"$[{link}] is a password: only a password may be made of it", *path, name)
        if not links_in(text) and (problem := choice_problem(by_name[name], text)):
            item.problem(problem, *path, name)


def inherited_outputs(
    get: Mapping[str, str], inner: Sequence[Parameter], outer: Sequence[Parameter]
) -> list[Parameter]:
    """Return the outputs of *inner* that *get* gives to parameters of the same name that *outer* lacks.

    ``Line: Line`` is thus enough to hand an output of a module up to the project that contains it.
    """
    known = {parameter.name.casefold() for parameter in outer}
    return [
        replace(parameter)
        for parameter in inner
        if parameter.is_output and get.get(parameter.name) == parameter.name and parameter.name.casefold() not in known
    ]


def check_get(
    item: Item[Any],
    get: Mapping[str, str],
    inner: Sequence[Parameter],
    outer: Collection[Parameter],
    *path: str | int,
) -> None:
    """Note in *get* outputs that *inner* does not give out, and parameters that *outer* does not hold.

    A password may be taken by a password only, as in ``check_links``.
    """
    given = {parameter.name: parameter.type for parameter in inner if parameter.is_output}
    known = {parameter.name: parameter.type for parameter in outer}
    for name, taker in get.items():
        if name not in given:
            item.problem(f"there is no output parameter {name!r}", *path, name)
        elif taker not in known:
            item.problem(f"there is no parameter {taker!r}", *path, name)
        elif given[name] is ParameterType.PASSWORD and known[taker] is not ParameterType.PASSWORD:
            item.problem(f"{name!r} is a password: only a password may take it", *path, name)
        elif list(get.values()).count(taker) > 1:
            item.problem(f"{taker!r} takes more than one value", *path, name)


def dump(exporting: Exporting, kind: WhatKind, owner_id: UUID) -> list[Row]:
    """Return the parameters of an object as a library file has them, without secrets."""
    owner = {"owner_kind": int(kind), "owner_id": owner_id}
    return [_dump_one(exporting, row) for row in children.read(exporting.session, rows.Parameter, owner)]


def _dump_one(exporting: Exporting, row: Row) -> Row:
    kind = ParameterType(row["type"])
    entry: Row = {"name": row["name"], "type": kind.name.lower()}
    if kind is not ParameterType.PASSWORD:
        entry["value"] = row["value1"]
    if kind in _CHOOSING:
        entry["choices"] = row["value2"].split(";") if row["value2"] else []
        entry["labels"] = row["value3"].split(";") if row["value3"] else []
    entry |= {"description": row["description"], "hint": row["hint"]}
    if not row["is_input"]:
        entry["input"] = False
    if row["is_output"]:
        entry["output"] = True
    entry["aliases"] = aliases.dump(exporting.aliases.get(row["id"], {}))
    return entry
