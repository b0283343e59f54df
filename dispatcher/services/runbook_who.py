"""Run book who: whom parameters of a run book name, and the one parameter ``RunBookWho``.

By that one a run book works on one agent that is chosen when it begins: its value is the name or the id of the agent,
or a user at the agent's console (``core.console.By``). A run book that is scheduled without a value takes the agent
that it is scheduled on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from dispatcher.core import definitions
from dispatcher.core.console import PARAMETER, By, chooses_agent
from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import Who, WhoKind
from dispatcher.core.parameters import Parameter
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.datastore.base import Row
from dispatcher.services.plans import Plans
from dispatcher.services.starting import to_who
from dispatcher.services.topology import Target, Topology

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
        name, by = _name_in(document)
        text = next((parameter.value1 for parameter in values if parameter.name == name), "")
        return self._topology.resolve_names(session, text, f"Parameters/{name}", by)

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
            if parameter.value1.strip() in ("", defaults[parameter.name]):
                continue
            for by in naming.get(parameter.name, ()):
                for node in self._nodes(session, parameter, by):
                    caller.require(Right.READ, node)

    def _nodes(self, session: Session, parameter: Parameter, by: By) -> set[Node]:
        """Return the nodes of the agents and teams that the value names; both if that is not known."""
        try:
            found = self._topology.resolve_names(session, parameter.value1, parameter.name, by)
        except InvalidValue:
            return {Node.AGENTS, Node.TEAMS}
        return {Node.AGENTS if one.kind is WhoKind.AGENT else Node.TEAMS for one in found}

    def taken(self, session: Session, job: Row) -> dict[str, Any]:
        """Return what changes in the run book *job*, which begins: its parameters, if they take the agent from it.

        A user becomes the agent's id: all steps work where the first one does, wherever the user goes meanwhile, and
        run books inside cannot take it for another user.

        :raises InvalidValue: if the value, or without one the job, is for more than one agent, or for an unknown one.
        """
        name, by = _name_in(self._plans.document(session, job["what"][0]))
        values = job["parameters"][0]
        if name is None or name not in values:
            return {}
        text = values[name][0].strip()
        chosen = self._topology.resolve_names(session, text, name, by) if text else [to_who(who) for who in job["who"]]
        targets = self._topology.targets_of(session, chosen)
        if len(targets) > 1:
            told = ", ".join(target.name for target in targets[:_TOLD]) + (", …" if len(targets) > _TOLD else "")
            raise InvalidValue(name, f"is for one agent, not for {len(targets)}: {told}")
        if not targets or (text and by is By.COMPUTER):
            return {}
        told = self._shortest(session, targets[0]) if by is By.COMPUTER else str(targets[0].id)
        return {"parameters": [{**values, name: [told]}, job["parameters"][-1]]}

    def _shortest(self, session: Session, target: Target) -> str:
        """Return the name of *target*, else, if something else has it too, its id."""
        try:
            is_known = self._topology.resolve_name(session, target.name, PARAMETER).id == target.id
        except InvalidValue:
            is_known = False
        return target.name if is_known else str(target.id)


def _naming(document: Mapping[str, Any]) -> dict[str, set[By]]:
    """Return the parameters of *document* by which its steps, or those of run books in it, name whom they run on."""
    found: dict[str, set[By]] = {}
    for name, by in _named_by(document):
        found.setdefault(name, set()).add(by)
    for step in document.get("steps", ()):
        for key, all_by in _naming(step["what"]).items():
            for name in definitions.links_in(step["parameters"].get(key, "")):
                found.setdefault(name, set()).update(all_by)
    return found


def _name_in(document: Mapping[str, Any]) -> tuple[str | None, By]:
    """Return how *document* spells the parameter, if a step runs on it, and what its value is."""
    return next(((name, by) for name, by in _named_by(document) if chooses_agent(name)), (None, By.COMPUTER))


def _named_by(document: Mapping[str, Any]) -> list[tuple[str, By]]:
    entries = [who for step in document.get("steps", ()) for who in step["who"] if "parameter" in who]
    return [(who["parameter"], By(who.get("by", By.COMPUTER))) for who in entries]
