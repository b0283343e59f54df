"""Tokens: secrets of 256 random bits that stand for a permission until they expire; only their hashes are stored."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from secrets import token_urlsafe
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import CursorResult, delete, or_, select, update
from sqlalchemy.orm import Session

from dispatcher.core.errors import InvalidValue, NotAuthenticated
from dispatcher.core.jobs import Who, WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.core.states import State
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.teams import Team
from dispatcher.datastore.tokens import Token
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import audit
from dispatcher.services.audit import Subject
from dispatcher.services.chosen import chosen
from dispatcher.services.topology import Topology

#: The kind of token by which agents enrol.
ENROL = "enrol"
#: How long a token may live, in hours: a year.
MAX_HOURS = 8784
#: How long one of a run lives at most.
LONGEST_RUN = timedelta(days=30)
#: The states of a run that was lent in which new agents may enrol by its token.
_AT_WORK = (State.PENDING, State.ACTIVE)
_SPENT = select(Token.id, Token.team_id, Token.run_id, RUNS.c.state, RUNS.c.leased_until).outerjoin(
    RUNS, RUNS.c.id == Token.run_id
)

_log = structlog.stdlib.get_logger(__name__)


class Spent(NamedTuple):
    """A token by which an agent enrols."""

    id: UUID
    team_id: UUID | None  #: of the team that it enrols into, if it is one's


class Tokens:
    """Makes tokens and lets them be spent."""

    def __init__(self, datastore: Datastore, ports: Ports) -> None:
        self._datastore = datastore
        self._ports = ports

    def create_enrol_token(self, caller: Caller, *, once: bool = False, hours: int = 24, team: str = "") -> str:
        """Return a new token by which agents enrol, valid for *hours*; it cannot be shown again.

        Any number of agents may use it, or only the first one if *once*. With *team*, an id or a name, they enrol as
        members of that team. Needs Modify on Agents, and on the team.

        :raises InvalidValue: if *hours* is not between 1 and 8784, or there is no such team.
        """
        caller.require(Right.MODIFY, Node.AGENTS)
        if not 1 <= hours <= MAX_HOURS:
            raise InvalidValue("hours", f"must be between 1 and {MAX_HOURS}")
        text = token_urlsafe(32)
        now = self._ports.now()
        expires_at = now + timedelta(hours=hours)
        with self._datastore.begin() as session:
            session.execute(delete(Token).where(Token.expires_at <= now))
            token_id = self._ports.new_id()
            values: dict[str, Any] = {"once": once, "expires_at": expires_at}
            found = self._team(session, team, caller) if team else None
            team_id = found and found.id
            session.add(Token(id=token_id, kind=ENROL, hash=hashed(text), used_at=None, team_id=team_id, **values))
            told = values if found is None else {**values, "team": audit.named(found.name, found.id)}
            audit.record(session, now, caller, "token.created", Subject("token", ENROL, token_id), new=told)
        _log.info("agent.enrolment_allowed", once=once, expires_at=expires_at.isoformat(), by=caller.name, team=team)
        return text

    def create_run_token(self, run_id: UUID, uses: int | None) -> str:
        """Return a new token by which the agents enrol that the run installs, at most so many *uses* of it.

        It is worth something while the run goes on, and no longer; one that the run was given before is worth nothing.
        """
        text, now = token_urlsafe(32), self._ports.now()
        with self._datastore.begin() as session:
            session.execute(delete(Token).where(or_(Token.expires_at <= now, Token.run_id == run_id)))
            token = Token(id=self._ports.new_id(), kind=ENROL, hash=hashed(text), once=False, run_id=run_id)
            token.expires_at, token.uses_left = now + LONGEST_RUN, uses
            session.add(token)
            told = {"run": run_id, "uses": uses, "expires_at": token.expires_at}
            audit.record(session, now, SYSTEM, "token.created", Subject("token", ENROL, token.id), new=told)
        _log.info("agent.enrolment_allowed_to_run", run_id=str(run_id), uses=uses)
        return text

    def _team(self, session: Session, text: str, caller: Caller) -> Who:
        topology = Topology(self._datastore, self._ports)
        [found] = chosen(session, topology, Right.MODIFY, [(WhoChoice.named(text, WhoKind.TEAM), "team")], caller)
        return found

    def spend_enrol_token(self, session: Session, token: str) -> Spent:
        """Use *token* in the transaction of *session*: if that fails, a ``once`` token stays unspent.

        Looking the hash up tells nothing by its time: who knows no token cannot choose the hash's first bytes.

        :raises NotAuthenticated: if it is unknown, spent or expired, or of a team that is no more or a run that has
            ended.
        """
        now = self._ports.now()
        # The condition stands in the update, so that two agents cannot both spend a ``once`` token.
        spend = (
            update(Token)
            .where(
                Token.hash == hashed(token),
                Token.kind == ENROL,
                Token.expires_at > now,
                or_(Token.once.is_(False), Token.used_at.is_(None)),
                or_(Token.uses_left.is_(None), Token.uses_left > 0),
            )
            .values(used_at=now, uses_left=Token.uses_left - 1)
        )
        result: CursorResult[Any] = session.connection().execute(spend)
        if result.rowcount != 1:
            raise NotAuthenticated
        found = session.execute(_SPENT.where(Token.hash == hashed(token))).one()
        if found.run_id is not None and (found.leased_until is None or found.state not in _AT_WORK):
            raise NotAuthenticated
        spent = Spent(found.id, found.team_id)
        if spent.team_id is not None and session.scalar(select(Team.id).where(Team.id == spent.team_id)) is None:
            raise NotAuthenticated
        return spent


def hashed(token: str) -> bytes:
    """Return what is stored of *token*: it tells nothing of it, because nobody can guess that."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
