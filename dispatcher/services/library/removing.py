"""Library removing: modules go for good that nothing in the library uses.

Jobs keep the definition that they were scheduled with, whatever becomes of the library.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from dispatcher.core.errors import Conflict
from dispatcher.core.jobs import WhatKind
from dispatcher.core.permissions import Caller
from dispatcher.datastore import revisions
from dispatcher.datastore.exastro_ita import forget_journal
from dispatcher.datastore.modules import Module, Task
from dispatcher.datastore.parameters import Parameter
from dispatcher.datastore.projects import Project, ProjectModule
from dispatcher.datastore.runbooks import RunBook, RunBookStep
from dispatcher.datastore.settings import Alias
from dispatcher.services import audit
from dispatcher.services.audit import Change, Subject


class InUse(Conflict):
    """Something of the library is a part of something else there: it cannot be removed."""

    code = "library.in_use"

    def __init__(self, name: str, holder: str) -> None:
        super().__init__(f"module {name} cannot be removed: {holder} uses it")


def users_of(session: Session, module_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return for those of the modules that are in use the name of a project or run book that has it."""
    steps = (
        select(RunBookStep.what_id, RunBook.name)
        .join(RunBook, RunBook.id == RunBookStep.runbook_id)
        .where(RunBookStep.what_kind == int(WhatKind.MODULE), RunBookStep.what_id.in_(module_ids))
        .order_by(RunBook.number.desc())
    )
    parts = (
        select(ProjectModule.module_id, Project.name)
        .join(Project, Project.id == ProjectModule.project_id)
        .where(ProjectModule.module_id.in_(module_ids))
        .order_by(Project.number.desc())
    )
    return {key: name for query in (parts, steps) for key, name in session.execute(query).tuples()}


def remove_modules(session: Session, now: datetime, caller: Caller, module_ids: Collection[UUID]) -> None:
    """Remove the modules with their tasks, parameters and aliases; *caller* did so, whose rights are not asked.

    :raises InUse: if a project or run book has one of them; nothing is removed then.
    """
    ids = list(module_ids)
    rows = list(session.execute(select(Module.id, Module.name).where(Module.id.in_(ids))).tuples())
    users = users_of(session, ids)
    for key, name in rows:
        if key in users:
            raise InUse(name, users[key])
    is_theirs: Any = (Parameter.owner_kind == int(WhatKind.MODULE)) & Parameter.owner_id.in_(ids)
    owners = [*ids, *session.scalars(select(Parameter.id).where(is_theirs))]
    session.execute(delete(Alias).where(Alias.object_id.in_(owners)))
    session.execute(delete(Parameter).where(is_theirs))
    session.execute(delete(Task).where(Task.module_id.in_(ids)))
    session.execute(delete(Module).where(Module.id.in_(ids)))
    forget_journal(session, ids)
    revisions.bump(session, revisions.LIBRARY)
    changes = [Change("module.removed", Subject("module", name, key), {"name": name}, None) for key, name in rows]
    audit.record_all(session, now, caller, changes)
