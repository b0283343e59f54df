"""Submits: what a caller asks for again with the same key is not done again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, Self
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dispatcher.core.errors import KeyReused
from dispatcher.core.jobs import Job
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.inserting import insert_if_missing
from dispatcher.datastore.submits import SUBMITS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.dispatchers import Dispatchers
from dispatcher.services.jobs import Jobs

#: How long a key is remembered.
KEPT_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class SubmitKey:
    """What tells a request from every other: SHA-256 of the key that its sender gave it, and of what it asks for."""

    key: bytes
    body: bytes

    @classmethod
    def of(cls, key: str, body: bytes) -> Self | None:
        """Return the key for *body*, sent with the text *key*; None if that is empty: its sender has not named it."""
        if not key:
            return None
        return cls(sha256(key.encode("utf-8", "surrogatepass")).digest(), sha256(body).digest())


class Submits:
    """Remembers for a day what a key stands for: a job, or something else that was made."""

    def __init__(self, datastore: Datastore, ports: Ports, *, jobs: Jobs, dispatchers: Dispatchers) -> None:
        self._datastore = datastore
        self._ports = ports
        self._jobs = jobs
        self._dispatchers = dispatchers

    def once(self, caller: Caller, operation: str, key: SubmitKey | None, make: Callable[[], Job]) -> Job:
        """Return the job that *make* makes, or the one it made when the caller gave *key* before, as it stands now.

        Keys count by login and operation and are kept for 24 hours, in the same transaction as the job: what has
        failed may be asked for again. Of equal requests at the same time one makes the job, the others wait for it.
        Without a key every request makes a job.

        :raises Unavailable: if this dispatcher is about to end: it takes nothing new.
        :raises KeyReused: if the key was given for something else before.
        :raises JobNotFound: if the job has been cleaned away since.
        """
        self._dispatchers.require_open()
        if key is None:
            return make()
        # What was made is told to those only who may still make it.
        caller.require(Right.MODIFY, Node.SCHEDULING)
        made: list[Job] = []

        def make_one() -> UUID:
            made.append(make())
            return made[0].id

        with self._datastore.begin() as session:
            job_id = self.once_id(caller, operation, key, make_one)
            return made[0] if made else self._jobs.get_in(session, job_id)

    def once_id(self, caller: Caller, operation: str, key: SubmitKey | None, make: Callable[[], UUID]) -> UUID:
        """As ``once``, for what is no job: return the id of what *make* makes, or made when *key* was given before.

        Whether it is there still, and whether the caller may see it, is not looked at.

        :raises KeyReused: if the key was given for something else before.
        """
        if key is None:
            return make()
        with self._datastore.begin() as session:
            mine = self._ports.new_id()
            known = self._note(session, caller.name, operation, key, mine)
            if known == mine:
                known = make()
                session.execute(update(SUBMITS).where(*_is(caller.name, operation, key)).values(job_id=known))
            return known

    def _note(self, session: Session, login: str, operation: str, key: SubmitKey, mine: UUID) -> UUID:
        """Return what the key stands for, or *mine* if it has been nobody's so far; lock it."""
        now = self._ports.now()
        fresh = {"body": key.body, "job_id": mine, "created_at": now}
        row = {"login": login, "operation": operation, "key": key.key, **fresh}
        insert_if_missing(session, SUBMITS, row)
        stored: Any = session.execute(select(SUBMITS).where(*_is(login, operation, key)).with_for_update()).one()
        if stored.created_at <= now - KEPT_FOR:
            session.execute(update(SUBMITS).where(*_is(login, operation, key)).values(**fresh))
            return mine
        if stored.body != key.body:
            raise KeyReused
        job_id: UUID = stored.job_id
        return job_id


def _is(login: str, operation: str, key: SubmitKey) -> tuple[Any, ...]:
    return SUBMITS.c.login == login, SUBMITS.c.operation == operation, SUBMITS.c.key == key.key
