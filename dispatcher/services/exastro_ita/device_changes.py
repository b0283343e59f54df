"""Device changes: what becomes of agents, of their team and of what the workspace knows of them, all at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select, update

from dispatcher.core.jobs import WhoChoice, WhoKind
from dispatcher.datastore import revisions
from dispatcher.datastore.agents import AGENTS, Agent
from dispatcher.datastore.exastro_ita import ITA_DETAILS, ITA_RECORDS, ItaWorkspace, owner_of_detail
from dispatcher.datastore.inserting import Inserting
from dispatcher.datastore.teams import Team, TeamMember
from dispatcher.services import audit
from dispatcher.services.audit import Subject
from dispatcher.services.exastro_ita import files
from dispatcher.services.exastro_ita.host_groups import HOST_LINKS, to_key
from dispatcher.services.exastro_ita.hosts import DEVICE_LIST
from dispatcher.services.exastro_ita.records import Action, Change, Scope
from dispatcher.services.memberships import MAX_CHANGES, Memberships
from dispatcher.services.portions import portions
from dispatcher.services.removals import Removals

#: The columns that are the agent's, and their names there.
_OF_AGENT = {"host_name": "name", "ip_address": "address"}
#: The columns with files.
_FILES = ("ssh_private_key_file", "winrm_public_key_file", "winrm_private_key_file")
#: What the audit does not tell.
_SECRET = frozenset({"login_password", "passphrase"})
_INSERT = Inserting(ITA_DETAILS)
_INSERT_MEMBERS = insert(TeamMember)
_WRITTEN = ("values", "is_discarded", "changed_at", "changed_by")
_UPDATE = (
    update(ITA_DETAILS)
    .where(ITA_DETAILS.c.workspace_id == bindparam("of"), ITA_DETAILS.c.object_id == bindparam("key"))
    .values({name: bindparam(f"new_{name}") for name in _WRITTEN})
)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A device as the last of its changes leaves it; ``was`` without values if it is new."""

    id: UUID
    name: str
    is_new: bool
    is_gone: bool
    was: Mapping[str, Any]
    was_discarded: bool
    values: Mapping[str, Any]
    is_discarded: bool

    @property
    def of_agent(self) -> dict[str, str]:
        """What the agent has to become, by its own names for it."""
        was, now = ({name: values.get(name) or "" for name in _OF_AGENT} for values in (self.was, self.values))
        return {_OF_AGENT[name]: text for name, text in now.items() if text != was[name]}

    @property
    def details(self) -> dict[str, Any]:
        """What the workspace keeps of it."""
        return {name: value for name, value in self.values.items() if name not in _OF_AGENT}


class DeviceChanges:
    """Stores devices. Rights and values were checked; the agents of those that are there are locked."""

    def __init__(self, memberships: Memberships, removals: Removals) -> None:
        self._memberships = memberships
        self._removals = removals

    def store(self, scope: Scope, changes: Sequence[Change]) -> None:
        """Store the outcome of *changes*, which come in order; a few statements for all of them.

        :raises HeldByRule: if one is to be deleted that is in the team by the team's rule.
        """
        outcomes = _outcomes(changes)
        stay = [outcome for outcome in outcomes if not outcome.is_gone]
        _make_agents(scope, [outcome for outcome in stay if outcome.is_new])
        _change_agents(scope, [outcome for outcome in stay if not outcome.is_new and outcome.of_agent])
        _keep(scope, stay)
        self._take_out(scope, [outcome.id for outcome in outcomes if outcome.is_gone and not outcome.is_new])

    def _take_out(self, scope: Scope, ids: Sequence[UUID]) -> None:
        """Take the agents out of the team, and remove those that nothing else needs."""
        team = WhoChoice([scope.workspace.team_id], WhoKind.TEAM)
        for some in portions(ids, MAX_CHANGES):
            self._memberships.take_out(team, [WhoChoice([key], WhoKind.AGENT) for key in some], scope.caller)
            mine = (ITA_DETAILS.c.workspace_id == scope.workspace.id) & ITA_DETAILS.c.object_id.in_(some)
            scope.session.connection().execute(delete(ITA_DETAILS).where(mine))
            files.let_go(scope.session, [owner_of_detail(scope.workspace.id, key) for key in some])
            elsewhere = _named(scope, some)
            self._removals.remove_unused([key for key in some if key not in elsewhere], scope.caller)


def _named(scope: Scope, ids: Collection[UUID]) -> set[UUID]:
    """Return those of the agents that a workspace knows something of, or has records for, discarded ones too."""
    connection = scope.session.connection()
    details = select(ITA_DETAILS.c.object_id).where(ITA_DETAILS.c.object_id.in_(ids))
    records = select(ITA_RECORDS.c.agent_id).where(ITA_RECORDS.c.agent_id.in_(ids)).distinct()
    of_workspaces = ITA_RECORDS.c.workspace_id.in_(select(ItaWorkspace.id))  # there is an index for that
    links = select(ITA_RECORDS.c["values"]).where(of_workspaces, ITA_RECORDS.c.menu == HOST_LINKS)
    linked = {to_key(values.get("hostname")) for values in connection.execute(links).scalars()}
    return {*connection.execute(details).scalars(), *connection.execute(records).scalars(), *(linked & {*ids})}


def _outcomes(changes: Iterable[Change]) -> list[_Outcome]:
    found: dict[UUID, _Outcome] = {}
    for change in changes:
        earlier, before = found.get(change.id), change.before
        was = earlier.was if earlier else dict(before.values) if before else {}
        was_discarded = earlier.was_discarded if earlier else before is not None and before.is_discarded
        values = {**(earlier.values if earlier else was), **change.values}
        found[change.id] = _Outcome(
            id=change.id,
            name=str(values.get("host_name") or ""),
            is_new=earlier.is_new if earlier else before is None,
            is_gone=change.action is Action.DELETE,
            was=was,
            was_discarded=was_discarded,
            values=values,
            is_discarded=change.is_discarded,
        )
    return list(found.values())


def _make_agents(scope: Scope, outcomes: Sequence[_Outcome]) -> None:
    """Make agents that have never enrolled, members of the team, which is their primary one."""
    if not outcomes:
        return
    session, team_id = scope.session, scope.workspace.team_id
    stamp = {"updated_at": scope.now, "updated_by": scope.caller.name}
    agents = [
        {"id": outcome.id, "address": "", **outcome.of_agent, "primary_team_id": team_id, **stamp}
        for outcome in outcomes
    ]
    # Not as objects: for these some databases would be asked for each number.
    session.connection().execute(insert(AGENTS), agents)
    members = [{"team_id": team_id, "agent_id": outcome.id} for outcome in outcomes]
    session.connection().execute(_INSERT_MEMBERS, members)
    noted = update(Team).where(Team.id == team_id).values(**stamp)
    session.execute(noted, execution_options={"synchronize_session": False})
    revisions.bump(session, revisions.TOPOLOGY)
    team = audit.named(session.scalar(select(Team.name).where(Team.id == team_id)) or "", team_id)
    changes = [
        audit.Change(
            "agent.created",
            Subject("agent", outcome.name, outcome.id),
            new={"address": outcome.of_agent.get("address", ""), "primary_team": team},
        )
        for outcome in outcomes
    ]
    audit.record_all(session, scope.now, scope.caller, changes)


def _change_agents(scope: Scope, outcomes: Sequence[_Outcome]) -> None:
    if not outcomes:
        return
    session, changes = scope.session, []
    agents = _agents(scope, [outcome.id for outcome in outcomes])
    for outcome in outcomes:
        agent, new = agents[outcome.id], outcome.of_agent
        old = {name: getattr(agent, name) for name in new}
        for name, value in new.items():
            setattr(agent, name, value)
        agent.updated_at, agent.updated_by = scope.now, scope.caller.name
        changes.append(audit.Change("agent.changed", Subject("agent", outcome.name, outcome.id), old, new))
    session.flush()
    revisions.bump(session, revisions.TOPOLOGY)
    audit.record_all(session, scope.now, scope.caller, changes)


def _agents(scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Agent]:
    found: dict[UUID, Agent] = {}
    for some in portions(ids):
        found |= {agent.id: agent for agent in scope.session.scalars(select(Agent).where(Agent.id.in_(some)))}
    return found


def _keep(scope: Scope, outcomes: Sequence[_Outcome]) -> None:
    """Keep what only this dialect knows of the devices, and note what of it is another than before."""
    known = _known(scope, [outcome.id for outcome in outcomes if not outcome.is_new])
    stamp = {"changed_at": scope.now, "changed_by": scope.caller.name[:255]}
    new, changed = [], []
    for outcome in outcomes:
        written = {"values": outcome.details, "is_discarded": outcome.is_discarded, **stamp}
        if outcome.id in known:
            place = {"of": scope.workspace.id, "key": outcome.id}
            changed.append({**place, **{f"new_{name}": value for name, value in written.items()}})
        else:
            place = {"workspace_id": scope.workspace.id, "object_id": outcome.id}
            new.append({**place, "menu": DEVICE_LIST, **written})
    _INSERT.all(scope.session, new)
    if changed:
        scope.session.connection().execute(_UPDATE, changed)
    files.let_go(scope.session, [owner_of_detail(scope.workspace.id, key) for key in known])
    kept = (
        files.named_in(owner_of_detail(scope.workspace.id, outcome.id), outcome.details, _FILES) for outcome in outcomes
    )
    files.keep_all(scope.session, chain.from_iterable(kept))
    audit.record_all(scope.session, scope.now, scope.caller, [_told(scope, outcome) for outcome in outcomes])


def _known(scope: Scope, ids: Sequence[UUID]) -> set[UUID]:
    """Return those of the agents that the workspace keeps something of."""
    found: set[UUID] = set()
    for some in portions(ids):
        mine = (ITA_DETAILS.c.workspace_id == scope.workspace.id) & ITA_DETAILS.c.object_id.in_(some)
        found |= set(scope.session.connection().execute(select(ITA_DETAILS.c.object_id).where(mine)).scalars())
    return found


def _told(scope: Scope, outcome: _Outcome) -> audit.Change:
    """Return what the audit says of the device, beside what it says of the agent."""
    changed = {name for name, value in outcome.details.items() if value != outcome.was.get(name)}
    plain = changed - _SECRET
    old, new = ({name: values.get(name) for name in plain} for values in (outcome.was, outcome.values))
    # Of a secret that it is another one, never which.
    new |= dict.fromkeys(changed & _SECRET, "changed")
    old["discarded"], new["discarded"] = outcome.was_discarded, outcome.is_discarded
    if old != new:
        new["workspace"] = f"{scope.workspace.organization}/{scope.workspace.name}"
    return audit.Change("device.changed", Subject("agent", outcome.name, outcome.id), old, new)
