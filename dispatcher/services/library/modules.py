"""Library modules: the ``modules`` section of library files."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import select

from dispatcher.core.conditions import ON_AGENTS
from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import WhatKind
from dispatcher.core.references import Kind
from dispatcher.datastore.modules import Module, Task
from dispatcher.services.library import children, conditions, parameters, resources
from dispatcher.services.library.children import Row
from dispatcher.services.library.entries import ModuleEntry, TaskEntry
from dispatcher.services.library.filed import WhatSection
from dispatcher.services.library.items import Item
from dispatcher.services.library.sections import Exporting, Importing
from dispatcher.services.library.validation import note_errors
from dispatcher.tasks.registry import UnknownTaskType, task_type
from dispatcher.tasks.types import TaskSettings


class ModuleSection(WhatSection):
    """Modules with their tasks."""

    name = "modules"
    noun = "module"
    kind = WhatKind.MODULE
    entry = ModuleEntry

    def new_row(self) -> Module:
        """Return a module with nothing in it."""
        return Module(description="", enabled=True, platforms=[], version=0)

    def check(self, item: Item[ModuleEntry]) -> None:
        """Note what is wrong with the parameters and the tasks."""
        super().check(item)
        declared = {entry.name: parameters.to_parameter(entry) for entry in item.entry.parameters}
        for place, task in enumerate(item.entry.tasks):
            _check_task(item, task, declared, "tasks", place)
            conditions.check(item, task.condition, ON_AGENTS, declared, "tasks", place, "condition")

    def fill_content(self, importing: Importing, item: Item[ModuleEntry]) -> bool:
        """Store the platforms, the parameters and the tasks; a task that keeps its name keeps its id."""
        wanted = [parameters.to_parameter(entry) for entry in item.entry.parameters]
        changed = parameters.store(importing, item, self.kind, wanted)
        resources.check_tasks(importing, item)
        if not _are_task_ids_free(importing, item):
            return changed
        tasks = [_to_row(task) for task in item.entry.tasks]
        owner = {"module_id": item.row.id}
        changed |= children.replace(importing.session, Task, owner, tasks, "name", importing.ports.new_id)
        return item.assign(platforms=list(item.entry.platforms)) or changed

    def dump_content(self, exporting: Exporting, row: Module) -> dict[str, Any]:
        """Return the platforms and the tasks."""
        tasks = children.read(exporting.session, Task, {"module_id": row.id})
        return {"platforms": row.platforms, "tasks": [_dump_task(task) for task in tasks]}


def _check_task(item: Item[ModuleEntry], task: TaskEntry, declared: Collection[str], *path: str | int) -> None:
    try:
        settings = _settings(task)
        references = task_type(task.type).references(settings, item.entry.platforms)
    except UnknownTaskType as error:
        item.problem(error.message, *path, "type")
    except ValidationError as error:
        note_errors(item.source, error, (*item.path, *path, "settings"))
    except InvalidValue as error:
        item.problem(error.message, *path, "settings")
    else:
        for reference in dict.fromkeys(references):
            if reference.kind is Kind.PARAMETER and reference.name not in declared:
                item.problem(f"{reference} is not declared", *path, "settings")


def _settings(task: TaskEntry) -> TaskSettings:
    settings: TaskSettings = task_type(task.type).Settings.model_validate(task.settings)
    return settings


def _are_task_ids_free(importing: Importing, item: Item[ModuleEntry]) -> bool:
    """Note the task ids that belong to another task already; return whether there are none."""
    seen: set[UUID] = set()
    before = item.source.problems.count
    for place, task in enumerate(item.entry.tasks):
        if task.id is None:
            continue
        owner = importing.session.scalar(select(Task.module_id).where(Task.id == task.id))
        if task.id in seen or owner not in (None, item.row.id):
            item.problem("another task has this id", "tasks", place, "id")
        seen.add(task.id)
    return item.source.problems.count == before


def _to_row(task: TaskEntry) -> Row:
    row: Row = {
        "type": task.type,
        "name": task.name,
        "settings": _settings(task).model_dump(mode="json", exclude_unset=True),
        "timeout_s": task.timeout_s,
        "on_error": task.on_error,
        "repeatable": task.repeatable,
        "enabled": task.enabled,
        "condition": conditions.to_row(task.condition),
        "retry": None if task.retry is None else task.retry.model_dump(),
    }
    return row if task.id is None else {"id": task.id, **row}


def _dump_task(row: Row) -> Row:
    entry: Row = {"name": row["name"], "id": str(row["id"]), "type": row["type"], "settings": row["settings"]}
    if row["timeout_s"] is not None:
        entry["timeout_s"] = row["timeout_s"]
    if row["on_error"] != "stop":
        entry["on_error"] = row["on_error"]
    if row["repeatable"]:
        entry["repeatable"] = True
    entry["condition"] = conditions.dump(row["condition"])
    entry["retry"] = row["retry"]
    if not row["enabled"]:
        entry["enabled"] = False
    return entry
