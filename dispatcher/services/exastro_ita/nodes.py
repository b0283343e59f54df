"""Nodes: where the nodes of a conductor run stand, told from the jobs of its steps.

What the nodes between steps come to follows the vendor's ``start_node_action``, ``merge_node_action`` and so on
(``conductor/classes/exec_util.py``). A node that was never reached is unexecuted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from dispatcher.core.definitions import StepDocument
from dispatcher.core.states import FINISHED, State
from dispatcher.core.steps import group_at
from dispatcher.services.exastro_ita import graph, states
from dispatcher.services.exastro_ita.graph import Graph, Node
from dispatcher.services.exastro_ita.run_jobs import Family, RunJob
from dispatcher.services.exastro_ita.states import NodeState

#: Nodes after which a run goes on.
_PASSED = frozenset({NodeState.NORMAL_END, NodeState.SKIPPED, NodeState.WARNING_END})

_Span = tuple[datetime | None, datetime | None]
_NEVER: _Span = (None, None)


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node of a run, and how it stands. ``job`` is that of its step; moments are None as long as they are unknown."""

    node: Node
    id: UUID
    state: NodeState
    job: RunJob | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None

    @property
    def is_executed(self) -> bool:
        """Whether there is something to look at that it has done, or does."""
        return self.job is not None and self.job.standing.is_executed


def node_id(run_id: UUID, name: str) -> UUID:
    """Return the id of the node *name* of a run: it is always the same, and stored nowhere."""
    return uuid5(run_id, name)


def look(family: Family, run: RunJob, drawn: Graph) -> list[NodeView]:
    """Return the nodes of *run*, of which *family* has all steps, in the order of their numbers."""
    steps: Sequence[StepDocument] = family.document(run)["steps"]
    looking = _Looking(family, run, steps)
    return [looking.at(node) for node in drawn.nodes]


class _Looking:
    """Finds out where the nodes of one run stand."""

    def __init__(self, family: Family, run: RunJob, steps: Sequence[StepDocument]) -> None:
        self._family = family
        self._run = run
        self._steps = steps
        self._jobs: Mapping[int, RunJob] = family.steps(run)
        self._is_over = run.standing.state in FINISHED

    def at(self, node: Node) -> NodeView:
        """Return how *node* stands."""
        key = node_id(self._run.id, node.name)
        job = self._jobs.get(node.steps.start) if node.kind in (graph.MOVEMENT, graph.CALL, graph.PAUSE) else None
        state, span = self._of_step(node, job) if job is not None else self._between(node)
        return NodeView(node, key, state, job, *span)

    def _of_step(self, node: Node, job: RunJob) -> tuple[NodeState, _Span]:
        begun = job.started_at or job.created_at
        if node.kind == graph.PAUSE:
            return states.pause_state(job.standing), (begun, job.approved_at or job.stopped_at)
        called = self._family.state(job) if node.kind == graph.CALL else None
        span = _NEVER if job.standing.never_let_go else (job.approved_at or begun, job.stopped_at)
        return states.node_state(job.standing, called), span

    def _between(self, node: Node) -> tuple[NodeState, _Span]:
        """Return how a node stands that is of no step, or of one that has not begun."""
        begun = [self._jobs[at] for at in node.steps if at in self._jobs]
        match node.kind:
            case graph.START if self._run.standing.has_started:
                return NodeState.NORMAL_END, (self._run.started_at, self._run.started_at)
            case graph.BRANCH if begun:
                first = min(job.created_at for job in begun)
                return NodeState.NORMAL_END, (first, first)
            case graph.MERGE:
                return self._merge(node.steps, begun)
            case graph.END if self._has_come_through():
                return NodeState.NORMAL_END, (self._run.stopped_at, self._run.stopped_at)
        return NodeState.UNEXECUTED, _NEVER

    def _merge(self, group: range, begun: Sequence[RunJob]) -> tuple[NodeState, _Span]:
        ended = [job for job in begun if job.stopped_at is not None]
        passed = [job for job in ended if self._passes(job)]
        if not passed:
            return NodeState.UNEXECUTED, _NEVER
        first, last = min(_stops(passed)), max(_stops(ended))
        if len(passed) == len(group):
            return NodeState.NORMAL_END, (first, last)
        if len(ended) < len(group) and not self._is_over:
            return NodeState.EXECUTING, (first, None)
        stopped = self._run.standing.is_stopped
        return NodeState.EMERGENCY_STOP if stopped else NodeState.ABEND, (first, last)

    def _has_come_through(self) -> bool:
        standing = self._run.standing
        if standing.was_ended or not self._is_over or not standing.has_started:
            return False
        if standing.state is State.FAILED and standing.reason:  # the run itself, after its last step
            return False
        last = group_at(self._steps, len(self._steps) - 1) if self._steps else ()
        return all(at in self._jobs and self._passes(self._jobs[at]) for at in last)

    def _passes(self, job: RunJob) -> bool:
        end = self._family.end(self._steps[job.step], job)
        return end.goes_on or end.node in _PASSED


def _stops(jobs: Iterable[RunJob]) -> list[datetime]:
    return [job.stopped_at for job in jobs if job.stopped_at is not None]
