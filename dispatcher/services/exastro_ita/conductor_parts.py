"""Conductor parts: all that a conductor runs, at every depth, and whether it is still there.

The vendor looks at every node when a run is registered (``override_node_idlink`` of ``conductor/classes/util.py``). The
library leaves what is disabled out of what contains it, so this looks at the steps as they are stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID

from sqlalchemy import select

from dispatcher.core.jobs import WhatKind
from dispatcher.datastore.projects import ProjectModule
from dispatcher.datastore.runbooks import RunBookStep
from dispatcher.services.exastro_ita.operations import MENU, NAME
from dispatcher.services.exastro_ita.records import Scope
from dispatcher.services.exastro_ita.rows import Rows
from dispatcher.services.library.versions import MODELS
from dispatcher.services.portions import portions

_Ids = Mapping[WhatKind, set[UUID]]


def problem_of(scope: Scope, conductor_id: UUID) -> str | None:
    """Return what the conductor cannot run without, in words; None if all of it is there.

    That is a run book, project or module that is discarded, or an operation that a step has of its own.
    """
    parts, operations = _parts(scope, conductor_id)
    gone = next(_disabled(scope, parts), None)
    if gone is not None:
        return f"{gone} is discarded"
    missing = operations - Rows(MENU).taken(scope, NAME, operations).keys() if operations else ()
    return f"there is no operation {min(missing)[:100]}" if missing else None


def _parts(scope: Scope, conductor_id: UUID) -> tuple[_Ids, set[str]]:
    """Return what the conductor runs, by kind, and the names of the operations that steps have of their own."""
    parts: dict[WhatKind, set[UUID]] = {kind: set() for kind in WhatKind}
    operations: set[str] = set()
    level = {conductor_id}
    while level:  # run books contain each other in no circle
        before = frozenset(parts[WhatKind.RUNBOOK])
        for kind, what_id, options in _steps(scope, level):
            parts[kind].add(what_id)
            if name := (options or {}).get("operation"):
                operations.add(name)
        level = parts[WhatKind.RUNBOOK] - before
    for some in portions(parts[WhatKind.PROJECT]):
        query = select(ProjectModule.module_id).where(ProjectModule.project_id.in_(some))
        parts[WhatKind.MODULE].update(scope.session.scalars(query))
    return parts, operations


def _steps(scope: Scope, runbooks: Iterable[UUID]) -> Iterator[tuple[WhatKind, UUID, Mapping[str, str] | None]]:
    columns = RunBookStep.what_kind, RunBookStep.what_id, RunBookStep.options
    for some in portions(runbooks):
        for kind, what_id, options in scope.session.execute(select(*columns).where(RunBookStep.runbook_id.in_(some))):
            yield WhatKind(kind), what_id, options


def _disabled(scope: Scope, parts: _Ids) -> Iterator[str]:
    """Give the names of those of *parts* that are disabled, in words."""
    for kind, ids in parts.items():
        model = MODELS[kind]
        for some in portions(ids):
            query = select(model.name).where(model.id.in_(some), model.enabled.is_(False)).order_by(model.name)
            yield from (f"{kind.noun} {name}" for name in scope.session.scalars(query))
