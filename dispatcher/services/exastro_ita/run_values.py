"""Run values: what the records of sheets give the hosts of a run, as the inputs of a job (``services.job_inputs``).

A playbook sees the columns of the records for its host and the operation as variables, and no others. Of two with one
name that of the later menu, by name, counts; of two in one menu that of the later record; what is empty gives nothing.
Records without a host, of sheets that have none, are for every host, and come before all others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, select, union_all
from sqlalchemy.orm import Session

from dispatcher.core.errors import InvalidValue
from dispatcher.core.inputs import Input
from dispatcher.core.jobs import InputsFrom, Options
from dispatcher.core.permissions import SYSTEM, Caller
from dispatcher.core.ports import Now
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.exastro_ita import ITA_RECORDS, ItaWorkspace
from dispatcher.services.exastro_ita.catalogue import Catalogue
from dispatcher.services.exastro_ita.choices import Choices
from dispatcher.services.exastro_ita.columns import Column, Kind
from dispatcher.services.exastro_ita.host_groups import GROUPS, HostGroups
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.named_hosts import NamedHosts
from dispatcher.services.exastro_ita.operations import MENU as OPERATIONS
from dispatcher.services.exastro_ita.operations import NAME, PLANNED, select_text
from dispatcher.services.exastro_ita.records import Scope
from dispatcher.services.exastro_ita.rows import HOST, OPERATION, Rows
from dispatcher.services.exastro_ita.values import Forms
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.job_inputs import Called, Wanted
from dispatcher.services.portions import portions

#: The name that jobs have their values from.
PROVIDER = "exastro_ita"
#: The kinds of columns that are no values of a run.
_OTHER = frozenset({Kind.KEY, Kind.REMARKS, Kind.DISCARD, Kind.CHANGED_AT, Kind.CHANGED_BY, Kind.BUTTON})
_NOTHING = (None, "")
#: How many agents one statement names: it names them once for each part.
_AT_ONCE = 5_000

_COLUMNS = [ITA_RECORDS.c[name] for name in ("workspace_id", "operation_id", "agent_id", "menu", "number", "values")]
_LIVE = select(*_COLUMNS).where(
    ITA_RECORDS.c.operation_id.in_(bindparam("operations", expanding=True)), ITA_RECORDS.c.is_discarded.is_(False)
)
_GROUP_IDS = select(ITA_RECORDS.c.id).where(ITA_RECORDS.c.menu == GROUPS)
#: What concerns the agents, part by part: so that each part is found by the index, and no others are read.
_CONCERNING = union_all(
    _LIVE.where(ITA_RECORDS.c.agent_id.in_(bindparam("agents", expanding=True))),
    _LIVE.where(ITA_RECORDS.c.agent_id.is_(None)),
    _LIVE.where(ITA_RECORDS.c.agent_id.in_(_GROUP_IDS)),
)


class _Row(NamedTuple):
    """A live record of an operation, for a host, a group, or everybody."""

    workspace_id: UUID
    operation_id: UUID
    agent_id: UUID | None
    menu: str
    number: int
    values: Mapping[str, Any]


def inputs_of(operation_id: UUID) -> InputsFrom:
    """Return the option ``inputs`` of the job of a run for the operation."""
    return {"provider": PROVIDER, "of": str(operation_id)}


def options_of(operation_id: UUID) -> Options:
    """Return the options of the job of a run for the operation.

    As with the vendor, nothing waits any more beside a step that has failed (``chk_conductor_end`` of its
    ``conductor/classes/exec_util.py``).
    """
    return {"inputs": inputs_of(operation_id), "ends_waiting": True}


class RunValues:
    """Gives runs the values of their hosts. May be used by many threads."""

    is_per_run = False

    def __init__(
        self, now: Now, *, catalogue: Catalogue, choices: Choices, groups: HostGroups, hosts: NamedHosts
    ) -> None:
        self._now = now
        self._catalogue = catalogue
        self._choices = choices
        self._groups = groups
        self._hosts = hosts

    def inputs(self, session: Session, wanted: Collection[Wanted]) -> Mapping[Wanted, Sequence[Input]]:
        """Return what the hosts of *wanted* have for its operations (``InputProvider.inputs``)."""
        agents: defaultdict[UUID, dict[UUID, Wanted]] = defaultdict(dict)
        for one in wanted:
            agents[UUID(one.of)][one.agent_id] = one
        rows: defaultdict[UUID, list[_Row]] = defaultdict(list)
        for row in _read(session, list(agents), {one.agent_id for one in wanted}):
            rows[row.operation_id].append(row)
        scopes = _Scopes(session, self._now)
        found: dict[Wanted, Sequence[Input]] = {}
        for operation_id, some in rows.items():
            scope = scopes.of(some[0].workspace_id)
            mine = agents[operation_id]
            shower = _Shower(scope, self._choices.forms(scope), operation_id, mine)
            by_host = self._by_host(scope, operation_id, some, mine)
            found |= {mine[key]: shower.inputs(parts) for key, parts in by_host.items()}
        return found

    def called(self, session: Session, of: str, name: str) -> Called:
        """Return the operation *name* of the workspace of another one, and its hosts (``InputProvider.called``).

        :raises InvalidValue: if there is no live operation of this name.
        """
        scope = self._scope(session, of)
        found = None if scope is None else Rows(OPERATIONS).taken(scope, NAME, [name]).get(name)
        if scope is None or found is None:
            raise InvalidValue("operation", f"there is no operation {name[:100]}")
        return Called(str(found), self._hosts.of(scope, found))

    def agents(self, session: Session, of: str) -> Sequence[UUID]:
        """Return the hosts of the operation as they are now (``InputProvider.agents``)."""
        scope = self._scope(session, of)
        return () if scope is None else self._hosts.of(scope, UUID(of))

    def require(self, session: Session, of: str, caller: Caller) -> None:
        """Require nothing more (``InputProvider.require``): who may run a conductor may run it with these values."""

    def _scope(self, session: Session, of: str) -> Scope | None:
        """Return the scope of the workspace that the operation *of* is in; None if the operation is not there."""
        query = select(ITA_RECORDS.c.workspace_id).where(ITA_RECORDS.c.id == UUID(of))
        workspace_id = session.connection().execute(query).scalar()
        return None if workspace_id is None else _Scopes(session, self._now).of(workspace_id)

    def _by_host(
        self, scope: Scope, operation_id: UUID, rows: Sequence[_Row], hosts: Collection[UUID]
    ) -> dict[UUID, list[tuple[Menu, Mapping[str, Any]]]]:
        """Return the menus and values that each of *hosts* has by *rows*, the more important ones later."""
        by_menu: defaultdict[str, list[_Row]] = defaultdict(list)
        for row in rows:
            by_menu[row.menu].append(row)
        has_groups = any(row.agent_id is not None and row.agent_id not in hosts for row in rows)
        members = self._groups.members(scope, operation_id) if has_groups else None
        general: list[tuple[Menu, Mapping[str, Any]]] = []
        special: defaultdict[UUID, list[tuple[Menu, Mapping[str, Any]]]] = defaultdict(list)
        for name in sorted(by_menu):
            menu = self._catalogue.menu(scope.session, name)
            if menu is None or not menu.is_sheet:
                continue
            general += [(menu, row.values) for row in by_menu[name] if row.agent_id is None]
            own = [(row.agent_id, row.values) for row in by_menu[name] if row.agent_id is not None]
            if members is not None:
                own = [(key, values) for key, values in members.spread(own).items() if key in hosts]
            for key, values in own:
                special[key].append((menu, values))
        return {key: [*general, *special[key]] for key in hosts if general or key in special}


class _Scopes:
    """The scopes that values are read in: not whoever has started a run decides what its hosts get."""

    def __init__(self, session: Session, now: Now) -> None:
        self._session = session
        self._now = now

    def of(self, workspace_id: UUID) -> Scope:
        """Return that of the workspace."""
        query = select(ItaWorkspace).where(ItaWorkspace.id == workspace_id)
        row = self._session.scalars(query).one()
        workspace = Workspace(row.id, row.organization, row.name, row.team_id)
        return Scope(self._session, workspace, SYSTEM, self._now())


class _Shower:
    """Makes inputs of stored values, for an operation and *hosts* of one workspace."""

    def __init__(self, scope: Scope, forms: Forms, operation_id: UUID, hosts: Collection[UUID]) -> None:
        self._forms = forms
        self._columns: dict[str, list[Column]] = {}
        #: What is shown for the operation and the hosts: the lists of all of them are long.
        self._known: dict[tuple[str, str], str] = {}
        for record in Rows(OPERATIONS).read(scope, [operation_id]):
            planned = datetime.fromisoformat(record.values[PLANNED])
            self._known[OPERATION, str(operation_id)] = select_text(planned, record.values[NAME], forms.zone)
        for some in portions(hosts):
            query = select(AGENTS.c.id, AGENTS.c.name).where(AGENTS.c.id.in_(some))
            self._known |= {(HOST, str(key)): name for key, name in scope.session.connection().execute(query).tuples()}

    def inputs(self, parts: Iterable[tuple[Menu, Mapping[str, Any]]]) -> list[Input]:
        """Return what *parts* come to, each of a menu, the more important ones later."""
        found: dict[str, Input] = {}
        for menu, values in parts:
            for column in self._columns_of(menu):
                stored = values.get(column.name)
                given = None if stored in _NOTHING else self._input(column, stored)
                if given is not None:
                    found[column.name] = given
        return list(found.values())

    def _columns_of(self, menu: Menu) -> list[Column]:
        if menu.name not in self._columns:
            self._columns[menu.name] = [column for column in menu.columns if column.kind not in _OTHER]
        return self._columns[menu.name]

    def _input(self, column: Column, stored: Any) -> Input | None:
        """Return what a stored value comes to; None for a choice that is there no more."""
        if column.kind is Kind.PASSWORD:
            return Input(column.name, stored, is_secret=True)
        if column.kind is Kind.FILE:
            return Input(column.name, stored["name"], sha256=stored["sha256"])
        known = self._known.get((column.name, stored)) if isinstance(stored, str) else None
        if known is not None:
            return Input(column.name, known)
        if column.kind is Kind.CHOICE and not column.is_many and stored not in self._forms.lists.of(column.choices):
            return None
        return Input(column.name, self._forms.shown(column, stored))


def _read(session: Session, operations: Sequence[UUID], agents: Collection[UUID]) -> Iterator[_Row]:
    """Give the live records of the *operations* that concern the *agents*, in the order of their numbers."""
    found: dict[tuple[UUID, str, int], _Row] = {}
    for some in portions(agents, _AT_ONCE):
        given = {"operations": operations, "agents": some}
        for row in session.connection().execute(_CONCERNING, given).tuples():
            one = _Row(*row)
            found[one.workspace_id, one.menu, one.number] = one
    yield from (found[key] for key in sorted(found, key=lambda key: key[2]))
