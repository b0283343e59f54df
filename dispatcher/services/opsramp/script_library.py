"""The script library: scripts are made, changed, shown and removed, category by category."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import yaml
from sqlalchemy import delete, insert, select, true
from sqlalchemy.orm import Session

from dispatcher.core.errors import Conflict, InvalidValue, NotFound
from dispatcher.core.permissions import Caller, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.modules import Module, Task
from dispatcher.datastore.opsramp import OpsRampScript
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.library.importing import import_texts
from dispatcher.services.library.problems import LibraryErrors
from dispatcher.services.opsramp.categories import Categories, Category
from dispatcher.services.opsramp.scripts import INTEGER, REMOVED_AS, Script, find_script, is_integer, read_scripts
from dispatcher.services.opsramp.tenants import Tenants
from dispatcher.services.secrets import Secrets
from dispatcher.services.submits import SubmitKey, Submits
from dispatcher.tasks.script import BY_LOGIN, IF_GIVEN

#: Which languages scripts are in, by how they are executed. A command is one for the shell.
LANGUAGES = {
    "BATCHFILE": "batch",
    "COMMAND": "shell",
    "PERL": "perl",
    "PHP": "php",
    "POWERSHELL": "powershell",
    "PYTHON": "python",
    "SHELL": "shell",
    "VBS": "vbscript",
}
COMMAND = "COMMAND"
#: What scripts may be made of besides, which no task type does yet.
_NOT_YET = ("DOWNLOAD", "EXE", "MSI")
_DATA_TYPES = {"STRING": "text", INTEGER: "text", "PASSWORD": "password"}
_FILE = "script"
#: What keys of submits count for.
_CREATE = "opsramp.create_script"
_EXTRAS: Any = OpsRampScript.__table__


class ScriptNotFound(NotFound):
    """The category has no script with this number."""

    code = "opsramp.script_not_found"
    kind = "script"


@dataclass(frozen=True, slots=True)
class NewParameter:
    """A parameter of a script that is to be."""

    name: str
    description: str = ""
    default: str | None = None
    is_required: bool = True
    data_type: str = "STRING"


@dataclass(frozen=True, slots=True)
class NewScript:
    """A script that is to be. ``file`` is its text in base64; a command has ``command`` instead.

    None leaves of a script that there is already what it has. ``details`` are kept as they are, and shown again.
    """

    name: str | None = None
    description: str | None = None
    platforms: Sequence[str] | None = None
    execution_type: str | None = None
    command: str | None = None
    file_name: str | None = None
    file: str | None = None
    parameters: Sequence[NewParameter] | None = None
    install_timeout: int | None = None
    details: Mapping[str, Any] | None = None


class ScriptLibrary:
    """Looks after the scripts of categories."""

    def __init__(
        self,
        datastore: Datastore,
        ports: Ports,
        secrets: Secrets,
        *,
        tenants: Tenants,
        categories: Categories,
        submits: Submits,
    ) -> None:
        self._submits = submits
        self._datastore = datastore
        self._ports = ports
        self._secrets = secrets
        self._tenants = tenants
        self._categories = categories

    def in_category(self, tenant_id: str, category: int, caller: Caller) -> list[tuple[Category, Script]]:
        """Return the scripts in the category, by number.

        :raises CategoryNotFound: if there is none with this number.
        """
        self._categories.numbered(tenant_id, caller)
        with self._datastore.read() as session:
            found = self._category(session, tenant_id, category, caller)
            modules = select(Module.id).where(Module.folder_id == found.folder_id, Module.enabled == true())
            return [(found, script) for script in read_scripts(session, session.scalars(modules).all())]

    def get(self, tenant_id: str, category: int, number: int, caller: Caller) -> tuple[Category, Script]:
        """Return the script with this number.

        :raises CategoryNotFound: if there is no such category.
        :raises ScriptNotFound: if it has no such script.
        """
        self._categories.numbered(tenant_id, caller)
        with self._datastore.read() as session:
            found = self._category(session, tenant_id, category, caller)
            return found, _in(session, found, number)

    def create(
        self, tenant_id: str, category: int, new: NewScript, caller: Caller, key: SubmitKey | None = None
    ) -> tuple[Category, Script]:
        """Make a module of *new* and return it as a script.

        Asked for again with the same *key*, it is the script that was made then, as it is now.

        :raises CategoryNotFound: if there is no such category.
        :raises ScriptNotFound: if the category has no more what was made with this *key*.
        :raises InvalidValue: if the script is impossible, or another one of the category has its name.
        :raises Forbidden: without Modify on the folder.
        """
        self._categories.numbered(tenant_id, caller)
        with self._datastore.begin() as session:
            found = self._category(session, tenant_id, category, caller, Right.MODIFY)
            made = self._submits.once_id(caller, _CREATE, key, lambda: self._make(session, found, new, caller))
            for script in read_scripts(session, [made]):
                return found, _in(session, found, script.number)
        raise ScriptNotFound(str(made))

    def _make(self, session: Session, category: Category, new: NewScript, caller: Caller) -> UUID:
        same = select(Module.name).where(Module.folder_id == category.folder_id)
        if (new.name or "").strip().casefold() in {name.casefold() for name in session.scalars(same)}:
            raise InvalidValue("name", f"there is a script {(new.name or '').strip()[:100]} already")
        extras = _extras(new, {}, version=0)
        return self._store(session, category, self._ports.new_id(), new, extras, caller).module_id

    def change(
        self, tenant_id: str, category: int, number: int, new: NewScript, caller: Caller
    ) -> tuple[Category, Script]:
        """Make the script what *new* says, as far as it says it. Jobs that are there keep the version they have.

        :raises ScriptNotFound: if the category has no such script.
        :raises Conflict: if it was not made here.
        :raises InvalidValue: as ``create``.
        :raises Forbidden: without Modify on the folder.
        """
        self._categories.numbered(tenant_id, caller)
        with self._datastore.begin() as session:
            found = self._category(session, tenant_id, category, caller, Right.MODIFY)
            script = _own(session, found, number)
            whole = _completed(session, new, script)
            extras = _extras(whole, script.details, version=int(script.details.get("version", 0)) + 1)
            return found, self._store(session, found, script.module_id, whole, extras, caller)

    def remove(self, tenant_id: str, category: int, number: int, caller: Caller) -> None:
        """Disable the module: it is no script any more, and another one may have its name. Its jobs go on with it.

        :raises ScriptNotFound: if the category has no such script.
        :raises Conflict: if it was not made here.
        :raises Forbidden: without Modify on the folder.
        """
        self._categories.numbered(tenant_id, caller)
        with self._datastore.begin() as session:
            found = self._category(session, tenant_id, category, caller, Right.MODIFY)
            script = _own(session, found, number)
            whole = _completed(session, NewScript(), script)
            name, task = f"{script.name[:200]} (removed, {number})", whole.file_name or script.name
            hidden = replace(whole, name=name, file_name=task)
            extras = {**script.details, REMOVED_AS: script.name}
            self._store(session, found, script.module_id, hidden, extras, caller, enabled=False)

    def _category(
        self, session: Session, tenant_id: str, number: int, caller: Caller, right: Right = Right.READ
    ) -> Category:
        self._tenants.find(session, tenant_id, caller)
        return self._categories.find(session, number, caller, right)

    def _store(
        self,
        session: Session,
        category: Category,
        module_id: UUID,
        new: NewScript,
        extras: Mapping[str, Any],
        caller: Caller,
        *,
        enabled: bool = True,
    ) -> Script:
        entry = _entry(category, module_id, new) | {"enabled": enabled}
        content = yaml.safe_dump({"modules": [entry]}, allow_unicode=True, sort_keys=False).encode()
        try:
            import_texts(self._datastore, self._ports, self._secrets, {_FILE: content}, caller=caller)
        except LibraryErrors as error:
            first = error.problems[0]
            member = first.path.partition("].")[2]
            raise InvalidValue(_MEMBERS.get(member, member or "name"), first.text) from None
        session.execute(delete(_EXTRAS).where(_EXTRAS.c.module_id == module_id))
        session.connection().execute(insert(_EXTRAS), {"module_id": module_id, "document": dict(extras)})
        (script,) = read_scripts(session, [module_id])
        return script


#: What members of library files are called here.
_MEMBERS = {"tasks[0].settings": "command", "tasks[0].settings.text": "command", "tasks[0].name": "attachment.name"}


def _in(session: Session, category: Category, number: int) -> Script:
    script = find_script(session, number)
    if script is None or script.folder_id != category.folder_id:
        raise ScriptNotFound(str(number))
    return script


def _own(session: Session, category: Category, number: int) -> Script:
    script = _in(session, category, number)
    if not script.details:  # it may be more than a script is
        raise Conflict(f"script {number} is a module of the library, and changed there")
    return script


def _completed(session: Session, new: NewScript, script: Script) -> NewScript:
    """Return *new* with what *script* has where it says nothing."""
    task = session.scalars(select(Task).where(Task.module_id == script.module_id).order_by(Task.position)).first()
    details = script.details
    text = "" if task is None else str(task.settings.get("text", task.settings.get("command", "")))
    kept = [
        NewParameter(one.name, one.description, one.default, one.is_required, one.data_type)
        for one in script.parameters
    ]
    return replace(
        new,
        name=script.name if new.name is None else new.name,
        description=script.description if new.description is None else new.description,
        platforms=list(script.platforms) if new.platforms is None else new.platforms,
        execution_type=new.execution_type or details.get("execution_type", COMMAND),
        command=text if new.command is None and new.file is None else new.command,
        file_name=new.file_name or details.get("attachment"),
        parameters=kept if new.parameters is None else new.parameters,
        install_timeout=details.get("install_timeout") if new.install_timeout is None else new.install_timeout,
    )


def _extras(new: NewScript, before: Mapping[str, Any], *, version: int) -> dict[str, Any]:
    """Return what is kept of *new* that modules do not have."""
    kinds = {one.name: {"required": one.is_required, "type": one.data_type} for one in new.parameters or ()}
    return {
        "execution_type": new.execution_type,
        "install_timeout": new.install_timeout,
        "attachment": new.file_name,
        "version": version,
        "parameters": kinds,
        "details": dict(new.details if new.details is not None else before.get("details", {})),
    }


def _entry(category: Category, module_id: UUID, new: NewScript) -> dict[str, Any]:
    """Return *new* as a library file has it.

    :raises InvalidValue: if that cannot be.
    """
    language = LANGUAGES.get(new.execution_type or "")
    if language is None:
        known = f"; {new.execution_type} is not possible yet" if new.execution_type in _NOT_YET else ""
        raise InvalidValue("executionType", f"must be one of {', '.join(LANGUAGES)}{known}")
    if not (new.name or "").strip():
        raise InvalidValue("name", "is missing")
    settings = {
        "language": language,
        "text": _text(new),
        "arguments": [f"$[{one.name}]" for one in new.parameters or ()],
        **({"login": IF_GIVEN} if language in BY_LOGIN else {}),
    }
    task: dict[str, Any] = {"type": "script", "name": new.file_name or new.name, "settings": settings}
    if new.install_timeout:
        task["timeout_s"] = 60 * new.install_timeout
    return {
        "name": new.name,
        "id": str(module_id),
        "folder": category.path,
        "description": new.description or "",
        "platforms": list(new.platforms or ()),
        "parameters": [_parameter(one, place) for place, one in enumerate(new.parameters or ())],
        "tasks": [task],
    }


def _text(new: NewScript) -> str:
    """Return the text of the script."""
    if new.file is None:
        if not new.command:
            member = "command" if new.execution_type == COMMAND else "attachment"
            raise InvalidValue(member, "is missing")
        return new.command
    try:
        content = base64.b64decode("".join(new.file.split()), validate=True)
        text = content.decode("utf-8-sig")
    except (binascii.Error, ValueError):
        raise InvalidValue("attachment.file", "must be a text in base64") from None
    if not text or "\0" in text:
        raise InvalidValue("attachment.file", "must hold a text")
    return text


def _parameter(new: NewParameter, place: int) -> dict[str, Any]:
    kind = _DATA_TYPES.get(new.data_type)
    if kind is None:
        raise InvalidValue(f"parameters[{place}].dataType", f"must be one of {', '.join(_DATA_TYPES)}")
    if new.data_type == INTEGER and new.default and not is_integer(new.default):
        raise InvalidValue(f"parameters[{place}].defaultValue", "must be a whole number")
    return {"name": new.name, "type": kind, "value": new.default or "", "description": new.description}
