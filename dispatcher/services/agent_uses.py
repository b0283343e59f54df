"""Agent uses: which agents run books of the library, and jobs that are open, name by their ids."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.jobs import WhatKind
from dispatcher.core.states import FINISHED, State
from dispatcher.datastore.definitions import Definition
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runbooks import RunBookStep

#: How many definitions are in memory at once.
_AT_ONCE = 100
_OPEN = [state for state in State if state not in FINISHED]


def used(session: Session, agent_ids: Collection[UUID]) -> set[UUID]:
    """Return those of *agent_ids* that a step of a run book names, or a job that has not ended: be it a recurring one.

    A run book job names whom the steps of its definition name.
    """
    wanted = {str(key) for key in agent_ids}
    found = {key for key in _in_run_books(session) if key in wanted}
    found |= {key for key in _in_open_jobs(session) if key in wanted}
    return {UUID(key) for key in found}


def _in_run_books(session: Session) -> Iterator[str]:
    for who in session.execute(select(RunBookStep.who).execution_options(yield_per=1000)).scalars():
        yield from _of_step(who)


def _in_open_jobs(session: Session) -> Iterator[str]:
    definitions: set[UUID] = set()
    query = select(JOBS.c.who, JOBS.c.what).where(JOBS.c.state.in_(_OPEN)).execution_options(yield_per=1000)
    for who, what in session.execute(query):
        yield from (one["id"] for one in who)
        books = (one for one in what if one["kind"] == WhatKind.RUNBOOK)
        definitions.update(UUID(book["definition"]) for book in books if "definition" in book)
    ids = sorted(definitions)
    for place in range(0, len(ids), _AT_ONCE):
        some = Definition.id.in_(ids[place : place + _AT_ONCE])
        for document in session.execute(select(Definition.document).where(some)).scalars():
            yield from _of_document(document)


def _of_document(document: Mapping[str, Any]) -> Iterator[str]:
    """Give whom the steps of a run book name, and those of the run books that they run."""
    for step in document.get("steps", ()):
        yield from _of_step(step["who"])
        yield from _of_document(step["what"])


def _of_step(who: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield from (one["agent"] for one in who if "agent" in one)
