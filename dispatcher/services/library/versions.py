"""Library versions: frozen definitions of modules, projects and run books, made whenever one of them changes.

What is disabled is left out of what contains it: tasks of modules, modules of projects, what the steps of run books
run. A new version of something gives a new version to everything that contains it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.errors import Conflict
from dispatcher.core.jobs import WhatKind
from dispatcher.core.ports import Ports
from dispatcher.core.steps import MAX_DEPTH
from dispatcher.datastore import revisions
from dispatcher.datastore.definitions import Definition
from dispatcher.datastore.modules import Module, Task
from dispatcher.datastore.parameters import Parameter
from dispatcher.datastore.projects import Project, ProjectModule
from dispatcher.datastore.runbooks import RunBook, RunBookStep
from dispatcher.services.library import children, sealing
from dispatcher.services.secrets import Secrets

Key = tuple[WhatKind, UUID]
Document = dict[str, Any]

#: How many modules may be in a definition, each as often as it occurs.
MAX_MODULES = 2_000
_TOO_DEEP = f"run books are nested deeper than {MAX_DEPTH}"

MODELS: dict[WhatKind, type[Module] | type[Project] | type[RunBook]] = {
    WhatKind.MODULE: Module,
    WhatKind.PROJECT: Project,
    WhatKind.RUNBOOK: RunBook,
}
_PARAMETER_COLUMNS = ("name", "type", "value1", "value2", "value3", "description", "hint", "is_input", "is_output")
_TASK_COLUMNS = ("name", "type", "settings", "timeout_s", "on_error", "repeatable")


class InvalidDefinition(Conflict):
    """Something cannot be frozen. ``keys`` lead to it, outermost first."""

    code = "library.invalid_definition"

    def __init__(self, keys: Collection[Key], problem: str) -> None:
        super().__init__(problem)
        self.keys = list(keys)


@dataclass(frozen=True, slots=True)
class Frozen:
    """A new version of something, and its definition; ``before`` is the one of the version before, if there was one."""

    name: str
    version: int
    before: Document | None
    document: Document


def freeze(session: Session, ports: Ports, secrets: Secrets, changed: Collection[Key]) -> dict[Key, Frozen]:
    """Store a new version of each of *changed*, and of all that contains them, where its definition is another one.

    Return the new versions. To be called in the transaction that changes them, after the last change; it raises the
    revision of the library.

    :raises InvalidDefinition: if a run book contains itself, or a definition would be too deep or too large.
    """
    if not changed:
        return {}
    session.flush()
    affected = _with_containers(session, changed)
    sealer = sealing.Sealer(secrets)
    for kind, holder_id in affected:
        if kind in sealing.HOLDERS:  # what it gives to a parameter that has become a password, or is none any more
            sealing.seal_stored(session, sealer, kind, holder_id)
    builder = _Builder(session, affected)
    stored = {key: _store(session, ports, key, builder.document(key, ())) for key in sorted(affected)}
    revisions.bump(session, revisions.LIBRARY)
    return {key: frozen for key, frozen in stored.items() if frozen is not None}


def row_of(session: Session, key: Key) -> Module | Project | RunBook | None:
    """Return the stored module, project or run book."""
    model: Any = MODELS[key[0]]
    row: Module | Project | RunBook | None = session.scalar(select(model).where(model.id == key[1]))
    return row


def newest(session: Session, kind: WhatKind, object_id: UUID, version: int) -> Definition | None:
    """Return the definition of this version."""
    return session.scalar(
        select(Definition).where(
            Definition.kind == int(kind), Definition.object_id == object_id, Definition.version == version
        )
    )


def _with_containers(session: Session, changed: Collection[Key]) -> set[Key]:
    affected, latest = set(changed), set(changed)
    while latest:
        ids = [object_id for _, object_id in latest]
        found: set[Key] = set()
        projects = select(ProjectModule.project_id, ProjectModule.module_id).where(ProjectModule.module_id.in_(ids))
        for project_id, module_id in session.execute(projects):
            if (WhatKind.MODULE, module_id) in latest:
                found.add((WhatKind.PROJECT, project_id))
        steps = select(RunBookStep.runbook_id, RunBookStep.what_kind, RunBookStep.what_id)
        for runbook_id, kind, what_id in session.execute(steps.where(RunBookStep.what_id.in_(ids))):
            if (WhatKind(kind), what_id) in latest:
                found.add((WhatKind.RUNBOOK, runbook_id))
        latest = found - affected
        affected |= latest
    return affected


def _store(session: Session, ports: Ports, key: Key, document: Document) -> Frozen | None:
    kind, object_id = key
    row = row_of(session, key)
    assert row is not None  # noqa: S101 - it was just built from this row
    before = newest(session, kind, object_id, row.version)
    if before is not None and before.document == document:
        return None
    row.version += 1
    session.add(
        Definition(
            id=ports.new_id(),
            kind=int(kind),
            object_id=object_id,
            version=row.version,
            document=document,
            created_at=ports.now(),
        )
    )
    session.flush()
    return Frozen(row.name, row.version, None if before is None else before.document, document)


class _Builder:
    """Builds the documents of what is affected; the others come as they were frozen last."""

    def __init__(self, session: Session, affected: Collection[Key]) -> None:
        self._session = session
        self._affected = affected
        self._built: dict[Key, Document] = {}
        self._sizes: dict[Key, tuple[int, int]] = {}

    def document(self, key: Key, outer: tuple[Key, ...]) -> Document:
        """Return the document of *key*, met inside *outer*."""
        path = (*outer, key)
        if key in outer:
            raise InvalidDefinition(path, "the run book contains itself")
        if len(path) > MAX_DEPTH + 2:  # a project and its module are inside the innermost run book
            raise InvalidDefinition(path, _TOO_DEEP)
        if key not in self._built:
            document = self._build(key, path)
            depth, modules = self._size(key[0], document)
            if depth > MAX_DEPTH:
                raise InvalidDefinition(path, _TOO_DEEP)
            if modules > MAX_MODULES:
                raise InvalidDefinition(path, f"holds more than {MAX_MODULES} modules")
            self._built[key] = document
        return self._built[key]

    def _size(self, kind: WhatKind, document: Document) -> tuple[int, int]:
        """Return how many run books the document has inside each other, and how many modules it holds."""
        key = (kind, UUID(document["id"]))
        if key not in self._sizes:
            if kind is WhatKind.MODULE:
                self._sizes[key] = 0, 1
            elif kind is WhatKind.PROJECT:
                self._sizes[key] = 0, len(document["modules"])
            else:
                inner = [self._size(WhatKind(step["kind"]), step["what"]) for step in document["steps"]]
                depth = max((depth for depth, _ in inner), default=0) + 1
                self._sizes[key] = depth, sum(modules for _, modules in inner)
        return self._sizes[key]

    def _build(self, key: Key, path: tuple[Key, ...]) -> Document:
        kind, object_id = key
        row = row_of(self._session, key)
        if row is None:
            raise InvalidDefinition(path, f"there is no {kind.noun} {object_id}")
        if key not in self._affected:
            stored = newest(self._session, kind, object_id, row.version)
            if stored is not None:
                return stored.document
        owner = {"owner_kind": int(kind), "owner_id": object_id}
        parameters = children.read(self._session, Parameter, owner)
        document: Document = {
            "id": str(object_id),
            "name": row.name,
            "parameters": [{name: parameter[name] for name in _PARAMETER_COLUMNS} for parameter in parameters],
        }
        if isinstance(row, Module):
            return {**document, "platforms": list(row.platforms), "tasks": self._tasks(row)}
        if isinstance(row, Project):
            return {**document, "modules": self._modules(row, path)}
        return {**document, "steps": self._steps(row, path)}

    def _tasks(self, row: Module) -> list[Document]:
        tasks = children.read(self._session, Task, {"module_id": row.id})
        return [
            {"id": str(task["id"]), **{name: task[name] for name in _TASK_COLUMNS}, **_rare(task, "condition", "retry")}
            for task in tasks
            if task["enabled"]
        ]

    def _modules(self, row: Project, path: tuple[Key, ...]) -> list[Document]:
        modules = children.read(self._session, ProjectModule, {"project_id": row.id})
        return [
            {
                "module": self.document((WhatKind.MODULE, linked["module_id"]), path),
                "parameters": linked["parameters"],
                **_rare(linked, "get", "condition"),
            }
            for linked in modules
            if self._is_enabled((WhatKind.MODULE, linked["module_id"]))
        ]

    def _steps(self, row: RunBook, path: tuple[Key, ...]) -> list[Document]:
        steps = []
        is_led = False  # whether a step that is left in comes before this one in its group
        for step in children.read(self._session, RunBookStep, {"runbook_id": row.id}):
            options = dict(step["options"] or {})
            is_parallel = options.pop("parallel", False)
            key = WhatKind(step["what_kind"]), step["what_id"]
            is_led &= is_parallel
            if self._is_enabled(key):
                if is_led:
                    options["parallel"] = True
                steps.append(_to_step({**step, "options": options}, self.document(key, path)))
                is_led = True
        return steps

    def _is_enabled(self, key: Key) -> bool:
        row = row_of(self._session, key)
        return row is not None and row.enabled


def _to_step(row: Document, what: Document) -> Document:
    """Return the document of the step in *row*; what few steps have is in it only if this one has it."""
    names = ("name", "who", "on_error", "parameters")
    rare = _rare(row, "get", "condition", "options")
    return {**{name: row[name] for name in names}, "kind": row["what_kind"], "what": what, **rare}


def _rare(row: Document, *names: str) -> Document:
    """Return those of the columns *names* that hold something: what most do not have is in no document."""
    return {name: row[name] for name in names if row[name]}
