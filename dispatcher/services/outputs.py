"""Outputs: the values that runs give out, as they are stored, and what a job gives out once its runs have ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core import definitions
from dispatcher.core.parameters import Parameter, ParameterType
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.base import Row
from dispatcher.datastore.runs import RUNS
from dispatcher.services.plans import Plans

_AGENTS: Any = Agent.__table__
#: Values as jobs and runs store them, secrets sealed: ``{name: [value1, value2 of credentials]}``.
Stored = dict[str, list[str]]


class Outputs:
    """Stores and merges outputs. Nothing is decrypted for it."""

    def __init__(self, plans: Plans) -> None:
        self._plans = plans

    def of_run(
        self, session: Session, what: Sequence[Mapping[str, Any]], outputs: Sequence[Sequence[Parameter]]
    ) -> list[Stored] | None:
        """Return *outputs*, by object of the job, secrets open, as a run stores them; None if there are none.

        What a definition does not declare as an output is left out.
        """
        if not any(outputs):
            return None
        stored = []
        for item, given in zip(what, outputs, strict=False):
            declared = {one.name: one for one in _declared(self._plans.document(session, item))}
            stored.append(
                self._plans.seal(
                    [_valued(declared[one.name], one.value1, one.value2) for one in given if one.name in declared]
                )
            )
        return stored

    def collect(self, session: Session, job: Row) -> list[Stored] | None:
        """Return what *job*, whose runs have ended, gives out, by object; None if its definitions declare nothing.

        Only runs that have started say something; those in which nothing was set give the value that they began with.
        """
        declared = [_declared(self._plans.document(session, item)) for item in job["what"]]
        if not any(declared):
            return None
        query = (
            select(RUNS.c.outputs)
            .join(_AGENTS, _AGENTS.c.id == RUNS.c.agent_id)
            .where(RUNS.c.job_id == job["id"], RUNS.c.started_at.is_not(None))
            .order_by(_AGENTS.c.name, RUNS.c.id)
        )
        runs = session.scalars(query).all()
        merged = []
        for place, parameters in enumerate(declared):
            given = _with_values(parameters, job["parameters"][place])
            of_runs = [_with_values(given, run[place] if run and place < len(run) else {}) for run in runs]
            by_parameter = zip(*of_runs, strict=True) if of_runs else ([one] for one in given)
            merged.append(_to_stored(definitions.merge_outputs(list(values)) for values in by_parameter))
        return merged


def _declared(document: Mapping[str, Any]) -> list[Parameter]:
    """Return the output parameters of *document*, secrets sealed."""
    declared = [parameter for parameter in document["parameters"] if parameter["is_output"]]
    return definitions.to_parameters(declared, lambda sealed: sealed) if declared else []


def _with_values(parameters: Iterable[Parameter], stored: Mapping[str, Sequence[str]]) -> list[Parameter]:
    return [
        _valued(parameter, *stored[parameter.name]) if parameter.name in stored else parameter
        for parameter in parameters
    ]


def _to_stored(parameters: Iterable[Parameter]) -> Stored:
    pairs = [(one, [one.value2] if one.type is ParameterType.CREDENTIALS else []) for one in parameters]
    return {one.name: [one.value1, *password] for one, password in pairs}


def _valued(parameter: Parameter, value1: str, value2: str = "") -> Parameter:
    """Return *parameter* with another value; *value2* is of use for credentials only."""
    return parameter.with_value(value1, value2 if parameter.type is ParameterType.CREDENTIALS else None)
