"""Enrolment: how an agent gets its identity, proves it, and is known to be there."""

from __future__ import annotations

import hashlib
import hmac
import secrets as randomness
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Update, bindparam, or_, select, update
from sqlalchemy.orm import Session

from dispatcher.core import console
from dispatcher.core.boots import is_other_boot
from dispatcher.core.console import NOBODY, Console
from dispatcher.core.errors import NotAuthenticated
from dispatcher.core.permissions import Caller
from dispatcher.core.ports import Ports
from dispatcher.datastore import revisions
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.base import Row
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import audit, team_entries
from dispatcher.services.audit import Subject
from dispatcher.services.boots import Boots
from dispatcher.services.locking import lock_free_agents
from dispatcher.services.tokens import Tokens
from dispatcher.services.topology import Topology


@dataclass(frozen=True, slots=True)
class Facts:
    """What an agent says of its computer."""

    os: str = ""
    os_version: str = ""
    hostname: str = ""
    address: str = ""
    macs: tuple[str, ...] = ()
    version: str = ""
    time_zone: str = ""
    boot_id: str = ""
    console: Console = NOBODY
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Proven:
    """The digests of the secrets that agents have shown since the topology has this revision."""

    revision: int
    digests: dict[UUID, bytes] = field(default_factory=dict)


class Enrolment:
    """Gives agents their identities and checks them. May be used by many threads."""

    def __init__(self, datastore: Datastore, ports: Ports, tokens: Tokens, boots: Boots, topology: Topology) -> None:
        self._datastore = datastore
        self._ports = ports
        self._tokens = tokens
        self._boots = boots
        self._topology = topology
        self._proven = _Proven(-1)

    def enrol(self, token: str, name: str, agent_id: UUID | None, facts: Facts) -> tuple[UUID, str]:
        """Return the id and the secret of a new identity; the secret is stored hashed and never shown again.

        An entry that is known but never enrolled is taken over when *agent_id* names it or it is the only one
        called *name*. By a token of a team only those of the team count, and a new entry becomes a member of it.

        :raises NotAuthenticated: if the token is unknown, spent or expired.
        """
        secret = randomness.token_urlsafe(32)
        with self._datastore.begin() as session:
            spent = self._tokens.spend_enrol_token(session, token)
            known = self._known(session, name, agent_id, spent.team_id)
            agent = known or self._new(session, name)
            agent.secret_hash = _hash(secret)
            agent.enrolled_at = self._ports.now()
            for column, value in (_columns(facts) | console.note({}, facts.console, self._ports.now())).items():
                setattr(agent, column, value)
            agent.updated_at, agent.updated_by = self._ports.now(), _ENROLMENT.name
            revisions.bump(session, revisions.TOPOLOGY)
            session.flush()
            self._note_boot(session, agent.id, agent.boot_id, facts.boot_id)
            new = {"token": spent.id, **{name: getattr(agent, name) for name in _AUDITED}}
            subject = Subject("agent", agent.name, agent.id)
            audit.record(session, agent.updated_at, _ENROLMENT, "agent.enrolled", subject, new=new)
            if known is None and spent.team_id is not None:
                team_entries.join(session, agent.updated_at, _ENROLMENT, agent, spent.team_id)
            return agent.id, secret

    def authenticate(self, agent_id: UUID, secret: str) -> None:
        """Check that *secret* is the one of agent *agent_id*.

        :raises NotAuthenticated: if it is not, or there is no such agent.
        """
        if not self.are_proven([(agent_id, secret)])[0]:
            raise NotAuthenticated

    def are_proven(self, claims: Sequence[tuple[UUID, str]]) -> list[bool]:
        """Return for each of *claims*, an agent's id and a secret, whether that is the agent's secret."""
        # Before secrets are read: one that is changed meanwhile comes with another revision.
        digests = self._current(self._datastore.revisions()[revisions.TOPOLOGY]).digests
        shown = [(agent_id, _hash(secret)) for agent_id, secret in claims]
        unknown = [agent_id for agent_id, digest in shown if not _is_same(digests.get(agent_id), digest)]
        stored = self._stored_digests(unknown) if unknown else {}
        proven = [_is_same(stored.get(agent_id, digests.get(agent_id)), digest) for agent_id, digest in shown]
        digests.update((agent_id, digest) for (agent_id, digest), is_so in zip(shown, proven, strict=True) if is_so)
        return proven

    def _stored_digests(self, agent_ids: Sequence[UUID]) -> dict[UUID, bytes]:
        with self._datastore.read() as session:
            rows = session.connection().execute(_SECRETS, {"keys": list(agent_ids)})
            return {agent_id: digest for agent_id, digest in rows if digest is not None}

    def note_facts(self, agent_id: UUID, facts: Facts) -> None:
        """Store what the agent says of its computer; if that has been booted, what waited for it goes on."""
        self.note_facts_of({agent_id: facts})

    def note_facts_of(self, said: Mapping[UUID, Facts]) -> None:
        """Do for each agent what ``note_facts`` does; where there is one writer at a time, for several at once."""
        with self._datastore.read() as session:  # hardly ever is there anything new, and writers wait for each other
            rows = session.connection().execute(_TOLD, {"keys": list(said)}).mappings()
            news = [(row, changed) for row in rows if (changed := self._news(row, said[row["id"]])) is not None]
        step = _MOST_NEWS if self._datastore.traits.single_writer else 1
        for start in range(0, len(news), step):
            with self._datastore.begin() as session:
                for known, changed in news[start : start + step]:
                    self._note_facts(session, known, changed, said[known["id"]].boot_id)

    def _news(self, known: Row, facts: Facts) -> dict[str, Any] | None:
        """Return the columns that *facts* change; None if they tell nothing new, not even of a boot."""
        told = _columns(facts) | console.note(known, facts.console, self._ports.now())
        changed = {name: value for name, value in told.items() if known[name] != value}
        return changed if changed or is_other_boot(known["boot_id"], facts.boot_id) else None

    def _note_facts(self, session: Session, known: Row, changed: Mapping[str, Any], boot_id: str) -> None:
        if changed:
            session.connection().execute(_SET, {"key": known["id"], **changed})
        if not _KEPT.isdisjoint(changed):
            revisions.bump(session, revisions.TOPOLOGY)
        self._note_boot(session, known["id"], known["boot_id"], boot_id)

    def note_contacts(self, online: Mapping[UUID, datetime], offline: Mapping[UUID, datetime]) -> set[UUID]:
        """Store in one transaction which agents were last heard when, and which have gone.

        One that has gone, and was heard later by another dispatcher, has gone there. Those that another transaction
        has locked are left out and returned: tell of them again.
        """
        left_out: set[UUID] = set()
        if not online and not offline:
            return left_out
        with self._datastore.begin() as session:
            if not self._datastore.traits.single_writer:
                agent_ids = online.keys() | offline.keys()
                left_out = agent_ids - lock_free_agents(session, agent_ids)
            for statement, moments in ((_NOTE_CONTACT, online), (_NOTE_ABSENCE, offline)):
                known = {key: moments[key] for key in moments.keys() - left_out} if left_out else moments
                _set_moments(session, statement, known)
        return left_out

    def _current(self, revision: int) -> _Proven:
        proven = self._proven
        if proven.revision != revision:
            proven = self._proven = _Proven(revision)
        return proven

    def _note_boot(self, session: Session, agent_id: UUID, known: str, said: str) -> None:
        if not is_other_boot(known, said):
            return
        # The agent may call two dispatchers at the same moment: a boot counts once.
        same = (_TABLE.c.id == agent_id) & (_TABLE.c.boot_id == known)
        if session.connection().execute(update(_TABLE).where(same).values(boot_id=said)).rowcount:
            self._boots.booted(session, agent_id, is_first=not known)

    def _known(self, session: Session, name: str, agent_id: UUID | None, team_id: UUID | None) -> Agent | None:
        # Locked: nobody else takes the entry over, or removes it, before this transaction has ended.
        entries = select(Agent).where(Agent.enrolled_at.is_(None), Agent.removed_at.is_(None))
        entries = entries.order_by(Agent.id).with_for_update(key_share=True)
        entries = entries.where(Agent.name == name if agent_id is None else Agent.id == agent_id)
        found = session.scalars(entries if team_id else entries.limit(2)).all()
        if team_id is not None:
            found = team_entries.members_among(session, self._topology, found, team_id)
        return found[0] if len(found) == 1 else None

    def _new(self, session: Session, name: str) -> Agent:
        agent = Agent(id=self._ports.new_id(), name=name)
        session.add(agent)
        return agent


def _columns(facts: Facts) -> dict[str, Any]:
    return {
        "os": facts.os,
        "os_version": facts.os_version,
        "version": facts.version,
        "hostname": facts.hostname,
        "address": facts.address,
        "time_zone": facts.time_zone,
        "macs": list(facts.macs),
        "facts": dict(facts.extra),
    }


def _set_moments(session: Session, statement: Update, moments: Mapping[UUID, datetime]) -> None:
    """Execute *statement* for every agent with its moment; once for all that have the same: those that wait have."""
    together: defaultdict[datetime, list[UUID]] = defaultdict(list)
    for key, moment in moments.items():
        together[moment].append(key)
    for moment, keys in together.items():
        for start in range(0, len(keys), _MOST_KEYS):
            some = keys[start : start + _MOST_KEYS]
            session.connection().execute(statement, {"keys": some, "moment": moment})


def _is_same(known: bytes | None, digest: bytes) -> bool:
    return known is not None and hmac.compare_digest(known, digest)


def _hash(secret: str) -> bytes:
    # The secret has 256 random bits: a plain digest is enough, and cheap enough for every poll.
    return hashlib.sha256(secret.encode()).digest()


#: Who changes what a token lets an agent change.
_ENROLMENT = Caller("enrolment")
#: What the audit tells of an agent that has enrolled.
_AUDITED = ("hostname", "address", "os")
_TABLE: Any = Agent.__table__
#: What others keep of the facts until the topology has another revision (``topology.Target``).
_KEPT = frozenset({"os", "time_zone"})
_OF_CONSOLE = ("console_user", "last_console_user", "console_user_at", "console_key")
_TOLD = select(_TABLE.c.id, _TABLE.c.boot_id, *(_TABLE.c[name] for name in (*_columns(Facts()), *_OF_CONSOLE))).where(
    _TABLE.c.id.in_(bindparam("keys", expanding=True))
)
_SECRETS = select(_TABLE.c.id, _TABLE.c.secret_hash).where(
    _TABLE.c.id.in_(bindparam("keys", expanding=True)), _TABLE.c.removed_at.is_(None)
)
#: Sets the columns that are named beside its own parameter.
_SET = update(_TABLE).where(_TABLE.c.id == bindparam("key"))
#: How many agents' news one transaction takes: after so many, others that want to write have their turn.
_MOST_NEWS = 25
#: How many agents one statement names.
_MOST_KEYS = 1_000
_NAMED = _TABLE.c.id.in_(bindparam("keys", expanding=True))
_NOTE_CONTACT = update(_TABLE).where(_NAMED).values(online=True, last_contact=bindparam("moment"))
_NOTE_ABSENCE = (
    update(_TABLE)
    .where(
        _NAMED,
        or_(_TABLE.c.last_contact.is_(None), _TABLE.c.last_contact <= bindparam("moment")),
    )
    .values(online=False, last_contact=bindparam("moment"))
)
