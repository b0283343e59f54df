"""Run book who: the parameter ``RunBookWho``, by which a run book works on one agent that is chosen at scheduling.

Its value is the name or the id of the agent. A run book that is scheduled without a value takes the agent that it is
scheduled on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import Who
from dispatcher.core.parameters import Parameter
from dispatcher.datastore.base import Row
from dispatcher.services.plans import Plans
from dispatcher.services.starting import to_who
from dispatcher.services.topology import Target, Topology

#: The parameter, in any case of letters.
NAME = "RunBookWho"
#: How many agents an error names.
_TOLD = 3


class RunBookWho:
    """Finds the one agent that a run book is for, if a step of it runs on the parameter."""

    def __init__(self, plans: Plans, topology: Topology) -> None:
        self._plans = plans
        self._topology = topology

    def named(self, session: Session, document: Mapping[str, Any], values: Sequence[Parameter]) -> list[Who]:
        """Return the agents and teams that the run book *document* is for by the *values* it is scheduled with.

        There are none if the parameter is not there, or has no value.

        :raises InvalidValue: if it names nothing, or a name that several agents share.
        """
        name = _name_in(document)
        text = next((parameter.value1 for parameter in values if parameter.name == name), "")
        return self._topology.resolve_names(session, text, f"Parameters/{name}")

    def taken(self, session: Session, job: Row) -> dict[str, Any]:
        """Return what changes in the run book *job*, which begins: its parameters, if they take the agent from it.

        :raises InvalidValue: if the value, or without one the job, is for more than one agent, or for an unknown one.
        """
        name = _name_in(self._plans.document(session, job["what"][0]))
        [values] = job["parameters"]
        if name is None or name not in values:
            return {}
        text = values[name][0].strip()
        chosen = self._topology.resolve_names(session, text, name) if text else [to_who(who) for who in job["who"]]
        targets = self._topology.targets_of(session, chosen)
        if len(targets) > 1:
            told = ", ".join(target.name for target in targets[:_TOLD]) + (", …" if len(targets) > _TOLD else "")
            raise InvalidValue(name, f"is for one agent, not for {len(targets)}: {told}")
        if text or not targets:
            return {}
        return {"parameters": [{**values, name: [self._shortest(session, targets[0])]}]}

    def _shortest(self, session: Session, target: Target) -> str:
        """Return the name of *target*, else, if something else has it too, its id."""
        try:
            is_known = self._topology.resolve_name(session, target.name, NAME).id == target.id
        except InvalidValue:
            is_known = False
        return target.name if is_known else str(target.id)


def _name_in(document: Mapping[str, Any]) -> str | None:
    """Return how *document* spells the parameter, if a step runs on it."""
    names = [who["parameter"] for step in document.get("steps", ()) for who in step["who"] if "parameter" in who]
    return next((name for name in names if name.casefold() == NAME.casefold()), None)
