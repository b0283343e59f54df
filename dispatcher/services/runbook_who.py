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
from dispatcher.core.errors import Forbidden, InvalidValue
from dispatcher.core.jobs import Who
from dispatcher.core.parameters import Parameter, Values, values_of
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.datastore.base import Row
from dispatcher.services.access import may_who, require_what, require_who
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

    def check(self, session: Session, document: Mapping[str, Any], values: Values) -> None:
        """Check that the value among *values* that chooses the agent of the run book *document* names one, if any.

        :raises InvalidValue: if it names nothing, or a name that several agents share.
        """
        name, by = _name_in(document)
        if name in values:
            self._topology.resolve_names(session, values[name][0], f"Parameters/{name}", by)

    def require(
        self,
        session: Session,
        document: Mapping[str, Any],
        declared: Sequence[Parameter],
        values: Values,
        caller: Caller,
        *,
        at_once: bool,
    ) -> None:
        """Check that *caller* may read whom the run book *document* is for by *values*; the *declared* ones may stand.

        Where that is not known yet, it takes the right to read all agents and teams: what names nobody may name
        somebody by the time that its step starts; so may a name name another one unless the run book starts *at_once*,
        and a user that later steps look up.

        :raises Forbidden: if not. It does not tell whom a value names, or whether it names anybody.
        """
        if _reads_all(caller):
            return
        chooser, taken_by = _name_in(document)
        defaults = {parameter.name: parameter.value1 for parameter in declared}
        naming = _naming(document)
        for name, (text, *_) in values.items():
            if name not in naming or (name != chooser and text.strip() == defaults[name].strip()):
                continue
            # The user of ``RunBookWho`` becomes an agent at the start (see ``taken``).
            is_taken = name == chooser and taken_by is not By.COMPUTER
            for by in naming[name]:
                is_known = at_once and (by is By.COMPUTER or is_taken)
                if not self._may(session, text, by, is_known, caller):
                    raise Forbidden(caller.name, Right.READ.name.capitalize(), f"Parameters/{name}")

    def require_job(self, session: Session, job: Row, caller: Caller, *, at_once: bool = True) -> None:
        """Check that *caller* may read what the stored *job* runs, and on whom; *at_once* as in ``require``.

        Of agents and teams that were removed the nodes decide.

        :raises Forbidden: if not.
        """
        require_what(session, job["what"], caller)
        require_who(session, Right.READ, [to_who(item) for item in job["who"]], caller)
        if not job["is_runbook"] or _reads_all(caller):
            return
        document = self._plans.document(session, job["what"][0])
        if not _naming(document):
            return
        declared, scheduled = self._plans.declared(document), job["parameters"][-1]
        # The agent that it took from whom it was scheduled on has been judged by that.
        untold = {name: value for name, value in scheduled.items() if chooses_agent(name) and not value[0].strip()}
        for stored in job["parameters"]:  # what they are now, and were when it was scheduled
            values = values_of(self._plans.open(document, {**stored, **untold}))
            self.require(session, document, declared, values, caller, at_once=at_once)

    def _may(self, session: Session, text: str, by: By | None, is_known: bool, caller: Caller) -> bool:
        """Whether *caller*, who may not read all, may read whom *text* names; by None it is a part of a name."""
        if by is None:
            return False
        try:
            found = self._topology.resolve_names(session, text, PARAMETER, by)
        except InvalidValue:
            return False
        return (is_known or _are_ids(text, found)) and all(may_who(session, Right.READ, found, caller))

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


def _reads_all(caller: Caller) -> bool:
    return caller.may_all(Right.READ, Node.AGENTS) and caller.may_all(Right.READ, Node.TEAMS)


def _are_ids(text: str, found: Sequence[Who]) -> bool:
    """Whether *text*, which names those *found*, does so by ids only."""
    parts = {part.strip(" {}").lower() for part in text.split(";")} - {""}
    return parts <= {str(who.id) for who in found}


def _naming(document: Mapping[str, Any]) -> dict[str, set[By | None]]:
    """Return the parameters of *document* by which its steps, or those of run books in it, name whom they run on.

    None stands for one that gives only a part of the name.
    """
    found: dict[str, set[By | None]] = {}
    for name, by in _named_by(document):
        found.setdefault(name, set()).add(by)
    for step in document.get("steps", ()):
        for key, all_by in _naming(step["what"]).items():
            text = step["parameters"].get(key, "")
            for name in definitions.links_in(text):
                found.setdefault(name, set()).update(all_by if text == f"$[{name}]" else {None})
    return found


def _name_in(document: Mapping[str, Any]) -> tuple[str | None, By]:
    """Return how *document* spells the parameter, if a step runs on it, and what its value is."""
    return next(((name, by) for name, by in _named_by(document) if chooses_agent(name)), (None, By.COMPUTER))


def _named_by(document: Mapping[str, Any]) -> list[tuple[str, By]]:
    entries = [who for step in document.get("steps", ()) for who in step["who"] if "parameter" in who]
    return [(who["parameter"], By(who.get("by", By.COMPUTER))) for who in entries]
