"""Claiming: which rows entries are that stand in no folder, by their ids, else by their names."""

from __future__ import annotations

from typing import Any

from dispatcher.services.library.items import Item, Outcome
from dispatcher.services.library.sections import Importing


def claim_named(importing: Importing, item: Item[Any], new: Any, place: str = "") -> bool:
    """Give *item* the row with its id, else that of its name at *place*, else *new*, a row without an id.

    It gets none, and a problem, if another entry or another row has that already; return whether it has got one.
    """
    entry, names = item.entry, importing.names[item.section]
    same = names.at(place, entry.name)
    wanted = entry.id or (same[0] if same else None)
    if wanted in importing.claimed or (same and same != [wanted]):
        item.problem("is given twice" if wanted in importing.claimed else "another one has this name", "name")
        return False
    if wanted is not None and wanted in names:
        item.row = importing.session.get_one(type(new), wanted)
    else:
        new.id = wanted or importing.ports.new_id()
        item.row, item.outcome = new, Outcome.CREATED
    importing.claimed.add(item.row.id)
    names.put(item.row.id, place, entry.name)
    return True
