"""Resource uses: where modules of the library, and the jobs that are open, name the resources that they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core import references
from dispatcher.core.errors import BadRequest
from dispatcher.core.permissions import Caller, Node, Right, Thing
from dispatcher.core.states import FINISHED, State
from dispatcher.datastore.definitions import Definition
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.modules import Module, Task
from dispatcher.services.library.names import Names
from dispatcher.tasks.registry import task_type, task_types
from dispatcher.tasks.types import TaskType

#: How many definitions are in memory at once.
_AT_ONCE = 100
_OPEN = [state for state in State if state not in FINISHED]


@dataclass(frozen=True, slots=True)
class Use:
    """A text by which something names a resource: what *noun* and *name* say. ``on`` is what it takes to read that."""

    noun: str
    name: str
    on: Node | Thing
    text: str

    def user(self, caller: Caller) -> str:
        """Return what names the resource, as messages to *caller* say it: no name of what that one may not read."""
        return f"{self.noun} {self.name}" if caller.may(Right.READ, self.on) else f"a {self.noun}"

    def resource(self, names: Names) -> UUID | None:
        """Return the resource that the text means; None if it means none, or several."""
        try:
            return names.find(self.text)
        except LookupError:
            return None


def of_modules(session: Session) -> list[Use]:
    """Return the uses by the modules of the library, enabled or not, in their newest version."""
    tasks = select(Module.id, Module.name, Folder.path, Task.type, Task.settings)
    tasks = tasks.join(Module, Module.id == Task.module_id).outerjoin(Folder, Folder.id == Module.folder_id)
    rows = session.execute(tasks.where(Task.type.in_(_types()))).tuples()
    return [
        Use("module", name, Thing(Node.MODULES, key, folder or ""), text)
        for key, name, folder, kind, settings in rows
        for text in _texts(kind, settings)
    ]


def of_open_jobs(session: Session) -> Iterator[Use]:
    """Give the uses by jobs that have not ended: they run the version of a module that they were scheduled with."""
    jobs: dict[UUID, UUID] = {}
    query = select(JOBS.c.id, JOBS.c.what).where(JOBS.c.state.in_(_OPEN)).execution_options(yield_per=1000)
    for job_id, whats in session.execute(query):
        jobs.update((UUID(what["definition"]), job_id) for what in whats if "definition" in what)
    definitions = list(jobs)
    for place in range(0, len(definitions), _AT_ONCE):
        some = definitions[place : place + _AT_ONCE]
        for key, document in session.execute(select(Definition.id, Definition.document).where(Definition.id.in_(some))):
            for task in (one for one in _tasks(document) if one["type"] in _types()):
                for text in _texts(task["type"], task["settings"]):
                    yield Use("job", str(jobs[key]), Node.SCHEDULING, text)


@cache
def _types() -> list[str]:
    """Return the names of the task types that need resources at all: few tasks are of these."""
    return [kind.name for kind in task_types() if type(kind).resources is not TaskType.resources]


def _tasks(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Give all tasks in a document (see ``core.definitions``) of whatever kind."""
    yield from document.get("tasks", ())
    for linked in document.get("modules", ()):
        yield from _tasks(linked["module"])
    for step in document.get("steps", ()):
        yield from _tasks(step["what"])


def _texts(type_name: str, settings: Mapping[str, Any]) -> list[str]:
    """Return how a task names its resources. What references stand in is known to the agent only."""
    try:
        kind = task_type(type_name)
        found = kind.resources(kind.Settings.model_validate(settings))
    except (BadRequest, ValidationError):
        return []  # of a version that had other tasks
    return [text for text in found if not references.find(text)]
