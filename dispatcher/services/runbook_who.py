"""Run book who: whom parameters of a run book name, and the one parameter ``RunBookWho``.

By that one a run book works on one agent that is chosen at scheduling: its value is the name or the id of the agent. A
run book that is scheduled without a value takes the agent that it is scheduled on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from dispatcher.core import definitions
from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import Who, WhoKind
from dispatcher.core.parameters import Parameter
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.datastore.base import Row
from dispatcher.services.plans import Plans
from dispatcher.services.starting import to_who
from dispatcher.services.topology import Target, Topology

#: The parameter, in any case of letters.
NAME = "RunBookWho"
#: How many agents an error names.
_TOLD = 3


class RunBookWho:
    """Finds whom a run book is for by its parameters, above all the one agent of ``RunBookWho``."""

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

    def check(
        self,
        session: Session,
        document: Mapping[str, Any],
        declared: Sequence[Parameter],
        values: Sequence[Parameter],
        caller: Caller,
    ) -> None:
        """Check that *caller* may read whom they name by other *values* than the *declared* defaults.

        What names nobody yet may name an agent or a team by the time that its step starts.

        :raises Forbidden: if not.
        """
        defaults = {parameter.name: parameter.value1 for parameter in declared}
        naming = _naming(document)
        for parameter in values:
            if parameter.name in naming and parameter.value1.strip() not in ("", defaults[parameter.name]):
                for node in self._nodes(session, parameter):
                    caller.require(Right.READ, node)

    def _nodes(self, session: Session, parameter: Parameter) -> set[Node]:
        """Return the nodes of the agents and teams that the value names; both if that is not known."""
        try:
            found = self._topology.resolve_names(session, parameter.value1, parameter.name)
        except InvalidValue:
            return {Node.AGENTS, Node.TEAMS}
        return {Node.AGENTS if one.kind is WhoKind.AGENT else Node.TEAMS for one in found}

    def taken(self, session: Session, job: Row) -> dict[str, Any]:
        """Return what changes in the run book *job*, which begins: its parameters, if they take the agent from it.

        :raises InvalidValue: if the value, or without one the job, is for more than one agent, or for an unknown one.
        """
        name = _name_in(self._plans.document(session, job["what"][0]))
        values = job["parameters"][0]
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
        return {"parameters": [{**values, name: [self._shortest(session, targets[0])]}, job["parameters"][-1]]}

    def _shortest(self, session: Session, target: Target) -> str:
        """Return the name of *target*, else, if something else has it too, its id."""
        try:
            is_known = self._topology.resolve_name(session, target.name, NAME).id == target.id
        except InvalidValue:
            is_known = False
        return target.name if is_known else str(target.id)


def _naming(document: Mapping[str, Any]) -> set[str]:
    """Return the parameters of *document* by which its steps, or those of run books in it, name whom they run on."""
    found: set[str] = set()
    for step in document.get("steps", ()):
        found.update(who["parameter"] for who in step["who"] if "parameter" in who)
        inner = _naming(step["what"])
        found.update(name for key in inner for name in definitions.links_in(step["parameters"].get(key, "")))
    return found


def _name_in(document: Mapping[str, Any]) -> str | None:
    """Return how *document* spells the parameter, if a step runs on it."""
    names = [who["parameter"] for step in document.get("steps", ()) for who in step["who"] if "parameter" in who]
    return next((name for name in names if name.casefold() == NAME.casefold()), None)
