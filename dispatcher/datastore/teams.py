"""Teams: groups of agents, by list or by rule."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, Id, Name, Number, Updated
from dispatcher.datastore.naming import FoundByName


class Team(FoundByName, Updated, Base):
    """A team: its members are those listed and, when it has a rule, every agent that the rule fits."""

    __tablename__ = "team"
    __table_args__ = (UniqueConstraint("folder_id", "name"),)

    number: Mapped[Number]
    id: Mapped[Id]
    folder_id: Mapped[UUID | None] = mapped_column(ForeignKey("folder.id"))
    name: Mapped[Name]
    description: Mapped[str]
    enabled: Mapped[bool]
    rule: Mapped[str | None]
    #: When work may start on agents whose primary team it is (``core.windows``); None: as the site says.
    launch_window: Mapped[str | None]


class TeamMember(Base):
    """An agent listed as a member of a team."""

    __tablename__ = "team_member"

    team_id: Mapped[UUID] = mapped_column(ForeignKey("team.id", ondelete="CASCADE"), primary_key=True)
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agent.id", ondelete="CASCADE"), primary_key=True, index=True)
