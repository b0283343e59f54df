"""Inventory: agents as assets, teams as asset groups, modules as standards, as far as a caller may see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from dispatcher.core.errors import InvalidValue, NotFound
from dispatcher.core.jobs import WhatKind, Who, WhoKind
from dispatcher.core.permissions import Caller
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.modules import Module
from dispatcher.datastore.teams import Team
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access import readable_agents, readable_teams
from dispatcher.services.library.catalogue import Library
from dispatcher.services.symantec_ccs import names, rights
from dispatcher.services.symantec_ccs.rights import require
from dispatcher.services.topology import Topology


class AssetNotFound(NotFound):
    """No asset has this id that the caller may see."""

    code = "asset.not_found"
    kind = "asset"


class AssetGroupNotFound(NotFound):
    """No asset group has this id that the caller may see."""

    code = "asset_group.not_found"
    kind = "asset group"


@dataclass(frozen=True, slots=True)
class Asset:
    """A computer that runs work. ``external_id`` is by what clients know it."""

    external_id: str
    id: UUID
    name: str
    os: str
    os_version: str
    address: str
    hostname: str
    facts: Mapping[str, Any]
    created_at: datetime | None
    changed_at: datetime
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AssetGroup:
    """A group of assets, in a folder whose path has ``/`` between names."""

    external_id: str
    id: UUID
    name: str
    description: str
    folder: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Standard:
    """What assets are checked against, in a folder whose path has ``/`` between names."""

    external_id: str
    id: UUID
    name: str
    description: str
    folder: str
    platforms: tuple[str, ...]
    version: int
    author: str
    changed_at: datetime


class Inventory:
    """Finds and lists what jobs of this dialect are about."""

    def __init__(self, datastore: Datastore, *, topology: Topology, library: Library) -> None:
        self._datastore = datastore
        self._topology = topology
        self._library = library

    def find_standards(self, session: Session, ids: Sequence[str]) -> list[UUID]:
        """Return the modules that *ids* name, in order, each once.

        :raises InvalidValue: if one names none.
        """
        keys = names.find_all(session, names.STANDARD, ids)
        present = {row.id for row in _rows(session, select(Module.id), Module.id, keys)}
        found: dict[UUID, None] = {}
        for place, key in enumerate(keys):
            if key is None or key not in present:
                raise InvalidValue(f"Standards[{place}]", f"no standard {ids[place][:100]}")
            found[key] = None
        return list(found)

    def find_targets(self, session: Session, ids: Sequence[str]) -> list[Who]:
        """Return the agents and teams that *ids* name, in order, each once.

        :raises InvalidValue: if one names none.
        """
        agents, teams = (names.find_all(session, kind, ids) for kind in (names.ASSET, names.ASSET_GROUP))
        who: dict[UUID | None, Who] = {}
        query: Select[Any] = select(Team.id, Team.name).where(Team.enabled)
        for row in _rows(session, query, Team.id, teams):
            who[row.id] = Who(row.id, row.name, WhoKind.TEAM)
        query = select(Agent.id, Agent.name).where(Agent.removed_at.is_(None))
        for row in _rows(session, query, Agent.id, agents):
            who[row.id] = Who(row.id, row.name, WhoKind.AGENT)
        found: dict[UUID, Who] = {}
        for place, keys in enumerate(zip(agents, teams, strict=True)):
            one = who.get(keys[0]) or who.get(keys[1])
            if one is None:
                raise InvalidValue(f"AssetsResolutionInfo[{place}].Id", f"no asset or asset group {ids[place][:100]}")
            found[one.id] = one
        return list(found.values())

    def assets(self, caller: Caller) -> list[Asset]:
        """Return all assets that *caller* may see, by name."""
        require(caller, rights.LOOK_AT_ASSETS)
        with self._datastore.read() as session:
            query = select(Agent).where(Agent.removed_at.is_(None)).order_by(Agent.name, Agent.id)
            return self._to_assets(session, list(readable_agents(session, session.scalars(query).all(), caller)))

    def asset(self, external_id: str, caller: Caller) -> Asset:
        """Return one asset.

        :raises AssetNotFound: if there is none with this id that *caller* may see.
        """
        require(caller, rights.LOOK_AT_ASSETS)
        with self._datastore.read() as session:
            key = names.find(session, names.ASSET, external_id)
            query = select(Agent).where(Agent.id == key, Agent.removed_at.is_(None))
            found = list(readable_agents(session, session.scalars(query).all(), caller)) if key else []
            if not found:
                raise AssetNotFound(external_id[:100])
            return self._to_assets(session, found)[0]

    def groups(self, caller: Caller) -> list[AssetGroup]:
        """Return all asset groups that *caller* may see, by name."""
        require(caller, rights.LOOK_AT_ASSETS)
        with self._datastore.read() as session:
            return self._to_groups(session, caller)

    def group(self, external_id: str, caller: Caller) -> AssetGroup:
        """Return one asset group.

        :raises AssetGroupNotFound: if there is none with this id that *caller* may see.
        """
        require(caller, rights.LOOK_AT_ASSETS)
        with self._datastore.read() as session:
            key = names.find(session, names.ASSET_GROUP, external_id)
            found = self._to_groups(session, caller, key) if key else []
            if not found:
                raise AssetGroupNotFound(external_id[:100])
            return found[0]

    def members(self, external_id: str, caller: Caller) -> list[Asset]:
        """Return the assets that belong to the group now, as far as *caller* may see them, by name.

        :raises AssetGroupNotFound: if there is none with this id that *caller* may see.
        """
        group = self.group(external_id, caller)
        with self._datastore.read() as session:
            targets = self._topology.targets_of(session, [Who(group.id, group.name, WhoKind.TEAM)])
        present = {target.id for target in targets}
        return [asset for asset in self.assets(caller) if asset.id in present]

    def standards(self, caller: Caller) -> list[Standard]:
        """Return all standards that *caller* may see, by name."""
        require(caller, rights.LOOK_AT_STANDARDS)
        visible = {what.id: what for what in self._library.whats(WhatKind.MODULE, caller)}
        with self._datastore.read() as session:
            columns = (Module.id, Module.platforms, Module.version, Module.updated_by, Module.updated_at)
            rows = {row.id: row for row in session.execute(select(*columns).where(Module.enabled))}
            external = names.aliases_of(session, names.STANDARD, visible)
        return [
            Standard(
                external_id=external.get(key, str(key)),
                id=key,
                name=what.name,
                description=what.description,
                folder=what.folder,
                platforms=tuple(rows[key].platforms),
                version=rows[key].version,
                author=rows[key].updated_by,
                changed_at=rows[key].updated_at,
            )
            for key, what in visible.items()
            if key in rows
        ]

    def _to_assets(self, session: Session, agents: Sequence[Agent]) -> list[Asset]:
        external = names.aliases_of(session, names.ASSET, [agent.id for agent in agents])
        teams = dict(session.execute(select(Team.id, Team.name)).tuples().all())
        return [
            Asset(
                external_id=external.get(agent.id, str(agent.id)),
                id=agent.id,
                name=agent.name,
                os=agent.os,
                os_version=agent.os_version,
                address=agent.address,
                hostname=agent.hostname or agent.name,
                facts=agent.facts,
                created_at=agent.enrolled_at,
                changed_at=agent.updated_at,
                groups=(teams[agent.primary_team_id],) if agent.primary_team_id in teams else (),
            )
            for agent in agents
        ]

    def _to_groups(self, session: Session, caller: Caller, key: UUID | None = None) -> list[AssetGroup]:
        query = select(Team).where(Team.enabled).order_by(Team.name, Team.id)
        teams = session.scalars(query if key is None else query.where(Team.id == key)).all()
        visible = list(readable_teams(session, teams, caller))
        external = names.aliases_of(session, names.ASSET_GROUP, [team.id for team in visible])
        folders = dict(session.execute(select(Folder.id, Folder.path)).tuples().all())
        return [
            AssetGroup(
                external_id=external.get(team.id, str(team.id)),
                id=team.id,
                name=team.name,
                description=team.description,
                folder=folders.get(team.folder_id, "") if team.folder_id else "",
                changed_at=team.updated_at,
            )
            for team in visible
        ]


def _rows(session: Session, query: Select[Any], column: Any, keys: Iterable[UUID | None]) -> Iterator[Any]:
    """Give the rows of *query* in which *column* is one of *keys*."""
    wanted = list({key for key in keys if key is not None})
    for start in range(0, len(wanted), names.MANY):
        yield from session.execute(query.where(column.in_(wanted[start : start + names.MANY])))
