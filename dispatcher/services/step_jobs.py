"""Step jobs: the job that a step of a run book becomes when it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy.orm import Session

from dispatcher.core import conditions, definitions
from dispatcher.core.console import By
from dispatcher.core.definitions import StepDocument, StepOptions
from dispatcher.core.errors import DispatcherError
from dispatcher.core.jobs import Invoker, Options, WhatKind, Who, WhoChoice, WhoKind
from dispatcher.core.options import REQUIRED
from dispatcher.core.parameters import Parameter, values_of
from dispatcher.core.ports import Ports
from dispatcher.core.states import State
from dispatcher.core.steps import MAX_DEPTH, group_at
from dispatcher.datastore.base import Row
from dispatcher.services.job_inputs import JobInputs
from dispatcher.services.plans import Plans
from dispatcher.services.starting import NEW_JOB, to_entry, to_who
from dispatcher.services.topology import Topology

#: How a job is spread over its agents.
_SPREADING = ("batch_size", "batch_share", "stop_at_share", "select_one")
#: Options of a run book job that hold for each of its steps, and those that only its first steps have.
_INHERITED = (
    "launch_timeout_s",
    "offline_agents_next_boot",
    "local_time",
    "queued",
    "credential_set",
    "credential_team",
    "ends_waiting",
    "inputs",
    *_SPREADING,
)
_INHERITED_BY_FIRST = (*_INHERITED, "boot", "approval")
#: Options of a step that its job has under the same name.
_OWN = ("timeout_s", "offline_agents_next_boot", "batch_size", "batch_share", "stop_at_share")
#: What a step says that names nobody.
_ASKING: Sequence[dict[str, Any]] = [{"ask": True}]
#: Why a step failed that asks, and for which no agent has inputs any more, or yet.
NOBODY_HAS_INPUTS = "no agent: none has values for it now"


class StepJobs:
    """Makes the jobs of steps. Nothing is stored here."""

    def __init__(self, ports: Ports, plans: Plans, topology: Topology, inputs: JobInputs) -> None:
        self._ports = ports
        self._plans = plans
        self._topology = topology
        self._inputs = inputs

    def make(self, session: Session, job: Row, position: int, previous: str) -> dict[str, Any]:
        """Return the columns of a new job for the step at *position* of the run book *job*, with its present values.

        *previous* is the state that the steps before it have ended in, as conditions name it. The new job's state is
        SCHEDULED if it can start; else it has its outcome already, and the reason.
        """
        child = self._blank(job, self._plans.document(session, job["what"][0])["steps"], position)
        try:
            self._complete(session, job, child, previous)
        except DispatcherError as error:  # the step fails, not whoever reported the end of the step before
            self._end(child, State.FAILED, error.message)
        return child

    def _complete(self, session: Session, job: Row, child: dict[str, Any], previous: str) -> None:
        """Give *child* its values and its targets, or its outcome if it shall or can not start."""
        document = self._plans.document(session, job["what"][0])
        step: StepDocument = document["steps"][child["step"]]
        values = self._plans.open(document, job["parameters"][0])
        facts = {"previous": previous, **conditions.parameter_facts(values)}
        verdict = conditions.judge(step.get("condition"), conditions.OF_STEPS, facts)
        if verdict.decision != "run":
            self._end(child, State.SKIPPED if verdict.decision == "skip" else State.FAILED, verdict.reason)
            return
        declared = self._plans.declared(step["what"])
        linked = definitions.link(declared, self._plans.links(step["parameters"], declared), values)
        child["parameters"] = [self._plans.seal(linked, values_of(linked))]
        asked = self._asked(session, job, step, child)
        child["who"] = [to_entry(who) for who in self._targets(session, asked, step, values)]
        if len(child["what"][0]["path"]) > MAX_DEPTH:
            self._end(child, State.FAILED, f"run books are nested deeper than {MAX_DEPTH}")
        elif "inputs" in (child["options"] or {}) and not asked and _asks(step) and not child["is_runbook"]:
            self._end(child, State.FAILED, NOBODY_HAS_INPUTS)
        elif not child["who"] and not child["is_runbook"]:
            self._end(child, State.SKIPPED, "no agent: nobody is named")

    def _blank(self, job: Row, steps: Sequence[StepDocument], position: int) -> dict[str, Any]:
        """Return what the job of the step has whatever the values are."""
        now, step, outer = self._ports.now(), steps[position], job["what"][0]
        options = step.get("options", {})
        what = {
            "kind": step["kind"],
            "id": step["what"]["id"],
            "name": step["what"]["name"],
            "definition": outer["definition"],
            "path": [*outer.get("path", ()), position],
        }
        inherited = _INHERITED_BY_FIRST if group_at(steps, position).start == 0 else _INHERITED
        return {
            **NEW_JOB,
            "id": self._ports.new_id(),
            "parent_id": job["id"],
            "step": position,
            "description": step["name"],
            "is_runbook": step["kind"] == WhatKind.RUNBOOK,
            "what": [what],
            "who": [],
            "parameters": [{}],
            "invoker": Invoker.RUNBOOK,
            "invoker_info": job["invoker_info"],
            "immediate": True,
            "starts_at": now,
            "use_wake_on_lan": job["use_wake_on_lan"] or options.get("wake_on_lan", False),
            "in_parallel": job["in_parallel"],
            "outside_launch_window": options.get("launch_window", job["outside_launch_window"]),
            "created_at": now,
            "sorted_at": now,
            "options": _options(job.get("options") or {}, inherited, options) or None,
        }

    def _asked(self, session: Session, job: Row, step: StepDocument, child: dict[str, Any]) -> list[Who]:
        """Return whom a step runs on that asks; let *child* have the inputs that the step calls by a name.

        That is whom the run book was scheduled on or, of a step with inputs of its own, those that there are some for.

        :raises InvalidValue: if there are none of this name.
        :raises Unavailable: if nobody can be asked for them.
        """
        name, options = step.get("options", {}).get("operation"), child["options"] or {}
        if name is None or "inputs" not in options:
            return [to_who(who) for who in job["who"]]
        inputs, agents = self._inputs.called(session, options["inputs"], name)
        child["options"] = {**options, "inputs": inputs}
        return self._topology.resolve(session, [WhoChoice([agent], WhoKind.AGENT) for agent in agents])

    def _end(self, child: dict[str, Any], state: State, reason: str) -> None:
        """Give *child* its outcome before it has started."""
        child |= {"state": state, "reason": reason, "stopped_at": self._ports.now()}

    def _targets(
        self, session: Session, asked: Sequence[Who], step: StepDocument, values: Sequence[Parameter]
    ) -> list[Who]:
        """Return whom the step runs on.

        A step that names nobody runs on those who are *asked*, as one that asks.

        :raises InvalidValue: if a parameter names no agent or team.
        """
        by_name = {parameter.name: parameter.value1 for parameter in values}
        targets: list[Who] = []
        for entry in step["who"] or _ASKING:
            if "parameter" in entry:
                name = entry["parameter"]
                by = By(entry.get("by", By.COMPUTER))
                targets += self._topology.resolve_names(session, by_name.get(name, ""), f"parameter {name}", by)
            elif "ask" in entry:
                targets += asked
            else:
                kind = WhoKind.AGENT if "agent" in entry else WhoKind.TEAM
                target = UUID(entry["agent"] if kind is WhoKind.AGENT else entry["team"])
                targets += self._topology.resolve(session, [WhoChoice([target], kind)])
        return targets


def _asks(step: StepDocument) -> bool:
    return any("ask" in entry for entry in step["who"] or _ASKING)


def _options(outer: Mapping[str, Any], inherited: Sequence[str], step: StepOptions) -> Options:
    """Return the options of the step's job: its own, else those of the run book job that steps inherit."""
    own: dict[str, Any] = {name: step.get(name) for name in _OWN if name in step}
    if step.get("select_one_agent"):
        own["select_one"] = True
    if step.get("wait_for_approval"):
        own["approval"] = REQUIRED
    if own.keys() & {"batch_size", "batch_share", "select_one"}:
        # One way to spread over the agents, not a mix of two.
        inherited = [name for name in inherited if name not in _SPREADING]
    return cast("Options", {name: outer[name] for name in inherited if name in outer} | own)
