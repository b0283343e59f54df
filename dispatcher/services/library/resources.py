"""Library resources: the ``resources`` section of library files."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core import references
from dispatcher.core.file_names import is_file_name
from dispatcher.core.ports import Ports
from dispatcher.datastore import revisions
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.resources import Content, Resource
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import resources
from dispatcher.services.library import filed
from dispatcher.services.library.entries import Folder as FolderPath
from dispatcher.services.library.entries import ModuleEntry, Name, NamedEntry, Text
from dispatcher.services.library.items import Item
from dispatcher.services.library.names import Names
from dispatcher.services.library.sections import Exporting, Importing
from dispatcher.services.resources import DamagedContent, Resources
from dispatcher.tasks.registry import task_type

_FLAGS = ("parse_variables", "skip_environment_variables")


def _checked(value: str) -> str:
    if not is_file_name(value):
        raise ValueError("is no name of a file")
    return value


class ResourceEntry(NamedEntry):
    """A file. Its content is that of ``file``, beside the library file, or one that is stored already."""

    folder: FolderPath = ""
    description: Text = ""
    file: Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")] | None = None
    file_name: Annotated[Name, AfterValidator(_checked)] | None = None
    sha256: Annotated[str, Field(pattern="^[0-9A-Fa-f]{64}$"), AfterValidator(str.lower)] | None = None
    size: Annotated[int, Field(ge=0)] | None = None  #: written by export, for people
    #: Kept for the dialects that know them.
    parse_variables: bool = False
    skip_environment_variables: bool = False


class ResourceSection:
    """Resources with their contents."""

    name = "resources"
    entry = ResourceEntry
    revision = revisions.LIBRARY

    def names(self, session: Session) -> Names:
        """Return the stored resources."""
        return resources.names_of(session)

    def check(self, item: Item[ResourceEntry]) -> None:
        """Note aliases, and a file that is not below the directory of the library file."""
        if item.entry.aliases:
            item.problem("resources have no aliases", "aliases")
        if item.entry.file is None:
            return
        path, folder = _path(item), _folder(item)
        try:
            if not path.resolve().is_relative_to(folder.resolve()):
                item.problem("must be below the directory of the library file", "file")
            elif not path.is_file():
                item.problem("there is no such file", "file")
        except OSError as error:
            item.problem(f"cannot be read: {error.strerror}", "file")

    def prepare(self, item: Item[ResourceEntry], datastore: Datastore, ports: Ports) -> None:
        """Store the content of the file, before the transaction of the import and in others of its own."""
        if item.entry.file is None:
            return
        try:
            with _path(item).open("rb") as stream:
                item.prepared = Resources(datastore, ports).store(stream)
        except OSError as error:
            item.problem(f"cannot be read: {error.strerror}", "file")
        except DamagedContent as error:
            item.problem(error.message, "file")

    def claim(self, importing: Importing, item: Item[ResourceEntry]) -> None:
        """Give the item its row (see ``filed.claim``)."""
        new = Resource(description="", file_name="", sha256=b"")
        filed.claim(importing, item, new, item.entry.folder)

    def fill(self, importing: Importing, item: Item[ResourceEntry]) -> None:
        """Make the row what the entry says; without file and SHA-256 a resource keeps its content."""
        entry, row = item.entry, item.row
        if entry.file is not None and item.prepared is None:
            return  # there are problems already
        if item.prepared and entry.sha256 not in (None, item.prepared):
            item.problem(f"is not that of the file, which is {item.prepared}", "sha256")
        sha256 = bytes.fromhex(item.prepared or entry.sha256 or "") or row.sha256
        if not sha256:
            item.problem("needs a file, or the sha256 of a content that is stored", "file")
        elif not resources.touch(importing.session, sha256, importing.ports):
            item.problem("this content is not stored: give its file", "sha256")
        name = entry.file_name or (PurePath(entry.file).name if entry.file else row.file_name or entry.name)
        if not is_file_name(name):
            item.problem("is needed: the name of the resource is no name of a file", "file_name")
        flags = {flag: getattr(entry, flag) for flag in _FLAGS}
        if item.assign(description=entry.description, file_name=name, sha256=sha256, **flags):
            item.changed(importing.now, importing.caller.name)
        if item.row.updated_at == importing.now:
            revisions.bump(importing.session, revisions.LIBRARY)

    def dump(self, exporting: Exporting, key: UUID) -> dict[str, Any]:
        """Return the stored resource *key* as a member of the section; its content is no part of it."""
        query = (
            select(Resource, Content.size, Folder.path)
            .join(Content, Content.sha256 == Resource.sha256)
            .outerjoin(Folder, Folder.id == Resource.folder_id)
        )
        row, size, folder = exporting.session.execute(query.where(Resource.id == key)).one()
        return {
            "name": row.name,
            "id": str(row.id),
            "folder": folder,
            "description": row.description,
            "file_name": row.file_name,
            "sha256": row.sha256.hex(),
            "size": size,
            **{flag: getattr(row, flag) or None for flag in _FLAGS},
        }


def check_tasks(importing: Importing, item: Item[ModuleEntry]) -> None:
    """Note the tasks of a module that need a resource which is not there. Names with references show at the agent."""
    for place, task in enumerate(item.entry.tasks):
        kind = task_type(task.type)
        for text in kind.resources(kind.Settings.model_validate(task.settings)):
            if not references.find(text):
                importing.find("resources", text, item, "tasks", place, "settings", "resource")


def _folder(item: Item[Any]) -> Path:
    return Path(item.source.file).parent


def _path(item: Item[ResourceEntry]) -> Path:
    return _folder(item) / (item.entry.file or "")
