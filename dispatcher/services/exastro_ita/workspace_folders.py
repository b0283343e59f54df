"""Workspace folders: what lies in the library folder of a workspace goes along when the workspace is renamed.

The path of a folder never changes (``datastore.folders``): its objects move to the folder with the new names, which
may be there already, with objects of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from dispatcher.datastore import revisions
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.logins import Grant
from dispatcher.datastore.modules import Module
from dispatcher.datastore.projects import Project
from dispatcher.datastore.runbooks import RunBook
from dispatcher.services import audit
from dispatcher.services.audit import Subject
from dispatcher.services.library.items import Item
from dispatcher.services.library.names import path_of
from dispatcher.services.library.sections import Importing

#: What lies in folders and workspaces see, by the sections of library files.
_MODELS: Mapping[str, Any] = {"modules": Module, "projects": Project, "runbooks": RunBook}


def move(importing: Importing, item: Item[Any], old: str, new: str) -> None:
    """Move all modules, projects and run books in the folder *old*, and in those below it, to the folder *new*.

    Rights on the folders hold for the new ones, too, unless these have some of the same role. An object whose place is
    taken is a problem of *item*.
    """
    if old.casefold() == new.casefold():
        return
    query = select(Folder.id, Folder.kind, Folder.path).where(Folder.kind.in_(_MODELS))
    for key, kind, path in importing.session.execute(query).tuples().all():
        rest = path[len(old) :]
        if path.casefold().startswith(old.casefold()) and rest[:1] in ("", "/"):
            _move_one(importing, item, (key, kind, path), new + rest)


def _move_one(importing: Importing, item: Item[Any], folder: tuple[UUID, str, str], new: str) -> None:
    session, (key, kind, path) = importing.session, folder
    names, model = importing.names[kind], _MODELS[kind]
    found = session.execute(select(model.id, model.name).where(model.folder_id == key)).tuples().all()
    for object_id, name in found:
        if names.at(new, name):
            item.problem(f"{names.noun} {path_of(path, name)!r} would go to {new!r}, where one has this name", "name")
            return
        names.put(object_id, new, name)
    target = importing.folder(kind, new)
    session.execute(update(model).where(model.folder_id == key).values(folder_id=target))
    _copy_grants(importing, key, target)
    subject = Subject("folder", path[:255], key)
    audit.record(
        session, importing.now, importing.caller, "folder.moved", subject, old={"path": path}, new={"path": new}
    )


def _copy_grants(importing: Importing, key: UUID, target: UUID | None) -> None:
    """Give the roles the rights on the folder *target* that they have on the folder *key*."""
    session, places = importing.session, Grant.target.in_([key, target])
    rows = session.execute(select(Grant.role_id, Grant.node, Grant.target, Grant.right).where(places)).tuples().all()
    known = {(role_id, node) for role_id, node, place, _ in rows if place == target}
    for role_id, node, place, right in rows:
        if place == key and (role_id, node) not in known:
            session.add(Grant(role_id=role_id, node=node, target=target, right=right))
            revisions.bump(session, revisions.SECURITY)
