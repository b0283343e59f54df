"""Playbooks: the modules with one task that runs a playbook, as records of the menu ``playbook_files``.

What is uploaded becomes the text of the task, and its file name the name of the task. What is wrong with a file is
said as the vendor says it (``common_libs/validate/valid_20202.py`` of 2.7).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select

from dispatcher.core.file_names import is_file_name
from dispatcher.core.jobs import WhatKind
from dispatcher.datastore.modules import Module, Task
from dispatcher.services.exastro_ita.files import named
from dispatcher.services.exastro_ita.library_records import Entry, LibraryRecords, Place, text_fault
from dispatcher.services.exastro_ita.messages import Message
from dispatcher.services.exastro_ita.records import Change, Found, Scope
from dispatcher.services.library.removing import remove_modules, users_of
from dispatcher.services.portions import portions
from dispatcher.tasks.ansible_playbook import MAX_DEPTH, TYPE
from dispatcher.tasks.yaml_texts import yaml_problem

FILE = "playbook_file"
#: How much a playbook may hold (``tasks.ansible_playbook``), in characters.
MAX_CHARACTERS = 1_000_000

_BOM = b"\xef\xbb\xbf"
_IS_PLAYBOOK = Task.type == TYPE.name


class Playbooks(LibraryRecords):
    """The modules with a playbook that a workspace sees."""

    kind = WhatKind.MODULE
    section = "modules"
    menu = "playbook_files"
    name = "playbook_name"

    def only(self, query: Select[Any]) -> Select[Any]:
        """Return *query* for modules with one task, which runs a playbook."""
        alone = select(Task.module_id).group_by(Task.module_id).having(func.count() == 1)
        return query.join(Task, Task.module_id == Module.id).where(_IS_PLAYBOOK, Task.module_id.in_(alone))

    def own_values(self, scope: Scope, places: Sequence[Place]) -> Mapping[UUID, Mapping[str, Any]]:
        """Return the files; there is none of a playbook that lies in a resource of the library."""
        found: dict[UUID, dict[str, Any]] = {one.id: {FILE: None} for one in places}
        for key, name, text in self._texts(scope, list(found)):
            found[key][FILE] = named(_file_name(name), text.encode())
        return found

    def contents(self, scope: Scope, column: str, ids: Collection[UUID]) -> Mapping[UUID, bytes]:
        """Return the files of those of the records that have one, byte for byte as they were uploaded."""
        return {key: text.encode() for key, _, text in self._texts(scope, ids)} if column == FILE else {}

    def faults(self, change: Change) -> Mapping[str, list[Message]]:
        """Return what is wrong with the file that was sent, or with its name, if one was."""
        data, file = change.files.get(FILE), change.values.get(FILE)
        message = (text_fault(file["name"]) if file else None) or (None if data is None else _fault(data))
        return {} if message is None else {FILE: [message]}

    def changed(self, change: Change, entry: Entry | None, scope: Scope) -> Entry:
        """Return *entry*, None for a new one, with the file that was sent, or with another name for the one it has."""
        if entry is None:
            entry = {"id": str(change.id), "folder": scope.workspace.folder, "tasks": [{"type": TYPE.name}]}
        [task] = entry["tasks"]
        task = {**task}
        if change.after.get(FILE) and change.values.get(FILE):
            task["name"] = change.values[FILE]["name"]
        if FILE in change.files:
            kept = {
                name: value for name, value in task.get("settings", {}).items() if name not in ("resource", "entry")
            }
            task["settings"] = {**kept, "playbook": change.files[FILE].decode()}
        return {**entry, "tasks": [task]}

    def remove(self, scope: Scope, changes: Sequence[Change]) -> Found:
        """Remove the modules, unless a project or run book has one of them."""
        if not changes:
            return {}
        users = users_of(scope.session, [change.id for change in changes])
        found: Found = {
            change.index: {self.name: [Message("playbook-in-use", (users[change.id],))]}
            for change in changes
            if change.id in users
        }
        if not found:
            ids = [change.id for change in changes]
            remove_modules(scope.session, scope.now, scope.caller, ids)
            self.note_hidden(scope, {}, ids)
        return found

    def _texts(self, scope: Scope, ids: Collection[UUID]) -> list[tuple[UUID, str, str]]:
        """Return id, name of the task and text of those of the playbooks that have their text in themselves."""
        found: list[tuple[UUID, str, str]] = []
        for some in portions(ids):
            rows = select(Task.module_id, Task.name, Task.settings).where(Task.module_id.in_(some), _IS_PLAYBOOK)
            for key, name, settings in scope.session.execute(rows).tuples():
                if (text := settings.get("playbook")) is not None:
                    found.append((key, name, text))
        return found


def _fault(data: bytes) -> Message | None:
    """Return why *data* is no playbook, first whether it is worth reading, then in the order of the vendor's checks."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return Message("MSG-10638")
    if not text:
        return Message("MSG-00030")
    if len(text) > MAX_CHARACTERS:
        return Message("MSG-00010", (MAX_CHARACTERS, len(text)))
    if problem := yaml_problem(text, MAX_DEPTH):
        return Message("MSG-10905", (problem,))
    if data.startswith(_BOM):
        return Message("MSG-10640")
    return None


def _file_name(name: str) -> str:
    """Return the name of the file of a task called *name*, which may be none, as in modules of the library."""
    if is_file_name(name) and "." in name:
        return name
    plain = "".join(letter if is_file_name(f"a{letter}a") else "_" for letter in name)[:80]
    return f"{plain or 'playbook'}.yml"
