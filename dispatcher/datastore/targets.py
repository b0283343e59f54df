"""Targets: whom runs are for. That is the agent that works, or the device that it works for."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, case, literal_column

from dispatcher.datastore.agents import AGENTS, DEVICES
from dispatcher.datastore.runs import RUNS

#: In these words, for the index of devices holds these runs only.
FOR_DEVICE = RUNS.c.device > literal_column("0")


def with_targets(query: Any) -> Any:
    """Return *query* of runs, joined with whom they are for: see ``target``."""
    worked = query.select_from(RUNS).join(AGENTS, AGENTS.c.id == RUNS.c.agent_id)
    return worked.outerjoin(DEVICES, DEVICES.c.number == RUNS.c.device)


def target(column: str) -> ColumnElement[Any]:
    """Return the *column* of ``Agent`` of whom a run is for, in a query ``with_targets``."""
    return case((DEVICES.c.id.is_not(None), DEVICES.c[column]), else_=AGENTS.c[column])


def runs_for(agent: Any) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions of runs that are for *agent* (its ``id`` and ``number``): by itself, or by another one.

    Each has an index; where all runs are looked through they had better not be asked for in one query.
    """
    return and_(RUNS.c.agent_id == agent.id, RUNS.c.device == 0), _by_another(agent)


def runs_with(agent: Any) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions of runs that *agent* has to do with: it works, for whomever, or another one does for it."""
    return RUNS.c.agent_id == agent.id, _by_another(agent)


def _by_another(agent: Any) -> ColumnElement[bool]:
    return and_(RUNS.c.device == agent.number, FOR_DEVICE)
