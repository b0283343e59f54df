"""Library run books: the ``runbooks`` section of library files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from dispatcher.core.conditions import OF_STEPS
from dispatcher.core.console import By, chooses_agent
from dispatcher.core.definitions import StepOptions
from dispatcher.core.jobs import WhatKind
from dispatcher.core.parameters import Parameter
from dispatcher.core.steps import MAX_DEPTH
from dispatcher.datastore.runbooks import RunBook, RunBookStep
from dispatcher.services.library import children, conditions, parameters, sealing
from dispatcher.services.library.children import Row
from dispatcher.services.library.entries import RunBookEntry, StepEntry, WhoEntry
from dispatcher.services.library.filed import WhatSection
from dispatcher.services.library.items import Item
from dispatcher.services.library.sections import Exporting, Importing

#: Members that a step has in its options under the same name.
_OPTIONS = (
    "parallel",
    "timeout_s",
    "wake_on_lan",
    "select_one_agent",
    "offline_agents_next_boot",
    "launch_window",
    "wait_for_approval",
    "stop_at_share",
    "operation",
)
_KINDS = {"module": WhatKind.MODULE, "project": WhatKind.PROJECT, "runbook": WhatKind.RUNBOOK}


class RunBookSection(WhatSection):
    """Run books with their steps."""

    name = "runbooks"
    noun = "run book"
    kind = WhatKind.RUNBOOK
    entry = RunBookEntry

    def new_row(self) -> RunBook:
        """Return a run book with nothing in it."""
        return RunBook(description="", enabled=True, version=0)

    def check(self, item: Item[RunBookEntry]) -> None:
        """Note what is wrong with the parameters and the steps."""
        super().check(item)
        for place, step in enumerate(item.entry.steps):
            if len(_whats(step)) != 1:
                item.problem("a step has one of module, project and runbook", "steps", place)
            for number, who in enumerate(step.who):
                if len(_who(who)) != 1:
                    item.problem("has one of agent, team, parameter and ask: true", "steps", place, "who", number)
            _check_by(item, step, place)
            if not step.who:
                item.problem("names nobody; write ask: true to ask at scheduling", "steps", place, "who")
            if step.parallel and place == 0:
                item.problem("there is no step before it to start with", "steps", place, "parallel")
            _check_batch(item, step, place)

    def fill(self, importing: Importing, item: Item[RunBookEntry]) -> None:
        """Make the row what the entry says, unless that was done because another run book contains it."""
        if item.row.id not in importing.filled:
            importing.filled.add(item.row.id)
            super().fill(importing, item)

    def fill_content(self, importing: Importing, item: Item[RunBookEntry]) -> bool:
        """Store the steps in order, and the parameters: those declared and those handed up by links."""
        known = [parameters.to_parameter(entry) for entry in item.entry.parameters]
        found = [self._what(importing, item, place, known) for place in range(len(item.entry.steps))]
        names = {parameter.name: parameter for parameter in known}
        for place, step in enumerate(item.entry.steps):
            # Only now are all parameters known that are handed up.
            conditions.check(item, step.condition, OF_STEPS, names, "steps", place, "condition")
        steps = []
        for place, (step, what_id) in enumerate(zip(item.entry.steps, found, strict=True)):
            who = [self._who(importing, item, place, number, names) for number in range(len(step.who))]
            if what_id is not None:
                steps.append(_to_row(step, what_id, who))
        changed = parameters.store(importing, item, self.kind, known)
        return changed | sealing.replace(importing, item, self.kind, steps, "name")

    def dump_content(self, exporting: Exporting, row: RunBook) -> dict[str, Any]:
        """Return the steps."""
        steps = children.read(exporting.session, RunBookStep, {"runbook_id": row.id})
        return {"steps": [_dump_step(exporting, step) for step in steps]}

    def _what(self, importing: Importing, item: Item[RunBookEntry], place: int, known: list[Parameter]) -> UUID | None:
        """Return what the step runs; add to *known* those that it hands up."""
        step = item.entry.steps[place]
        ((member, text),) = _whats(step).items()
        what_id = importing.find(f"{member}s", text, item, "steps", place, member)
        if what_id is None:
            return None
        nested = importing.touched.get((self.kind, what_id))
        if nested is not None and what_id not in importing.filled:
            # Its parameters must be known first.
            if importing.depth == MAX_DEPTH:
                item.problem(f"run books are nested deeper than {MAX_DEPTH}", "steps", place, member)
                return None
            importing.depth += 1
            self.fill(importing, nested)
            importing.depth -= 1
        inner = parameters.declared(importing, _KINDS[member], what_id)
        known += parameters.inherited(step.parameters, inner, known)
        known += parameters.inherited_outputs(step.get, inner, known)
        parameters.check_links(item, step.parameters, inner, known, "steps", place, "parameters")
        parameters.check_get(item, step.get, inner, known, "steps", place, "get")
        return what_id

    def _who(
        self, importing: Importing, item: Item[RunBookEntry], place: int, number: int, names: Mapping[str, Parameter]
    ) -> Row:
        ((member, text),) = _who(item.entry.steps[place].who[number]).items()
        if member == "ask":
            return {"ask": True}
        path = ("steps", place, "who", number, member)
        if member == "parameter":
            if text not in names:
                item.problem(f"there is no parameter {text!r}", *path)
            elif names[text].type.is_secret:
                item.problem(f"parameter {text!r} is secret: it names nobody", *path)
            by = item.entry.steps[place].who[number].by
            return {"parameter": text, **({} if by is By.COMPUTER else {"by": by.value})}
        return {member: str(importing.find(f"{member}s", text, item, *path))}


def _check_by(item: Item[RunBookEntry], step: StepEntry, place: int) -> None:
    """Note a ``by`` that has no place, or is another one than at the first step that has the parameter."""
    others = [who for other in item.entry.steps for who in other.who if chooses_agent(who.parameter or "")]
    for number, who in enumerate(step.who):
        path = ("steps", place, "who", number, "by")
        if chooses_agent(who.parameter or ""):
            if who.by is not others[0].by:
                item.problem("a step before this one chooses otherwise", *path)
        elif who.by is not By.COMPUTER:
            item.problem("only the parameter RunBookWho has this", *path)


def _check_batch(item: Item[RunBookEntry], step: StepEntry, place: int) -> None:
    """Note what is wrong with how the step is spread over its agents."""
    if step.batch is not None and (step.batch.size is None) is (step.batch.share is None):
        item.problem("has one of size and share", "steps", place, "batch")
    if step.batch is not None and step.select_one_agent:
        item.problem("one agent makes no batches", "steps", place, "batch")
    if step.batch is None and step.stop_at_share is not None:
        item.problem("only a step with a batch can stop on the way", "steps", place, "stop_at_share")


def _options(step: StepEntry) -> StepOptions | None:
    """Return what the step has that few steps have; None, if there is nothing."""
    given = {name: value for name in _OPTIONS if (value := getattr(step, name))}
    if step.batch is not None:
        given |= {f"batch_{name}": value for name, value in step.batch if value is not None}
    return cast("StepOptions", given) or None


def _dump_options(options: Row) -> Row:
    """Return *options* as members of a step of a library file."""
    batch = {name: options[f"batch_{name}"] for name in ("size", "share") if f"batch_{name}" in options}
    return {**{name: options[name] for name in _OPTIONS if name in options}, "batch": batch}


def _whats(step: StepEntry) -> dict[str, str]:
    return {member: text for member in _KINDS if (text := getattr(step, member)) is not None}


def _who(entry: WhoEntry) -> dict[str, Any]:
    return {name: value for name, value in entry if value and name != "by"}


def _to_row(step: StepEntry, what_id: UUID, who: Sequence[Row]) -> Row:
    return {
        "name": step.name,
        "what_kind": int(_KINDS[next(iter(_whats(step)))]),
        "what_id": what_id,
        "who": list(who),
        "on_error": step.on_error,
        "parameters": dict(step.parameters),
        "get": dict(step.get) or None,
        "condition": conditions.to_row(step.condition),
        "options": _options(step),
    }


def _dump_step(exporting: Exporting, row: Row) -> Row:
    member = next(name for name, kind in _KINDS.items() if kind == row["what_kind"])
    entry: Row = {
        "name": row["name"],
        member: exporting.names[f"{member}s"].shortest(row["what_id"]),
        "who": [_dump_who(exporting, who) for who in row["who"]],
    }
    if row["on_error"] != "stop":
        entry["on_error"] = row["on_error"]
    entry |= {**_dump_options(row["options"] or {}), "condition": conditions.dump(row["condition"])}
    return {**entry, "parameters": sealing.dump(row["parameters"]), "get": row["get"]}


def _dump_who(exporting: Exporting, who: Row) -> Row:
    member, value = next(iter(who.items()))
    if member in ("agent", "team"):
        return {member: exporting.names[f"{member}s"].shortest(UUID(value))}
    return who
