"""Built-in modules: what every server has, put into the library at a start, unless somebody has changed it."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from importlib import resources
from typing import Any
from uuid import UUID

import structlog
import yaml
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dispatcher.core.ports import Ports
from dispatcher.datastore.modules import Module
from dispatcher.datastore.settings import Alias, Setting
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.key_checks import KeyDoesNotFit
from dispatcher.services.library.importing import import_texts
from dispatcher.services.library.problems import LibraryErrors
from dispatcher.services.secrets import Secrets

log = structlog.get_logger(__name__)

_FILE = "builtin.yaml"
#: In C where libyaml is there, which takes a tenth of the time of every start.
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
#: Who has changed a module last, as long as that was nobody else.
OWNER = "built-in"
#: Kept with the settings, though nobody can set it: the number of the file that was installed last, and its SHA-256.
NOTE = ("builtin.version", "")
_Entry = dict[str, Any]


def install(datastore: Datastore, ports: Ports, secrets: Secrets) -> None:
    """Put the modules that are missing into the library, and the present version of those that nobody has changed.

    One that cannot be there, because something else has its place, is left out; the log says so. An alias that
    something else has stays with that. Nothing is done if this version has done so before, or a later one. What a
    key that does not fit keeps from being stored is left to a start with the right one.
    """
    content = resources.files("dispatcher.services").joinpath(_FILE).read_bytes()
    # As texts, like every library file: what a value means is for its member to say.
    shipped = yaml.load(content, Loader=_Loader)  # noqa: S506 - builds texts
    note = f"{int(shipped['version'])} {sha256(content).hexdigest()}"
    with datastore.read() as session:
        stored = session.get(Setting, NOTE)
        if stored is not None and (stored.value == note or _number(stored.value) > _number(note)):
            return
    try:
        if _install(datastore, ports, secrets, shipped["modules"]):
            with datastore.begin() as session:
                session.merge(Setting(name=NOTE[0], dispatcher=NOTE[1], value=note))
    except KeyDoesNotFit as error:
        log.warning("builtin.not_installed", problem=error.message)


def _number(note: str) -> int:
    return int(note.partition(" ")[0])


def _install(datastore: Datastore, ports: Ports, secrets: Secrets, entries: Sequence[_Entry]) -> bool:
    """Import *entries* at once; if they cannot be, one by one. Return whether nothing was left out."""
    try:
        _put(datastore, ports, secrets, entries)
    except LibraryErrors as error:
        if len(entries) > 1:
            for entry in entries:
                _install(datastore, ports, secrets, [entry])
        else:
            log.warning("builtin.not_installed", module=entries[0]["name"], problem=error.message)
        return False
    return True


def _put(datastore: Datastore, ports: Ports, secrets: Secrets, entries: Sequence[_Entry]) -> None:
    """Import *entries*, but for those that somebody has changed.

    :raises LibraryErrors: if one cannot be there.
    """
    ids = {UUID(entry["id"]): entry for entry in entries}
    with datastore.begin() as session:
        for key in session.scalars(select(Module.id).where(Module.id.in_(ids), Module.updated_by != OWNER)):
            del ids[key]
        free = [{**entry, "aliases": _free(session, key, entry["aliases"])} for key, entry in ids.items()]
        text = yaml.dump({"modules": free}, Dumper=_Dumper, allow_unicode=True)
        import_texts(datastore, ports, secrets, {_FILE: text.encode()})
        session.execute(update(Module).where(Module.id.in_(ids)).values(updated_by=OWNER))


def _free(session: Session, key: UUID, aliases: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return those of *aliases* that nothing else has."""
    taken = {
        (alias.dialect, alias.kind, alias.external_id)
        for alias in session.scalars(select(Alias).where(Alias.object_id != key))
    }
    return {
        dialect: {kind: name for kind, name in kinds.items() if (dialect, kind, name) not in taken}
        for dialect, kinds in aliases.items()
    }
