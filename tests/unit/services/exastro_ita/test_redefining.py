"""Redefining: what a column had keeps its kind, also while the column is gone, and is told to nobody then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from exastro_world import NOW, a_column, a_menu, a_workspace, an_operation, registering, updating
from sqlalchemy import select

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.audit import AUDIT
from dispatcher.datastore.exastro_ita import ITA_JOURNAL, ItaMenu
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita import journal
from dispatcher.services.exastro_ita.columns import Kind
from dispatcher.services.exastro_ita.records import Action, Change, Record
from dispatcher.services.exastro_ita.suite import ExastroIta, build_exastro_ita
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.hall import Hall
from dispatcher.services.library.exporting import export
from dispatcher.services.library.importing import import_texts
from dispatcher.services.library.items import Outcome
from dispatcher.services.library.problems import LibraryErrors
from dispatcher.services.secrets import Secrets

#: Imports a sheet with columns of these kinds by name; returns what became of it.
Load = Callable[..., Outcome]


@pytest.fixture
def load(datastore: Datastore, ports: Ports, secrets: Secrets) -> Load:
    def load(**kinds: str) -> Outcome:
        columns = ", ".join(f"{{name: {name}, kind: {kind}}}" for name, kind in kinds.items())
        text = f"menus: [{{name: s, columns: [{columns}]}}]"
        return import_texts(datastore, ports, secrets, {"a.yaml": text.encode()}).entries[0].outcome

    return load


@pytest.fixture
def ita(hall: Hall) -> ExastroIta:
    return build_exastro_ita(hall)


@pytest.fixture
def workspace(datastore: Datastore, ita: ExastroIta, load: Load) -> Workspace:
    """Return a workspace with a record that has a password, in a sheet that has no column for it any more."""
    workspace = a_workspace(datastore)
    an_operation(datastore, workspace)
    load(p="password", q="text")
    given = registering(host_name="h1", operation_name_select="2031/06/01 02:00_op-1", p="s3cret", q="x")
    ita.maintenance.change(workspace, "s", [given], SYSTEM)
    load(q="text")
    return workspace


def known(ita: ExastroIta, workspace: Workspace) -> dict[str, Any]:
    [found] = ita.records.filter(workspace, "s", {}, SYSTEM)
    return {name: found["parameter"][name] for name in ("uuid", "last_update_date_time")}


def test_a_column_that_comes_back_keeps_its_kind(
    load: Load, datastore: Datastore, ita: ExastroIta, workspace: Workspace
) -> None:
    assert load(q="text") is Outcome.UNCHANGED
    for kind in ("text", "integer", "file"):
        with pytest.raises(LibraryErrors, match="has values of another kind in records"):
            load(q="text", p=kind)
    assert load(q="text", p="password") is Outcome.UPDATED
    load(q="text")
    ita.maintenance.change(workspace, "s", [updating(known(ita, workspace), "Delete")], SYSTEM)
    assert load(q="text", p="text") is Outcome.UPDATED  # nobody has a value any more


def test_library_files_know_nothing_of_columns_that_are_gone(
    load: Load, datastore: Datastore, ports: Ports, secrets: Secrets, workspace: Workspace
) -> None:
    with datastore.read() as session:
        assert session.scalars(select(ItaMenu)).one().definition["gone"] == {"p": "password"}
    exported = export(datastore)
    assert "gone" not in exported
    again = import_texts(datastore, ports, secrets, {"a.yaml": exported.encode()})
    assert {entry.outcome for entry in again.entries} == {Outcome.UNCHANGED}


def test_what_is_no_column_any_more_is_in_no_journal_and_no_audit_entry(
    datastore: Datastore, ita: ExastroIta, workspace: Workspace
) -> None:
    ita.maintenance.change(workspace, "s", [updating(known(ita, workspace), q="y")], SYSTEM)
    with datastore.read() as session:
        told = session.scalars(select(ITA_JOURNAL.c["values"]).where(ITA_JOURNAL.c.menu == "s")).all()
    assert [("p" in one, one["q"]) for one in told] == [(False, "x"), (False, "y")]
    ita.maintenance.change(workspace, "s", [updating(known(ita, workspace), "Delete")], SYSTEM)
    with datastore.read() as session:
        [removed] = session.scalars(select(AUDIT.c.old).where(AUDIT.c.action == "record.removed"))
    assert ("p" in removed, removed["q"]) == (False, "y")
    # Whatever a source has left in a record.
    menu = a_menu(columns=[a_column("q"), a_column("r", Kind.PASSWORD)])
    stored = Record(UUID(int=1), {"p": "v1:xyz", "q": "x", "r": "v1:abc"}, False, NOW, "ann")
    assert journal.told(menu, Change(0, Action.DELETE, stored.id, {}, stored)) == {"q": "x"}
