"""Configurations: the versions of what tasks have fetched from computers, as callers see them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.errors import NotFound
from dispatcher.core.jobs import Who, WhoKind
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.datastore.base import Row
from dispatcher.datastore.configurations import CONFIGURATION_PARTS, CONFIGURATIONS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access import require_who
from dispatcher.services.secrets import Secrets


class ConfigurationNotFound(NotFound):
    """No version of a configuration has this id."""

    code = "configuration.not_found"
    kind = "version of a configuration"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a configuration, without its text."""

    id: UUID
    agent_id: UUID
    name: str
    size: int
    sha256: str
    taken_at: datetime
    seen_at: datetime  #: when it was last found as it is
    job_id: UUID


class Configurations:
    """Gives versions out."""

    def __init__(self, datastore: Datastore, secrets: Secrets) -> None:
        self._datastore = datastore
        self._secrets = secrets

    def versions(self, agent_id: UUID, caller: Caller, name: str | None = None) -> list[Version]:
        """Return the versions of the configurations of the agent, or of the one that is called *name*, newest first.

        Needs Read on Jobs/Results and on the agent.
        """
        caller.require(Right.READ, Node.RESULTS)
        mine = CONFIGURATIONS.c.agent_id == agent_id
        query = select(CONFIGURATIONS).where(mine).order_by(CONFIGURATIONS.c.id.desc())
        if name is not None:
            query = query.where(CONFIGURATIONS.c.name == name)
        with self._datastore.read() as session:
            _require_agent(session, agent_id, caller)
            return [_version(row) for row in session.execute(query).mappings()]

    def content(self, version_id: UUID, caller: Caller) -> bytes:
        """Return the text of the version, as it was fetched. Needs what ``versions`` needs.

        :raises ConfigurationNotFound: if there is none with this id.
        :raises SecretUnreadable: if it was stored with another key.
        """
        caller.require(Right.READ, Node.RESULTS)
        caller.require_some(Right.READ, Node.AGENTS)
        with self._datastore.read() as session:
            agent_id = session.scalar(select(CONFIGURATIONS.c.agent_id).where(CONFIGURATIONS.c.id == version_id))
            if agent_id is None:
                raise ConfigurationNotFound(version_id)
            _require_agent(session, agent_id, caller)
            return content_of(session, self._secrets, version_id)


def content_of(session: Session, secrets: Secrets, version_id: UUID) -> bytes:
    """Return the text of the version.

    :raises SecretUnreadable: if it was stored with another key.
    """
    parts = select(CONFIGURATION_PARTS.c.data).where(CONFIGURATION_PARTS.c.configuration_id == version_id)
    return b"".join(map(secrets.open_bytes, session.scalars(parts.order_by(CONFIGURATION_PARTS.c.offset))))


def _require_agent(session: Session, agent_id: UUID, caller: Caller) -> None:
    require_who(session, Right.READ, [Who(agent_id, "", WhoKind.AGENT)], caller)


def _version(row: Row) -> Version:
    shown = {name: value for name, value in row.items() if name != "compared"}
    return Version(**{**shown, "sha256": bytes(row["sha256"]).hex()})


def difference(old: bytes, new: bytes, old_name: str, new_name: str) -> str:
    """Return what is different in *new*, as unified diff."""
    before, after = (text.decode("utf-8", "replace").splitlines(keepends=True) for text in (old, new))
    lines = difflib.unified_diff(before, after, old_name, new_name)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
