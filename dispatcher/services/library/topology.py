"""Library topology: the ``agents`` and ``teams`` sections of library files. What is not given stays as it is."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from dispatcher.core import team_rules
from dispatcher.core.rules import InvalidRule
from dispatcher.datastore import revisions
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.teams import Team, TeamMember
from dispatcher.services import holds
from dispatcher.services.library import aliases, filed
from dispatcher.services.library.entries import AgentEntry, TeamEntry
from dispatcher.services.library.items import Item, Outcome
from dispatcher.services.library.names import Names
from dispatcher.services.library.sections import Exporting, Importing


class AgentSection:
    """Agents, known before they enrol or enrolled already. Their names may repeat."""

    name = "agents"
    entry = AgentEntry
    revision = revisions.TOPOLOGY

    def names(self, session: Session) -> Names:
        """Return the stored agents."""
        present = select(Agent.id, Agent.name).where(Agent.removed_at.is_(None))
        return Names("agent", [(key, "", name) for key, name in session.execute(present)])

    def check(self, item: Item[AgentEntry]) -> None:
        """Note aliases that agents cannot have."""
        aliases.check(item, item.entry.aliases, self.name)

    def claim(self, importing: Importing, item: Item[AgentEntry]) -> None:
        """Give the item the agent with its id, else the only one of its name, else a new one."""
        entry, names = item.entry, importing.names[self.name]
        same = [] if entry.id else names.at("", entry.name)
        if len(same) > 1:
            item.problem("several agents have this name: give the id", "name")
            return
        wanted: UUID | None = entry.id or (same[0] if same else None)
        if wanted in importing.claimed:
            item.problem("is given twice", "id" if entry.id else "name")
            return
        if wanted is not None and wanted in names:
            item.row = importing.session.scalars(select(Agent).where(Agent.id == wanted)).one()
        else:
            item.row, item.outcome = _new_agent(importing, wanted), Outcome.CREATED
        importing.claimed.add(item.row.id)
        names.put(item.row.id, "", entry.name)
        if item.assign(name=entry.name):
            item.changed(importing.now, importing.caller.name)
        importing.session.add(item.row)

    def fill(self, importing: Importing, item: Item[AgentEntry]) -> None:
        """Make the row what the entry says, as far as it says it."""
        entry = item.entry
        values: dict[str, Any] = {"address": entry.address, "licensed": entry.licensed}
        values["macs"] = entry.macs if entry.mac is None else [entry.mac, *(entry.macs or [])]
        if entry.primary_team is not None:
            values["primary_team_id"] = importing.find("teams", entry.primary_team, item, "primary_team")
        known = {name: value for name, value in values.items() if value is not None}
        if entry.gateway is not None:
            known["gateway_id"] = importing.find("agents", entry.gateway, item, "gateway") if entry.gateway else None
        if entry.launch_window is not None:
            known["launch_window"] = entry.launch_window or None
        windows = (item.row.launch_window, item.row.primary_team_id)
        if "primary_team_id" in known:
            item.note("primary_team", *(_team(importing, key) for key in (windows[1], known["primary_team_id"])))
        if item.assign(**known):
            item.changed(importing.now, importing.caller.name)
        if windows != (item.row.launch_window, item.row.primary_team_id):
            holds.look_again(importing.session, importing.now, select(Agent.id).where(Agent.id == item.row.id))
        importing.aliases.want(item, item.row.id, entry.aliases)

    def dump(self, exporting: Exporting, key: UUID) -> dict[str, Any]:
        """Return the stored agent *key* as a member of the section."""
        row = exporting.session.scalars(select(Agent).where(Agent.id == key)).one()
        entry: dict[str, Any] = {"name": row.name, "id": str(row.id), "address": row.address, "macs": row.macs}
        if row.primary_team_id is not None:
            entry["primary_team"] = exporting.names["teams"].shortest(row.primary_team_id)
        if row.gateway_id is not None and row.gateway_id in exporting.names["agents"]:
            entry["gateway"] = exporting.names["agents"].shortest(row.gateway_id)
        if not row.licensed:
            entry["licensed"] = False
        if row.launch_window:
            entry["launch_window"] = row.launch_window
        entry["aliases"] = aliases.dump(exporting.aliases.get(key, {}))
        return entry


def _new_agent(importing: Importing, wanted: UUID | None) -> Agent:
    """Return an agent that has never enrolled, with the id *wanted* if there is one: perhaps a removed one's."""
    if wanted is None:
        return Agent(id=importing.ports.new_id())
    # Locked: what nobody needs any more of a removed agent may be about to go (``Removals.forget``).
    query = select(Agent).where(Agent.id == wanted).with_for_update(key_share=True)
    removed = importing.session.scalars(query).one_or_none()
    if removed is None:
        return Agent(id=wanted)
    removed.removed_at = removed.enrolled_at = None
    removed.boot_id = ""
    return removed


class TeamSection:
    """Teams with their rules and the agents listed in them."""

    name = "teams"
    entry = TeamEntry
    revision = revisions.TOPOLOGY

    def names(self, session: Session) -> Names:
        """Return the stored teams."""
        return filed.read_names(session, Team, "team")

    def check(self, item: Item[TeamEntry]) -> None:
        """Note a rule that is none, and aliases that teams cannot have."""
        if item.entry.rule:
            try:
                team_rules.parse(item.entry.rule)
            except InvalidRule as error:
                item.problem(error.message.removeprefix("rule: "), "rule")
        aliases.check(item, item.entry.aliases, self.name)

    def claim(self, importing: Importing, item: Item[TeamEntry]) -> None:
        """Give the item its row (see ``filed.claim``)."""
        new = Team(description="", enabled=True, rule=None)
        filed.claim(importing, item, new, item.entry.folder)

    def fill(self, importing: Importing, item: Item[TeamEntry]) -> None:
        """Make the row what the entry says, as far as it says it; an empty rule or window takes it away."""
        entry = item.entry
        values = {"description": entry.description, "enabled": entry.enabled}
        changed = item.assign(**{name: value for name, value in values.items() if value is not None})
        if entry.rule is not None:
            changed |= item.assign(rule=entry.rule or None)
        if entry.launch_window is not None and item.assign(launch_window=entry.launch_window or None):
            members = select(Agent.id).where(Agent.primary_team_id == item.row.id)
            holds.look_again(importing.session, importing.now, members)
            changed = True
        if entry.agents is not None:
            changed |= _set_members(importing, item, entry.agents)
        if changed:
            item.changed(importing.now, importing.caller.name)
        importing.aliases.want(item, item.row.id, entry.aliases)

    def dump(self, exporting: Exporting, key: UUID) -> dict[str, Any]:
        """Return the stored team *key* as a member of the section."""
        row = exporting.session.scalars(select(Team).where(Team.id == key)).one()
        names = exporting.names["agents"]
        members = set(exporting.session.scalars(select(TeamMember.agent_id).where(TeamMember.team_id == key)))
        listed = [names.shortest(agent_id) for agent_id in names.sorted() if agent_id in members]
        entry = {**filed.dump_filed(exporting, row), "agents": listed, "rule": row.rule or ""}
        if row.launch_window:
            entry["launch_window"] = row.launch_window
        return entry


def _team(importing: Importing, key: UUID | None) -> str | None:
    return None if key is None else importing.names["teams"].shortest(key)


def _set_members(importing: Importing, item: Item[TeamEntry], texts: list[str]) -> bool:
    found = [importing.find("agents", text, item, "agents", place) for place, text in enumerate(texts)]
    wanted = {agent_id for agent_id in found if agent_id is not None}
    stored = set(importing.session.scalars(select(TeamMember.agent_id).where(TeamMember.team_id == item.row.id)))
    agents = importing.names["agents"]
    item.note("agents", *(sorted(map(agents.shortest, some)) for some in (stored - wanted, wanted - stored)))
    for agent_id in sorted(wanted - stored):
        importing.session.add(TeamMember(team_id=item.row.id, agent_id=agent_id))
    if gone := stored - wanted:
        importing.session.execute(
            delete(TeamMember).where(TeamMember.team_id == item.row.id, TeamMember.agent_id.in_(gone))
        )
    return wanted != stored
