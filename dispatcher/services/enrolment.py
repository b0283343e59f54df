"""Enrolment: how an agent gets its identity, proves it, and is known to be there."""

from __future__ import annotations

import hashlib
import hmac
import secrets as randomness
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from dispatcher.core.errors import NotAuthenticated
from dispatcher.core.ports import Ports
from dispatcher.datastore import revisions
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Facts:
    """What an agent says of its computer."""

    os: str = ""
    os_version: str = ""
    hostname: str = ""
    address: str = ""
    macs: tuple[str, ...] = ()
    version: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


class Enrolment:
    """Gives agents their identities and checks them."""

    def __init__(self, datastore: Datastore, ports: Ports, tokens: Tokens) -> None:
        self._datastore = datastore
        self._ports = ports
        self._tokens = tokens

    def enrol(self, token: str, name: str, agent_id: UUID | None, facts: Facts) -> tuple[UUID, str]:
        """Return the id and the secret of a new identity; the secret is stored hashed and never shown again.

        An entry that is known but never enrolled is taken over when *agent_id* names it or it is the only one
        called *name*.

        :raises NotAuthenticated: if the token is unknown, spent or expired.
        """
        secret = randomness.token_urlsafe(32)
        with self._datastore.begin() as session:
            self._tokens.spend_enrol_token(session, token)
            agent = self._known(session, name, agent_id) or self._new(session, name)
            agent.secret_hash = _hash(secret)
            agent.enrolled_at = self._ports.now()
            _note_facts(agent, facts)
            agent.updated_at, agent.updated_by = self._ports.now(), "enrolment"
            revisions.bump(session, revisions.TOPOLOGY)
            session.flush()
            return agent.id, secret

    def authenticate(self, agent_id: UUID, secret: str) -> None:
        """Check that *secret* is the one of agent *agent_id*.

        :raises NotAuthenticated: if it is not, or there is no such agent.
        """
        with self._datastore.read() as session:
            stored = session.scalar(select(Agent.secret_hash).where(Agent.id == agent_id))
        if stored is None or not hmac.compare_digest(stored, _hash(secret)):
            raise NotAuthenticated

    def note_facts(self, agent_id: UUID, facts: Facts) -> None:
        """Store what the agent says of its computer."""
        with self._datastore.begin() as session:
            agent = session.scalar(select(Agent).where(Agent.id == agent_id))
            if agent is not None:
                _note_facts(agent, facts)
                if session.is_modified(agent):
                    revisions.bump(session, revisions.TOPOLOGY)

    def note_contacts(self, online: Mapping[UUID, datetime], offline: Mapping[UUID, datetime]) -> None:
        """Store in one transaction which agents were last heard when, and which have gone."""
        rows: list[dict[str, Any]] = [
            {"key": key, "online": is_online, "last_contact": moment}
            for is_online, agents in ((True, online), (False, offline))
            for key, moment in agents.items()
        ]
        if not rows:
            return
        with self._datastore.begin() as session:
            session.connection().execute(_NOTE_CONTACT, rows)

    def _known(self, session: Session, name: str, agent_id: UUID | None) -> Agent | None:
        entries = select(Agent).where(Agent.enrolled_at.is_(None))
        if agent_id is not None:
            return session.scalar(entries.where(Agent.id == agent_id))
        named = session.scalars(entries.where(Agent.name == name).limit(2)).all()
        return named[0] if len(named) == 1 else None

    def _new(self, session: Session, name: str) -> Agent:
        agent = Agent(id=self._ports.new_id(), name=name)
        session.add(agent)
        return agent


def _note_facts(agent: Agent, facts: Facts) -> None:
    agent.os, agent.os_version, agent.version = facts.os, facts.os_version, facts.version
    agent.hostname, agent.address = facts.hostname, facts.address
    agent.macs, agent.facts = list(facts.macs), dict(facts.extra)


def _hash(secret: str) -> bytes:
    # The secret has 256 random bits: a plain digest is enough, and cheap enough for every poll.
    return hashlib.sha256(secret.encode()).digest()


_TABLE: Any = Agent.__table__
_NOTE_CONTACT = (
    update(_TABLE)
    .where(_TABLE.c.id == bindparam("key"))
    .values(online=bindparam("online"), last_contact=bindparam("last_contact"))
)
