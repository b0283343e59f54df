"""Removing modules: nothing of them is left but what jobs have, and nothing goes that something uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from job_world import BOTH, GREET, LIBRARY, WINDOWS, a_request, lease, on
from sqlalchemy import func, select

from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.audit import AUDIT
from dispatcher.datastore.modules import Module, Task
from dispatcher.datastore.parameters import Parameter
from dispatcher.datastore.settings import Alias
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.library.exporting import entries, export
from dispatcher.services.library.removing import InUse, remove_modules, users_of

ALONE = UUID(int=9)
MORE = f"""
modules:
  - name: Alone
    id: {ALONE}
    parameters: [{{name: P}}]
    tasks: [{{type: command, name: t, settings: {{command: 'echo $[P]'}}}}]
"""


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)
    load_library(MORE)


def test_a_removed_module_leaves_nothing_but_its_jobs(
    hall: Hall, datastore: Datastore, enrol: Callable[..., UUID], clock: Any
) -> None:
    agent, before = enrol("one"), export(datastore)
    hall.scheduling.submit(a_request(ALONE, who=on(agent)), SYSTEM)
    with datastore.begin() as session:
        session.add(Alias(dialect="d", kind="k", external_id="e", object_id=ALONE))
        remove_modules(session, clock(), SYSTEM, [ALONE])
    with datastore.read() as session:
        for column, owner in (
            (Module.id, ALONE),
            (Task.module_id, ALONE),
            (Parameter.owner_id, ALONE),
            (Alias.object_id, ALONE),
        ):
            assert session.scalar(select(func.count()).where(column == owner)) == 0
        [entry] = session.execute(select(AUDIT.c.object_name, AUDIT.c.old).where(AUDIT.c.action == "module.removed"))
    assert entry == ("Alone", {"name": "Alone"})
    assert "Alone" in before
    assert "Alone" not in export(datastore)
    [run] = lease(hall, agent, 1)
    assert run.modules[0].document["name"] == "Alone"


def test_what_is_in_use_stays(datastore: Datastore, clock: Any) -> None:
    before = export(datastore)
    with datastore.read() as session:
        assert users_of(session, [ALONE, GREET, WINDOWS]) == {GREET: "Rings", WINDOWS: "Both"}
    with pytest.raises(InUse, match="module Greet cannot be removed: Rings uses it"), datastore.begin() as session:
        remove_modules(session, clock(), SYSTEM, [ALONE, GREET])
    assert export(datastore) == before


def test_entries_are_as_the_library_has_them_without_aliases(datastore: Datastore) -> None:
    with datastore.read() as session:
        found = entries(session, "modules", [ALONE])
        assert list(entries(session, "projects", [BOTH])[BOTH]["modules"][0]) == ["module", "parameters"]
    assert list(found) == [ALONE]
    assert found[ALONE]["parameters"] == [{"name": "P", "type": "text"}]
