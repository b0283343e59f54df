"""Library aliases: the ids by which the dialects know objects, where they are not the default ones."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from dispatcher.datastore.settings import Alias
from dispatcher.services.library.entries import Aliases
from dispatcher.services.library.items import Item
from dispatcher.services.library.source import Path

#: Which aliases there are: (dialect, kind), and what has them.
KINDS = {
    ("opsramp", "tenant"): "teams",
    ("opsramp", "script"): "modules",
    ("opsramp", "job_type"): "modules",
    ("opsramp", "parameter"): "parameters",
    ("symantec_ccs", "standard"): "modules",
    ("symantec_ccs", "asset"): "agents",
    ("symantec_ccs", "asset_group"): "teams",
    ("ivanti_endpoint_security", "group"): "teams",
    ("ivanti_endpoint_security", "patch_list"): "projects",
    ("ivanti_endpoint_security", "job_type"): "modules",
    ("ivanti_endpoint_security", "step"): "modules",
    ("exastro_ita", "workspace"): "teams",
}

_Key = tuple[str, str, str]


def check(item: Item[Any], aliases: Aliases | None, owners: str, *path: str | int) -> None:
    """Note the aliases that *owners* (a section, or parameters) cannot have."""
    for dialect, kinds in (aliases or {}).items():
        for kind in kinds:
            if KINDS.get((dialect, kind)) != owners:
                item.problem(f"{owners} have no such alias", *path, "aliases", dialect, kind)


def of_objects(session: Session) -> dict[UUID, Aliases]:
    """Return the stored aliases by object, in a stable order."""
    found: dict[UUID, Aliases] = {}
    for alias in session.scalars(select(Alias).order_by(Alias.dialect, Alias.kind, Alias.external_id)):
        kinds = found.setdefault(alias.object_id, {}).setdefault(alias.dialect, {})
        kinds.setdefault(alias.kind, []).append(alias.external_id)
    return found


def dump(aliases: Aliases) -> dict[str, dict[str, Any]]:
    """Return *aliases* as a library file has them: a list only where there are several."""
    return {
        dialect: {kind: ids[0] if len(ids) == 1 else ids for kind, ids in kinds.items()}
        for dialect, kinds in aliases.items()
    }


@dataclass(slots=True)
class _Wanted:
    item: Item[Any]
    path: Path
    keys: set[_Key]


@dataclass(slots=True)
class AliasStore:
    """The aliases that the files give. They are stored at the end, so that one may go from object to object."""

    session: Session
    _wanted: dict[UUID, _Wanted] = field(default_factory=dict)

    def want(self, item: Item[Any], object_id: UUID, aliases: Aliases | None, *path: str | int) -> None:
        """Give the object these aliases and no others; None leaves it those that it has."""
        if aliases is not None:
            self._wanted[object_id] = _Wanted(item, (*path, "aliases"), set(_keys(aliases)))

    def store(self) -> list[Item[Any]]:
        """Store what is wanted; return the items whose aliases have changed."""
        stored: defaultdict[UUID, set[_Key]] = defaultdict(set)
        for object_id, aliases in of_objects(self.session).items():
            stored[object_id] = set(_keys(aliases))
        changed = {key: wanted for key, wanted in self._wanted.items() if wanted.keys != stored[key]}
        for object_id, wanted in changed.items():
            before, after = (["/".join(key) for key in sorted(keys)] for keys in (stored[object_id], wanted.keys))
            wanted.item.note("/".join(map(str, wanted.path)), before, after)
            self.session.execute(delete(Alias).where(Alias.object_id == object_id))
            del stored[object_id]
        taken = set().union(*stored.values())
        for object_id, wanted in changed.items():
            for key in sorted(wanted.keys):
                if key in taken:
                    wanted.item.problem(f"{key[2]!r} is the alias of something else", *wanted.path, *key[:2])
                    continue
                taken.add(key)
                self.session.add(Alias(dialect=key[0], kind=key[1], external_id=key[2], object_id=object_id))
        return [wanted.item for wanted in changed.values()]


def _keys(aliases: Aliases) -> list[_Key]:
    return [
        (dialect, kind, external_id)
        for dialect, kinds in aliases.items()
        for kind, ids in kinds.items()
        for external_id in ids
    ]
