"""The registry of task types: a type is a module of this package that has a ``TYPE``."""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
from typing import Any

import dispatcher.tasks
from dispatcher.core.errors import BadRequest
from dispatcher.tasks.types import TaskType

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class UnknownTaskType(BadRequest):
    """There is no task type of this name."""

    code = "task.unknown_type"

    def __init__(self, name: str) -> None:
        super().__init__(f"no task type {name!r:.80}", name=name)


@functools.cache
def task_type(name: str) -> TaskType[Any]:
    """Return the task type called *name*.

    :raises UnknownTaskType: if there is none.
    """
    found = _load(name) if _NAME.fullmatch(name) and name in _modules() else None
    if found is None:
        raise UnknownTaskType(name)
    return found


@functools.cache
def task_types() -> list[TaskType[Any]]:
    """Return all task types, sorted by name."""
    return [found for name in sorted(_modules()) if (found := _load(name)) is not None]


def _modules() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(dispatcher.tasks.__path__)}


def _load(name: str) -> TaskType[Any] | None:
    module = importlib.import_module(f"{dispatcher.tasks.__name__}.{name}")
    return getattr(module, "TYPE", None)
