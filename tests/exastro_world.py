"""Exastro ITA's world: a workspace with its hosts and operations, and a sheet, made without any request.

Each builder names only what matters; what it makes lies in the datastore at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dispatcher.core.permissions import SYSTEM, Caller
from dispatcher.datastore import revisions
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.exastro_ita import ItaMenu, ItaRecord, ItaUnique, ItaWorkspace
from dispatcher.datastore.teams import Team, TeamMember
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.catalogue import Catalogue
from dispatcher.services.exastro_ita.choices import Choices, Lister
from dispatcher.services.exastro_ita.columns import Column, Kind, Label
from dispatcher.services.exastro_ita.maintenance import Changed, Maintenance
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.messages import InvalidRecords, Message
from dispatcher.services.exastro_ita.queries import RecordQueries
from dispatcher.services.exastro_ita.records import Record, Scope, Source
from dispatcher.services.exastro_ita.rows import HOST, OPERATION, Rows, digest
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.hall import Hall

ORGANIZATION, WORKSPACE = "org9", "ws2"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
#: When the operations here are planned for.
PLANNED = datetime(2031, 6, 1, 2, 0, tzinfo=UTC)

#: A workspace with a host, and two conductors that run on it: the second one waits before it does anything.
LIBRARY_OF_RIGHTS = """
agents: [{name: h1}]
teams: [{name: Ring 1, agents: [h1]}]
workspaces: [{name: ws2, organization: org9, team: Ring 1}]
modules:
  - {name: Say, tasks: [{type: command, name: say, settings: {command: echo said}}]}
runbooks:
  - {name: nightly, steps: [{name: one, module: Say, who: [{agent: h1}]}]}
  - {name: waiting, steps: [{name: one, module: Say, who: [{agent: h1}], wait_for_approval: true}]}
"""

KEY = Column("uuid", Label("項番", "Item No."), Kind.KEY, is_unique=True, is_auto=True, input="0")
#: The columns that every menu ends with.
COMMON = (
    Column("remarks", Label("備考", "Remarks"), Kind.REMARKS, max_bytes=4000),
    Column("discard", Label("廃止フラグ", "Discard"), Kind.DISCARD),
    Column(
        "last_update_date_time",
        Label("最終更新日時", "Last update date/time"),
        Kind.CHANGED_AT,
        is_auto=True,
        input="0",
    ),
    Column("last_updated_user", Label("最終更新者", "Last updated by"), Kind.CHANGED_BY, is_auto=True, input="0"),
)


def a_column(name: str, kind: Kind = Kind.TEXT, **rest: Any) -> Column:
    """Return a column that is called as its REST name is."""
    return Column(name, Label(name, name), kind, **rest)


#: The columns of ``a_menu``, as the seed's sample menus have them.
SAMPLE = (a_column("column_1", max_bytes=8), a_column("column_2", Kind.FILE))


def a_menu(
    name: str = "sheet_a", columns: Iterable[Column] = SAMPLE, *, source: Source | None = None, **rest: Any
) -> Menu:
    """Return a menu with *columns* between its key and those that all menus have; an ordinary one, with rows."""
    found = (KEY, *columns, *COMMON)
    return Menu(name, Label(name, name), found, source or Rows(name), **rest)


#: The columns of a stored sheet, as those of the seed's sample menus.
SHEET = ({"name": "column_1", "max_bytes": 8}, {"name": "column_2", "kind": "file"})


def a_sheet(datastore: Datastore, name: str = "sheet_a", columns: Iterable[Mapping[str, Any]] = SHEET) -> UUID:
    """Store a parameter sheet with *columns* after host and operation, as ``library import`` does; return its id."""
    key = uuid4()
    definition = {"name": name, "type": 1, "columns": [dict(column) for column in columns]}
    with datastore.begin() as session:
        session.add(ItaMenu(id=key, name=name, definition=definition, updated_at=NOW, updated_by="test"))
        revisions.bump(session, revisions.LIBRARY)
    return key


def a_workspace(
    datastore: Datastore,
    name: str = WORKSPACE,
    *,
    organization: str = ORGANIZATION,
    team: str = "",
    hosts: Iterable[str] = ("h1", "h2"),
) -> Workspace:
    """Make a workspace for a team (of the same name unless given) that has *hosts*, which never enrolled."""
    with datastore.begin() as session:
        team_id, workspace_id = uuid4(), uuid4()
        stamp = {"updated_at": NOW, "updated_by": "test"}
        session.add(Team(id=team_id, name=team or name, description="", enabled=True, rule=None, **stamp))
        for host in hosts:
            agent_id = uuid4()
            session.add(Agent(id=agent_id, name=host, **stamp))
            session.flush()
            session.add(TeamMember(team_id=team_id, agent_id=agent_id))
        session.flush()
        session.add(ItaWorkspace(id=workspace_id, organization=organization, name=name, team_id=team_id, **stamp))
        revisions.bump(session, revisions.TOPOLOGY)
        revisions.bump(session, revisions.LIBRARY)
    return Workspace(workspace_id, organization, name, team_id)


def hosts_of(datastore: Datastore, workspace: Workspace) -> dict[str, UUID]:
    """Return the hosts of the workspace by name."""
    query = select(Agent.name, Agent.id).join(TeamMember, TeamMember.agent_id == Agent.id)
    with datastore.read() as session:
        return dict(session.execute(query.where(TeamMember.team_id == workspace.team_id)).tuples().all())


def an_operation(
    datastore: Datastore, workspace: Workspace, name: str = "op-1", *, planned: datetime = PLANNED
) -> UUID:
    """Make an operation; return its id. It is shown as ``2031/06/01 02:00_op-1`` where the site is in UTC."""
    values = {"operation_name": name, "scheduled_date_for_execution": planned.isoformat()}
    return a_record(datastore, workspace, "operation_list", unique=("operation_name",), **values)


def a_record(
    datastore: Datastore,
    workspace: Workspace,
    menu: str,
    *,
    is_discarded: bool = False,
    unique: Iterable[str] = (),
    **values: Any,
) -> UUID:
    """Make a record of a menu of rows with *values* in their stored form; return its id. *unique* columns are noted."""
    key = uuid4()
    with datastore.begin() as session:
        last = session.scalar(select(func.max(ItaRecord.number)).where(ItaRecord.workspace_id == workspace.id)) or 0
        row = ItaRecord(id=key, workspace_id=workspace.id, menu=menu, number=last + 1, values=values)
        row.is_discarded, row.updated_at, row.updated_by = is_discarded, NOW, "test"
        row.operation_id, row.agent_id = (UUID(values[one]) if one in values else None for one in (OPERATION, HOST))
        session.add(row)
        for column in () if is_discarded else unique:
            place = {"workspace_id": workspace.id, "menu": menu, "column": column}
            session.add(ItaUnique(**place, digest=digest(values[column]), record_id=key))
    return key


def a_scope(session: Session, workspace: Workspace, caller: Caller = SYSTEM, now: datetime = NOW) -> Scope:
    """Return the scope of a change or a look in the transaction of *session*."""
    return Scope(session, workspace, caller, now)


@contextmanager
def changing(datastore: Datastore, workspace: Workspace, caller: Caller = SYSTEM) -> Iterator[Scope]:
    """Give a scope to change records in; committed at the end."""
    with datastore.begin() as session:
        yield a_scope(session, workspace, caller)


def records_of(datastore: Datastore, workspace: Workspace, menu: Menu) -> list[Record]:
    """Return all records of the menu in their order."""
    with datastore.read() as session:
        return list(menu.source.read(a_scope(session, workspace)))


@dataclass(frozen=True, slots=True)
class World:
    """Some menus over a hall: their records are changed and read as clients do, in one workspace."""

    workspace: Workspace
    maintenance: Maintenance
    queries: RecordQueries
    menus: Mapping[str, Menu]

    def change(self, *records: Mapping[str, Any], menu: str = "", caller: Caller = SYSTEM, **more: Any) -> Changed:
        """Change *records* of the menu, the first one unless named."""
        return self.maintenance.change(self.workspace, menu or next(iter(self.menus)), records, caller, **more)

    def faults(self, *records: Mapping[str, Any], menu: str = "", **more: Any) -> dict[int, dict[str, list[Message]]]:
        """Return what is wrong with *records*, none of which is changed."""
        with pytest.raises(InvalidRecords) as caught:
            self.change(*records, menu=menu, **more)
        return {
            index: {name: list(some) for name, some in found.items()} for index, found in caught.value.faults.items()
        }

    def find(self, body: Any = None, *, menu: str = "", **more: Any) -> list[dict[str, Any]]:
        """Return what a filter finds."""
        return self.queries.filter(self.workspace, menu or next(iter(self.menus)), body, SYSTEM, **more)

    def parameters(self, body: Any = None, *, menu: str = "") -> list[dict[str, Any]]:
        """Return the member ``parameter`` of what a filter finds."""
        return [one["parameter"] for one in self.find(body, menu=menu)]

    def known(self, key: UUID | str, *, menu: str = "") -> dict[str, Any]:
        """Return the members by which a client says which record it means, and as it was when."""
        name = self.menus[menu or next(iter(self.menus))].key.name
        [found] = self.parameters({name: {"LIST": [str(key)]}}, menu=menu)
        return {one: found[one] for one in (name, "last_update_date_time")}


def a_world(hall: Hall, workspace: Workspace, *menus: Menu, lists: Mapping[str, Lister] | None = None) -> World:
    """Return what changes and reads the records of *menus*, whose pulldowns are from *lists*."""
    catalogue = Catalogue(Rows)
    catalogue.add(menus)
    choices = Choices(catalogue, hall.settings, hall.secrets, listers=lists or {}, finders={})
    maintenance = Maintenance(
        hall.datastore, hall.ports, catalogue=catalogue, choices=choices, settings=hall.settings, submits=hall.submits
    )
    queries = RecordQueries(hall.datastore, hall.ports, catalogue, choices)
    return World(workspace, maintenance, queries, {menu.name: menu for menu in menus})


def registering(**parameter: Any) -> dict[str, Any]:
    """Return what registers a record."""
    return {"type": "Register", "parameter": parameter}


def updating(known: Mapping[str, Any], kind: str = "Update", **parameter: Any) -> dict[str, Any]:
    """Return what does *kind* with the record that is *known*."""
    return {"type": kind, "parameter": {**known, **parameter}}
