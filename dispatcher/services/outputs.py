"""Outputs: the values that runs give out, as they are stored, and what a job gives out once its runs have ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core import definitions
from dispatcher.core.parameters import Parameter, ParameterType, Values, values_of
from dispatcher.datastore.base import Row
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.targets import target, with_targets
from dispatcher.services.plans import Plans

#: How many runs are read at once.
_MANY = 100


class Outputs:
    """Stores and merges outputs. Nothing is decrypted for it."""

    def __init__(self, plans: Plans) -> None:
        self._plans = plans

    def of_run(
        self, session: Session, what: Sequence[Mapping[str, Any]], outputs: Sequence[Sequence[Parameter]]
    ) -> list[Values] | None:
        """Return *outputs*, by object of the job, secrets open, as a run stores them; None if there are none.

        What a definition does not declare as an output is left out.
        """
        if not any(outputs):
            return None
        stored = []
        for item, given in zip(what, outputs, strict=False):
            declared = {one.name: one for one in _declared(self._plans.document(session, item))}
            known = [_valued(declared[one.name], one.value1, one.value2) for one in given if one.name in declared]
            stored.append(self._plans.seal(known, values_of(known)))
        return stored

    def collect(self, session: Session, job: Row) -> list[Values] | None:
        """Return what *job*, whose runs have ended, gives out, by object; None if its definitions declare nothing.

        Only runs that have started say something; those in which nothing was set give the value that they began with.
        """
        declared = [_declared(self._plans.document(session, item)) for item in job["what"]]
        if not any(declared):
            return None
        query = (
            with_targets(select(RUNS.c.outputs))
            .where(RUNS.c.job_id == job["id"], RUNS.c.started_at.is_not(None))
            .order_by(target("name"), RUNS.c.id)
        )
        values = zip(declared, job["parameters"], strict=True)
        found = [[_Values(one) for one in _with_values(parameters, given)] for parameters, given in values]
        # Not all at once: thousands of runs may give out much.
        for run in session.scalars(query.execution_options(yield_per=_MANY)):
            for place, parameters in enumerate(found):
                stored = run[place] if run and place < len(run) else {}
                for one, value in zip(parameters, _with_values([one.given for one in parameters], stored), strict=True):
                    one.add(value)
        return [values_of(one.merged() for one in parameters) for parameters in found]


@dataclass(slots=True)
class _Values:
    """The different values of one output parameter, as far as they count, and the one that runs begin with."""

    given: Parameter
    _found: dict[tuple[str, str], Parameter] = field(default_factory=dict)
    _length: int = 0

    def add(self, value: Parameter) -> None:
        """Take in what the next run gives out, as ``definitions.merge_outputs`` would."""
        if value.type is ParameterType.MULTISELECT:
            for choice in value.value1.split(";"):
                self._add(value.with_value(choice))
        elif not (value.type.is_secret and self._found and (self._length or not value.value1)):
            self._add(value)

    def _add(self, value: Parameter) -> None:
        key = value.value1, value.value2
        if key not in self._found and self._length <= definitions.MAX_MERGED:
            self._found[key] = value
            self._length += len(value.value1)

    def merged(self) -> Parameter:
        """Return what the job gives out."""
        return definitions.merge_outputs([*self._found.values()] or [self.given])


def _declared(document: Mapping[str, Any]) -> list[Parameter]:
    """Return the output parameters of *document*, secrets sealed."""
    declared = [parameter for parameter in document["parameters"] if parameter["is_output"]]
    return definitions.to_parameters(declared, lambda sealed: sealed) if declared else []


def _with_values(parameters: Iterable[Parameter], stored: Mapping[str, Sequence[str]]) -> list[Parameter]:
    return [
        _valued(parameter, *stored[parameter.name]) if parameter.name in stored else parameter
        for parameter in parameters
    ]


def _valued(parameter: Parameter, value1: str, value2: str = "") -> Parameter:
    """Return *parameter* with another value; *value2* is of use for credentials only."""
    return parameter.with_value(value1, value2 if parameter.type is ParameterType.CREDENTIALS else None)
