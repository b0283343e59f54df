"""Credential sets: with which account tasks log in to which computers. Their secrets are written and never read."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from dispatcher.core.accounts import Account
from dispatcher.core.errors import Unavailable
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.datastore import credential_sets as rows
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.credential_sets import CredentialUse
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.secrets import Secrets


class NoCredentialSet(Unavailable):
    """The credential set that a job names is not there any more, or is not for the computer."""

    code = "credential_set.missing"

    def __init__(self, set_id: UUID) -> None:
        message = f"no credential set {set_id} is assigned to the computer, its team or the team of the job"
        super().__init__(message, id=str(set_id))


@dataclass(frozen=True, slots=True)
class CredentialSet:
    """A credential set as callers see it: without its secrets."""

    id: UUID
    name: str
    description: str
    user_name: str
    port: int
    timeout_ms: int
    type: str = "SSH"
    transport: str = "SSH"


class CredentialSets:
    """Lists credential sets, and finds the account of a run. They are made by library files."""

    def __init__(self, datastore: Datastore, secrets: Secrets) -> None:
        self._datastore = datastore
        self._secrets = secrets

    def of_client(self, team_id: UUID, caller: Caller) -> list[CredentialSet]:
        """Return the credential sets that are assigned to the team, by name. Needs some Read on Teams."""
        caller.require_some(Right.READ, Node.TEAMS)
        with self._datastore.read() as session:
            return _found(session, _is_of(team_id))

    def of_resource(self, agent_id: UUID, caller: Caller) -> list[CredentialSet]:
        """Return the credential sets that are assigned to the agent, by name. Needs some Read on Agents."""
        caller.require_some(Right.READ, Node.AGENTS)
        with self._datastore.read() as session:
            return _found(session, _is_of(agent_id))

    def find(self, set_id: UUID) -> CredentialSet | None:
        """Return the credential set with this id; None if there is none. Who may use it is for the caller to know."""
        with self._datastore.read() as session:
            return next(iter(_found(session, rows.CredentialSet.id == set_id)), None)

    def account(
        self, session: Session, agent_id: UUID, set_id: UUID | None = None, team_id: UUID | None = None
    ) -> Account | None:
        """Return as whom tasks log in to the agent: by the set that is named, else by that of it, or of its team.

        Of several sets the first by name counts. None if there is none. The one that is named must be assigned to the
        agent, to its primary team, or to the team that has named it.

        :raises NoCredentialSet: if the set that is named is not there, or not assigned to them any more.
        :raises SecretUnreadable: if its secrets cannot be opened.
        """
        primary_id = session.scalar(select(Agent.primary_team_id).where(Agent.id == agent_id))
        if set_id is not None:
            named = select(rows.CredentialSet).where(rows.CredentialSet.id == set_id)
            stored = session.scalars(named.where(_is_of(agent_id, primary_id, team_id))).one_or_none()
            if stored is None:
                raise NoCredentialSet(set_id)
            return self._account(stored)
        for owner in (agent_id, primary_id):
            query = select(rows.CredentialSet).where(_is_of(owner)).order_by(rows.CredentialSet.name).limit(1)
            stored = session.scalars(query).one_or_none()
            if stored is not None:
                return self._account(stored)
        return None

    def _account(self, stored: rows.CredentialSet) -> Account:
        return Account(
            stored.user_name,
            self._secrets.open(stored.password),
            self._secrets.open(stored.private_key),
            self._secrets.open(stored.passphrase),
            stored.port,
        )


def _is_of(*owners: UUID | None) -> ColumnElement[bool]:
    """Whether a set is assigned to one of *owners*."""
    mine = CredentialUse.object_id.in_([owner for owner in owners if owner is not None])
    return rows.CredentialSet.id.in_(select(CredentialUse.set_id).where(mine))


def _found(session: Session, which: ColumnElement[bool]) -> list[CredentialSet]:
    query = select(rows.CredentialSet).where(which).order_by(rows.CredentialSet.name)
    return [
        CredentialSet(one.id, one.name, one.description, one.user_name, one.port, one.timeout_ms)
        for one in session.scalars(query)
    ]
