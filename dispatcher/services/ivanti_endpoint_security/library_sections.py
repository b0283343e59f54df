"""Library sections: what library files may have of this dialect (``services.library.registry``)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.datastore import revisions
from dispatcher.datastore.ivanti_endpoint_security import IesAgentPolicy
from dispatcher.services.ivanti_endpoint_security.policies import Policy
from dispatcher.services.library import aliases
from dispatcher.services.library.claiming import claim_named
from dispatcher.services.library.entries import NamedEntry
from dispatcher.services.library.items import Item
from dispatcher.services.library.names import Names
from dispatcher.services.library.sections import Exporting, Importing


class AgentPolicyEntry(NamedEntry):
    """What users of the computers of a team, or of all, may do about notices that leave that to the policy."""

    team: str | None = None
    allow_cancel: bool = False
    allow_snooze: bool = True
    on_top: bool = True


class AgentPolicySection:
    """The ``agent_policies`` of library files."""

    name = "agent_policies"
    entry = AgentPolicyEntry
    revision = revisions.LIBRARY

    def names(self, session: Session) -> Names:
        """Return what is stored."""
        stored = session.execute(select(IesAgentPolicy.id, IesAgentPolicy.name))
        return Names("agent policy", [(key, "", name) for key, name in stored])

    def check(self, item: Item[AgentPolicyEntry]) -> None:
        """Note aliases, which policies cannot have."""
        aliases.check(item, item.entry.aliases, self.name)

    def claim(self, importing: Importing, item: Item[AgentPolicyEntry]) -> None:
        """Give the item the policy with its id, else that of its name, else a new one."""
        claim_named(importing, item, IesAgentPolicy())

    def fill(self, importing: Importing, item: Item[AgentPolicyEntry]) -> None:
        """Make the row what the entry says."""
        entry, team_id = item.entry, None
        if entry.team is not None:
            team_id = importing.find("teams", entry.team, item, "team")
            if team_id is None:
                return
        policy = Policy(allow_cancel=entry.allow_cancel, allow_snooze=entry.allow_snooze, on_top=entry.on_top)
        if item.assign(name=entry.name, team_id=team_id, document=policy.model_dump()):
            item.changed(importing.now, importing.caller.name)
        importing.session.add(item.row)
        # At once, because another entry of these files may get the name that this one had.
        importing.session.flush()

    def dump(self, exporting: Exporting, key: UUID) -> dict[str, Any]:
        """Return the stored policy *key* as a member of the section."""
        row = exporting.session.get_one(IesAgentPolicy, key)
        team = None if row.team_id is None else exporting.names["teams"].shortest(row.team_id)
        entry = {"name": row.name, "id": str(row.id), **({} if team is None else {"team": team})}
        return {**entry, **Policy.model_validate(row.document).model_dump()}


SECTIONS = (AgentPolicySection(),)
