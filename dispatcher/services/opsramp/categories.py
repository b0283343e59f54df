"""Categories: folders of modules as OpsRamp knows them, by numbers. Modules in no folder have a category as well.

A folder gets its number when categories, or what is in one, are first asked for. Folders stay, and keep their paths: a
category with another name is another folder, and the old one is hidden until something is put into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, true, update
from sqlalchemy.orm import Session

from dispatcher.core.errors import Conflict, InvalidValue, NotFound
from dispatcher.core.permissions import Caller, Node, Right, Thing
from dispatcher.core.ports import Ports
from dispatcher.datastore import revisions
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.modules import Module
from dispatcher.datastore.opsramp import OpsRampCategory
from dispatcher.datastore.revisions import Revision
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import audit
from dispatcher.services.audit import Subject
from dispatcher.services.library.names import path_of
from dispatcher.services.opsramp.tenants import Tenants

#: The kind of folders that hold modules.
_KIND = "modules"
#: What the category of modules in no folder is called.
ROOT_NAME = "Miscellaneous"
_MAX_PATH = 700
_CATEGORIES: Any = OpsRampCategory.__table__


class CategoryNotFound(NotFound):
    """No folder of modules has this number."""

    code = "opsramp.category_not_found"
    kind = "category"


@dataclass(slots=True)
class Category:
    """A folder of modules; ``path`` is empty, and ``folder_id`` None, for the root. ``children`` are those in it."""

    number: int
    folder_id: UUID | None
    path: str
    is_hidden: bool = False
    children: list[Category] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its own name, without those of the folders that it is in."""
        return self.path.rpartition("/")[2] or ROOT_NAME

    @property
    def thing(self) -> Thing:
        """What rights are judged by."""
        return Thing(Node.MODULES, None, self.path)


class Categories:
    """Shows and changes categories."""

    def __init__(self, datastore: Datastore, ports: Ports, tenants: Tenants) -> None:
        self._datastore = datastore
        self._ports = ports
        self._tenants = tenants

    def tree(self, tenant_id: str, caller: Caller) -> list[Category]:
        """Return the categories that are in no other and that *caller* may read, by name, with those in them.

        :raises TenantNotFound: if there is no such tenant.
        """
        caller.require_some(Right.READ, Node.MODULES)
        found = self.numbered(tenant_id, caller)
        readable = [one for one in found.values() if not one.is_hidden and caller.may(Right.READ, one.thing)]
        by_path = {one.path.casefold(): one for one in readable if one.path}
        roots: list[Category] = []
        for one in sorted(readable, key=lambda one: (one.name.casefold(), one.number)):
            parent = by_path.get(one.path.casefold().rpartition("/")[0])
            (roots if parent is None or not one.path else parent.children).append(one)
        return roots

    def create(self, tenant_id: str, name: str, parent: int | None, caller: Caller) -> Category:
        """Make a folder called *name* in the category *parent*, in none if that is None, and return it.

        :raises InvalidValue: if there is one of this name, or no such parent.
        :raises Forbidden: without Modify on the folder.
        """
        with self._datastore.begin() as session:
            self._tenants.find(session, tenant_id, caller)
            found = _locked(session)
            path = _new_path(found, "" if parent is None else _parent(found, parent), name)
            return self._make(session, found, path, caller)

    def rename(self, tenant_id: str, number: int, name: str, parent: int | None, caller: Caller) -> Category:
        """Give the category another name, in the category *parent* (None: where it is), and return it.

        What is in it, and in those in it, is in other folders then.

        :raises CategoryNotFound: if there is none with this number.
        :raises InvalidValue: if there is another one of this name, no such parent, or that is in the category itself.
        :raises Forbidden: without Modify on the folder as it is and as it will be.
        """
        with self._datastore.begin() as session:
            self._tenants.find(session, tenant_id, caller)
            found = _locked(session)
            category = _one(found, number)
            if not category.path:
                raise Conflict("modules in no folder have a category that keeps its name")
            caller.require(Right.MODIFY, category.thing)
            old = category.path
            above = old.rpartition("/")[0] if parent is None else _parent(found, parent)
            if f"{above}/".startswith(f"{old}/"):
                raise InvalidValue("parent.id", "is in the category itself")
            path = _new_path(found, above, name, category)
            if path.casefold() == old.casefold():
                return category  # to every database they are the same
            inner = [one for one in found.values() if one.path == old or one.path.startswith(f"{old}/")]
            for one in inner:
                self._move(session, found, one, path + one.path[len(old) :], caller)
            revisions.bump(session, revisions.LIBRARY)
            return category

    def remove(self, tenant_id: str, number: int, caller: Caller) -> None:
        """Hide the category, in which there is nothing.

        :raises CategoryNotFound: if there is none with this number.
        :raises Conflict: if there is a script in it, or another category.
        :raises Forbidden: without Modify on the folder.
        """
        with self._datastore.begin() as session:
            self._tenants.find(session, tenant_id, caller)
            found = _locked(session)
            category = _one(found, number)
            caller.require(Right.MODIFY, category.thing)
            has_more = any(one.path.startswith(f"{category.path}/") and not one.is_hidden for one in found.values())
            scripts = select(Module.id).where(Module.folder_id == category.folder_id, Module.enabled == true())
            has_scripts = session.scalar(scripts.limit(1))
            if has_more or has_scripts is not None or not category.path:
                raise Conflict(f"category {number} is not empty")
            _set_hidden(session, number, hidden=True)
            subject = Subject("folder", category.path[:255], category.folder_id)
            old, new = {"hidden": False}, {"hidden": True}
            audit.record(session, self._ports.now(), caller, "folder.hidden", subject, old=old, new=new)

    def find(self, session: Session, number: int, caller: Caller, right: Right = Right.READ) -> Category:
        """Return the category, if *caller* has *right* on it.

        :raises CategoryNotFound: if there is none with this number.
        """
        category = _one(read_categories(session), number)
        caller.require(right, category.thing)
        return category

    def numbered(self, tenant_id: str, caller: Caller) -> Mapping[int, Category]:
        """Return all categories, and give numbers to the folders that have none: seldom are there any.

        :raises TenantNotFound: if there is no such tenant.
        """
        with self._datastore.read() as session:
            self._tenants.find(session, tenant_id, caller)
        return self._all()

    def _all(self) -> Mapping[int, Category]:
        with self._datastore.read() as session:
            if not _unnumbered(session):
                return read_categories(session)
        with self._datastore.begin() as session:
            return _locked(session)

    def _make(self, session: Session, found: Mapping[int, Category], path: str, caller: Caller) -> Category:
        """Return the category of the folder *path*, which is made unless it is there, hidden."""
        caller.require(Right.MODIFY, Thing(Node.MODULES, None, path))
        for one in found.values():
            if one.path.casefold() == path.casefold():
                _set_hidden(session, one.number, hidden=False)
                subject = Subject("folder", one.path[:255], one.folder_id)
                old, new = {"hidden": True}, {"hidden": False}
                audit.record(session, self._ports.now(), caller, "folder.shown", subject, old=old, new=new)
                return one
        folder = Folder(id=self._ports.new_id(), kind=_KIND, path=path)
        session.add(folder)
        session.flush()
        subject = Subject("folder", path[:255], folder.id)
        audit.record(session, self._ports.now(), caller, "folder.created", subject, new={"path": path})
        return Category(_number(session, folder.id), folder.id, path)

    def _move(
        self, session: Session, found: Mapping[int, Category], category: Category, path: str, caller: Caller
    ) -> None:
        """Let *category* be the folder *path*, and what was in its folder be in that."""
        if len(path) > _MAX_PATH:
            raise InvalidValue("name", "makes the path of a folder too long")
        target = self._make(session, found, path, caller)
        session.execute(update(Module).where(Module.folder_id == category.folder_id).values(folder_id=target.folder_id))
        # The numbers go along: clients know categories by them. No two rows may have the same folder meanwhile.
        rows = ((target.number, None), (category.number, target.folder_id), (target.number, category.folder_id))
        for number, folder_id in rows:
            session.execute(update(_CATEGORIES).where(_CATEGORIES.c.number == number).values(folder_id=folder_id))
        _set_hidden(session, target.number, hidden=True)
        subject = Subject("folder", category.path[:255], category.folder_id)
        audit.record(
            session, self._ports.now(), caller, "folder.moved", subject, old={"path": category.path}, new={"path": path}
        )
        category.path, category.folder_id = path, target.folder_id


def read_categories(session: Session) -> dict[int, Category]:
    """Return all categories that have a number by it, hidden ones too."""
    folders = _folders(session)
    rows = session.execute(select(_CATEGORIES)).all()
    used = set(session.scalars(select(Module.folder_id).where(Module.enabled == true()).distinct()))
    return {
        row.number: Category(
            row.number,
            row.folder_id,
            folders[row.folder_id],
            row.is_hidden and row.folder_id not in used,
        )
        for row in rows
        if row.folder_id in folders
    }


def _locked(session: Session) -> dict[int, Category]:
    """Return all categories, all numbered; nobody else changes the library until the transaction ends."""
    session.execute(select(Revision.value).where(Revision.name == revisions.LIBRARY).with_for_update())
    missing = _unnumbered(session)
    for folder_id in sorted(missing, key=lambda key: missing[key]):
        _number(session, folder_id)
    return read_categories(session)


def _unnumbered(session: Session) -> dict[UUID | None, str]:
    """Return the paths of the folders that have no number."""
    known = set(session.scalars(select(_CATEGORIES.c.folder_id)))
    return {key: path for key, path in _folders(session).items() if key not in known}


def _folders(session: Session) -> dict[UUID | None, str]:
    """Return the paths of the folders of modules, and the root's, which is none."""
    folders: dict[UUID | None, str] = {None: ""}
    folders.update(session.execute(select(Folder.id, Folder.path).where(Folder.kind == _KIND)).tuples().all())
    return folders


def _one(found: Mapping[int, Category], number: int) -> Category:
    category = found.get(number)
    if category is None or category.is_hidden:
        raise CategoryNotFound(str(number))
    return category


def _parent(found: Mapping[int, Category], number: int) -> str:
    """Return the path of the category in which another one is to be."""
    if number not in found:
        raise InvalidValue("parent.id", f"no category {number}")
    return found[number].path


def _number(session: Session, folder_id: UUID | None) -> int:
    done = session.connection().execute(insert(_CATEGORIES), {"folder_id": folder_id, "is_hidden": False})
    key = done.inserted_primary_key
    assert key is not None  # noqa: S101 - every database gives the key of a row that was inserted alone
    return int(key[0])


def _set_hidden(session: Session, number: int, *, hidden: bool) -> None:
    session.execute(update(_CATEGORIES).where(_CATEGORIES.c.number == number).values(is_hidden=hidden))


def _new_path(found: Mapping[int, Category], folder: str, name: str, itself: Category | None = None) -> str:
    """Return the path of a category called *name* in *folder*, which no other one has."""
    if not name.strip() or "/" in name or not name.isprintable():
        raise InvalidValue("name", "must be a text without slashes")
    path = path_of(folder, name.strip())
    if len(path) > _MAX_PATH:
        raise InvalidValue("name", "makes the path of the folder too long")
    for one in found.values():
        if one.path.casefold() == path.casefold() and one is not itself and not one.is_hidden:
            raise InvalidValue("name", f"there is a category {name.strip()[:100]} already")
    return path
