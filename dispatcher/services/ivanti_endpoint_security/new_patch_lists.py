"""New patch lists: custom patch lists that clients make: a project of the library, with a module for each patch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.errors import InvalidValue
from dispatcher.core.permissions import Caller, Node, Right, Thing
from dispatcher.core.ports import Ports
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.projects import Project
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.ivanti_endpoint_security.numbers import DIALECT, PATCH_LIST, settle
from dispatcher.services.library.importing import import_texts
from dispatcher.services.library.problems import LibraryErrors
from dispatcher.services.secrets import Secrets
from dispatcher.services.submits import SubmitKey, Submits

#: The folder of the projects; below it each has a folder for its modules.
FOLDER = "Custom patch lists"
#: What keys of submits count for.
_CREATE = f"{DIALECT}.create_patch_list"
_FILE = "patch list"
#: How long a patch may take, in seconds.
_TIMEOUT_S = 3_600
#: Where a problem of a library file is, by what clients call that.
_PLACE = re.compile(r"modules\[(\d+)\](?:\.tasks\[0\]\.settings)?\.?(\w*)")
_MEMBERS = {"package": "Package", "version": "Version", "command": "Command", "platforms": "Platforms"}


@dataclass(frozen=True, slots=True)
class NewPatch:
    """A patch: a package for the package manager of the computer, or a command. ``restart`` is as of a package task."""

    name: str
    description: str = ""
    package: str = ""
    version: str = ""
    command: str = ""
    restart: str = "if_needed"
    platforms: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class NewPatchList:
    """A custom patch list that is to be, with its patches in order."""

    name: str
    description: str
    patches: Sequence[NewPatch]


class NewPatchLists:
    """Makes custom patch lists."""

    def __init__(self, datastore: Datastore, ports: Ports, secrets: Secrets, submits: Submits) -> None:
        self._datastore = datastore
        self._ports = ports
        self._secrets = secrets
        self._submits = submits

    def create(self, new: NewPatchList, caller: Caller, key: SubmitKey | None = None) -> UUID:
        """Make the custom patch list, and return the id of the project that it is.

        Asked for again with the same *key*, it is the one that was made then.

        :raises InvalidValue: if it is impossible, or there is one of this name; nothing is stored.
        :raises Forbidden: without Modify on the folder of projects and on that of its modules.
        """
        if "/" in new.name:
            raise InvalidValue("Name", "may not hold a slash")
        for place in (Thing(Node.PROJECTS, folder=FOLDER), Thing(Node.MODULES, folder=_folder_of(new))):
            caller.require(Right.MODIFY, place)
        with self._datastore.begin() as session:
            return self._submits.once_id(caller, _CREATE, key, lambda: self._make(session, new, caller))

    def _make(self, session: Session, new: NewPatchList, caller: Caller) -> UUID:
        same = select(Project.name).join(Folder, Folder.id == Project.folder_id).where(Folder.path == FOLDER)
        if new.name.casefold() in {name.casefold() for name in session.scalars(same)}:
            raise InvalidValue("Name", f"there is a custom patch list {new.name} already")
        key = self._ports.new_id()
        text = yaml.safe_dump(self._entries(key, new), allow_unicode=True, sort_keys=False)
        try:
            import_texts(self._datastore, self._ports, self._secrets, {_FILE: text.encode()}, caller=caller)
        except LibraryErrors as error:
            first = error.problems[0]
            raise InvalidValue(_member(first.path), first.text) from None
        settle(session, PATCH_LIST, key)
        return key

    def _entries(self, key: UUID, new: NewPatchList) -> dict[str, Any]:
        modules = [
            {
                "id": str(self._ports.new_id()),
                "name": patch.name,
                "folder": _folder_of(new),
                "description": patch.description,
                "platforms": list(patch.platforms),
                "tasks": [_task(patch)],
            }
            for patch in new.patches
        ]
        project = {
            "id": str(key),
            "name": new.name,
            "folder": FOLDER,
            "description": new.description,
            "modules": [{"module": module["id"]} for module in modules],
        }
        return {"modules": modules, "projects": [project]}


def _folder_of(new: NewPatchList) -> str:
    """Return the folder of its modules, as a library file would have it."""
    return f"{FOLDER}/{new.name.strip()}"


def _task(patch: NewPatch) -> dict[str, Any]:
    given = {"package": patch.package, "version": patch.version, "command": patch.command, "restart": patch.restart}
    settings = {name: text for name, text in given.items() if text}
    return {"type": "package", "name": "install", "timeout_s": _TIMEOUT_S, "settings": settings}


def _member(path: str) -> str:
    match = _PLACE.match(path)
    if match is None:
        return "Name"
    return ".".join(filter(None, [f"Patches[{match[1]}]", _MEMBERS.get(match[2], match[2].capitalize())]))
