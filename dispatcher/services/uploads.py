"""Uploads: what clients make of the resources of the library, one at a time, and the contents that they bring."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dispatcher.core.attempts import again
from dispatcher.core.contents import Content
from dispatcher.core.errors import Conflict, InvalidValue, NotFound
from dispatcher.core.permissions import Caller, Node, Right, Thing
from dispatcher.core.ports import Ports
from dispatcher.datastore import revisions
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.resources import Content as StoredContent
from dispatcher.datastore.resources import Resource
from dispatcher.datastore.revisions import Revision
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import audit, resource_uses
from dispatcher.services.audit import Subject
from dispatcher.services.library.names import Names
from dispatcher.services.resource_uses import Use
from dispatcher.services.resources import Resources, names_of, touch
from dispatcher.services.settings import Settings

log = structlog.get_logger(__name__)

#: The tree of folders that resources are in.
_TREE = "resources"


class ResourceNotFound(NotFound):
    """No resource has this id."""

    code = "resource.not_found"
    kind = "resource"


@dataclass(frozen=True, slots=True)
class Upload:
    """What a resource shall be; what is None stays as it is, or is as it is by default.

    Without ``resource_id`` it is a new one, or with ``overwrite`` the one that is at its place. ``folder_id`` goes
    before ``folder``, a path with ``/`` between names whose last folder is made if need be; empty: the root.
    """

    resource_id: UUID | None = None
    file_name: str | None = None
    description: str | None = None
    folder: str | None = None
    folder_id: UUID | None = None
    parse_variables: bool | None = None
    skip_environment_variables: bool | None = None
    overwrite: bool = False

    @property
    def takes_content(self) -> bool:
        """Whether a content belongs to it: that of the file that it names."""
        return self.file_name is not None


class Uploads:
    """Makes, changes and removes resources. May be used by many threads.

    Needs Modify on each and, where that is new there, on the folder that it is to be in.
    """

    def __init__(self, datastore: Datastore, ports: Ports, resources: Resources, settings: Settings) -> None:
        self._datastore = datastore
        self._ports = ports
        self._resources = resources
        self._settings = settings

    def admit(self, upload: Upload, caller: Caller) -> int | None:
        """Check *upload* before its content comes; return how many bytes it may have, None for any number.

        That is all of the quota, whatever is left of it: a content that is stored already costs nothing.

        :raises Forbidden: without Modify on the resource that there is, and on the folder that it is to come into.
        :raises InvalidValue: if it makes no sense.
        :raises NotFound: if there is no such resource.
        :raises Conflict: if its place is taken, or it would take a name from a task.
        """
        caller.require_some(Right.MODIFY, Node.RESOURCES)
        if upload.resource_id is None and not upload.takes_content:
            raise InvalidValue("Filename", "a new resource needs one")
        with self._datastore.read() as session:
            self._change(session, upload, caller).check()
        return self._quota()

    def store(self, upload: Upload, content: Content | None, caller: Caller) -> UUID:
        """Make the resource what *upload* says; return its id. Not to be called inside a transaction.

        The content is stored first, in many transactions, and is of no use to anybody until the last one.

        :raises Forbidden: as ``admit`` does, and the others; and QuotaReached.
        """
        self.admit(upload, caller)
        if not upload.takes_content:
            content = None
        elif content is None or not content.size:
            raise InvalidValue("Filename", "the body has to be the content of this file, and is empty")
        else:
            content.stream.seek(0)
            self._resources.put(content, caller.name, self._quota())
        work = partial(self._store, upload, content, caller)
        try:
            resource_id = again(work)
        except IntegrityError:
            try:
                resource_id = again(work)  # its folder may have gone, or come, meanwhile
            except IntegrityError:  # MariaDB takes more names for the same than those that differ in case
                raise Conflict("a resource or a folder has a name like this already") from None
        log.info("resource.stored", resource_id=str(resource_id), by=caller.name)
        return resource_id

    def delete(self, resource_id: UUID, caller: Caller) -> None:
        """Remove a resource; its content stays for a day for those who are just fetching it.

        :raises Forbidden: without Modify on it.
        :raises ResourceNotFound: if there is none with this id.
        :raises Conflict: if a module, or a job that has not ended, needs it.
        """
        caller.require_some(Right.MODIFY, Node.RESOURCES)
        with self._datastore.read() as session:
            row = session.scalar(select(Resource).where(Resource.id == resource_id))
            if row is not None:
                _require(session, row, caller)
            # What comes to them now is of the newest versions, which are looked at below, with nobody changing them.
            names = names_of(session)
            _refuse_if_used(resource_id, names, resource_uses.of_open_jobs(session), caller)
        again(partial(self._delete, resource_id, caller))
        log.info("resource.deleted", resource_id=str(resource_id), by=caller.name)

    def _quota(self) -> int | None:
        return self._settings.current().number("resources.login_quota_bytes") or None

    def _store(self, upload: Upload, content: Content | None, caller: Caller) -> UUID:
        with self._datastore.begin() as session:
            _lock(session)
            change = self._change(session, upload, caller)
            change.check()
            old = None if change.row is None else _told(session, change.row)
            row = change.row or Resource(id=self._ports.new_id(), description="", sha256=b"")
            if row.sha256:
                touch(session, row.sha256, self._ports)  # tasks may be fetching what it was
            if content is not None:
                touch(session, content.sha256, self._ports)
                row.sha256 = content.sha256
            row.name, row.folder_id = change.name, self._folder(session, change.folder)
            row.file_name = upload.file_name or row.file_name
            for column in ("description", "parse_variables", "skip_environment_variables"):
                if getattr(upload, column) is not None:
                    setattr(row, column, getattr(upload, column))
            row.updated_at, row.updated_by = self._ports.now(), caller.name
            session.add(row)
            session.flush()
            subject, new = Subject("resource", row.name, row.id), _told(session, row)
            action = "resource.created" if old is None else "resource.changed"
            audit.record(session, row.updated_at, caller, action, subject, old=old, new=new)
            revisions.bump(session, revisions.LIBRARY)
            return row.id

    def _delete(self, resource_id: UUID, caller: Caller) -> None:
        with self._datastore.begin() as session:
            _lock(session)
            row = session.scalar(select(Resource).where(Resource.id == resource_id))
            if row is None:
                raise ResourceNotFound(resource_id)
            _require(session, row, caller)
            _refuse_if_used(resource_id, names_of(session), resource_uses.of_modules(session), caller)
            touch(session, row.sha256, self._ports)
            subject, old = Subject("resource", row.name, row.id), _told(session, row)
            audit.record(session, self._ports.now(), caller, "resource.removed", subject, old=old)
            session.execute(delete(Resource).where(Resource.id == resource_id))
            revisions.bump(session, revisions.LIBRARY)

    def _change(self, session: Session, upload: Upload, caller: Caller) -> _Change:
        names = names_of(session)
        row = None
        if upload.resource_id is not None:
            row = session.scalar(select(Resource).where(Resource.id == upload.resource_id))
            if row is None:
                raise ResourceNotFound(upload.resource_id)
        folder = _folder_path(session, upload, row)
        if row is None and upload.overwrite and (found := names.at(folder, upload.file_name or "")):
            row = session.scalars(select(Resource).where(Resource.id == found[0])).one()
        place = "" if row is None else _folder_path(session, Upload(), row)
        if row is not None:
            caller.require(Right.MODIFY, Thing(Node.RESOURCES, row.id, place))
        if row is None or folder.casefold() != place.casefold():
            caller.require(Right.MODIFY, Thing(Node.RESOURCES, folder=folder))
        name = upload.file_name or ""
        if row is not None and (not name or row.name != row.file_name):
            name = row.name  # a name of its own, which does not follow that of the file
        change = _Change(row, place, folder, name, names, resource_uses.of_modules(session), caller)
        if row is not None and name != row.name and change.broken() is not None:
            change.name = row.name  # tasks would miss that one, or be at a loss with the new one
        return change

    def _folder(self, session: Session, path: str) -> UUID | None:
        """Return the id of the folder *path*, which is made if need be; None for the root."""
        if not path:
            return None
        for key, stored in session.execute(select(Folder.id, Folder.path).where(Folder.kind == _TREE)).tuples():
            if stored.casefold() == path.casefold():
                return key
        folder = Folder(id=self._ports.new_id(), kind=_TREE, path=path)
        session.add(folder)
        session.flush()
        return folder.id


@dataclass(slots=True)
class _Change:
    """What becomes of a row (None: of a new one), and the library that this happens in."""

    row: Resource | None
    place: str  #: the folder that it was in
    folder: str
    name: str
    names: Names
    uses: Collection[Use]
    caller: Caller

    @property
    def key(self) -> UUID:
        """The id of the row; a new one has none yet, but one that no other has."""
        return self.row.id if self.row is not None else UUID(int=0)

    def check(self) -> None:
        """Check that the name is free and that whatever names a resource goes on to mean the same.

        :raises Conflict: if not.
        """
        if any(other != self.key for other in self.names.at(self.folder, self.name)):
            raise Conflict(f"a resource {self.name!r} is there already: give its id, or say that it is overwritten")
        if (use := self.broken()) is not None:
            raise Conflict(
                f"{use.user(self.caller)} needs a resource that it calls {use.text!r}: that would not be clear then"
            )

    def broken(self) -> Use | None:
        """Return a use that would mean another resource than before, or none; None if there is no such use.

        Of a new row it may be asked once: it is among the names then.
        """
        before = [(use, use.resource(self.names)) for use in self.uses]
        self.names.put(self.key, self.folder, self.name)
        found = next((use for use, meant in before if meant is not None and use.resource(self.names) != meant), None)
        if self.row is not None:
            self.names.put(self.key, self.place, self.row.name)
        return found


def _folder_path(session: Session, upload: Upload, row: Resource | None) -> str:
    """Return the path of the folder that the resource shall be in; empty for the root."""
    key = upload.folder_id or (row.folder_id if row is not None and upload.folder is None else None)
    if key is None:
        return upload.folder or ""
    path = session.scalar(select(Folder.path).where(Folder.id == key, Folder.kind == _TREE))
    if path is None:
        raise InvalidValue("FolderGUID", f"there is no folder {key} of resources")
    return path


def _require(session: Session, row: Resource, caller: Caller) -> None:
    """Check that *caller* may modify the resource as it is.

    :raises Forbidden: if not.
    """
    folder = _folder_path(session, Upload(), row) if Node.RESOURCES in caller.fine else ""
    caller.require(Right.MODIFY, Thing(Node.RESOURCES, row.id, folder))


def _told(session: Session, row: Resource) -> audit.Values:
    """Return what the audit tells of a resource."""
    columns = ("name", "file_name", "description", "parse_variables", "skip_environment_variables")
    return {
        **{column: getattr(row, column) for column in columns},
        "folder": _folder_path(session, Upload(), row),
        "sha256": row.sha256,
        "size": session.scalar(select(StoredContent.size).where(StoredContent.sha256 == row.sha256)),
    }


def _lock(session: Session) -> None:
    """Keep others from changing the library: names are unique in a folder, the root too, which no database checks."""
    session.execute(select(Revision.value).where(Revision.name == revisions.LIBRARY).with_for_update())


def _refuse_if_used(resource_id: UUID, names: Names, uses: Iterable[Use], caller: Caller) -> None:
    for use in uses:
        if use.resource(names) == resource_id:
            raise Conflict(f"the resource is needed by {use.user(caller)}")
