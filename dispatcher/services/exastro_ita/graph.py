"""Graph: a run book as the vendor's conductor, that is as nodes and the lines between them.

A step is a movement, or the call of a conductor; one that waits for somebody has a pause before it. Steps that start
together stand between a parallel branch and a merge. Names, members and numbers are those that the vendor's editor
gives (``contents/common/js/conductor.js``, ``ConductorCommonLibs`` of ``conductor/classes/util.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dispatcher.core.definitions import RunBookDocument, StepDocument
from dispatcher.core.jobs import WhatKind
from dispatcher.core.steps import group_at
from dispatcher.services.exastro_ita.states import ConductorState

START, END, MOVEMENT, CALL = "start", "end", "movement", "call"
BRANCH, CONDITIONAL_BRANCH, MERGE, PAUSE = "parallel-branch", "conditional-branch", "merge", "pause"
STATUS_FILE_BRANCH = "status-file-branch"
#: All that the vendor has, in its order.
KINDS = (START, END, MOVEMENT, CALL, BRANCH, CONDITIONAL_BRANCH, MERGE, PAUSE, STATUS_FILE_BRANCH)
#: The orchestrators by the vendor's ids; whatever a module does here, its movement is of the first one.
ORCHESTRATORS = {
    "1": "Ansible Legacy",
    "2": "Ansible Pioneer",
    "3": "Ansible Legacy Role",
    "4": "Terraform Cloud/EP",
    "5": "Terraform CLI",
}
_ORCHESTRATOR = "1"
_EDITOR_VERSION = "2.0.0"
#: Where the first node stands on the canvas, and how far it is from one to the next, in pixels.
_LEFT, _TOP, _ACROSS, _DOWN = 7_600, 8_100, 300, 140
_WIDTH, _HEIGHT = 200, 60


@dataclass(slots=True)
class Node:
    """A node. ``steps`` are the positions of those that it is of; of a branch and a merge, all in between."""

    name: str
    kind: str
    steps: range
    column: int
    row: int
    terminals: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(slots=True)
class Graph:
    """The nodes in the order of their numbers, and the lines between them as the vendor saves them."""

    nodes: list[Node] = field(default_factory=list)
    lines: list[dict[str, str]] = field(default_factory=list)
    terminals: int = 0

    def add(self, kind: str, steps: range, column: int, row: int = 0) -> Node:
        """Add a node and return it."""
        node = Node(f"node-{len(self.nodes) + 1}", kind, steps, column, row)
        self.nodes.append(node)
        return node

    def connect(self, source: Node, target: Node) -> None:
        """Draw a line from *source* to *target*."""
        name = f"line-{len(self.lines) + 1}"
        out = self._terminal(source, "out", target.name, name)
        into = self._terminal(target, "in", source.name, name)
        line = {"id": name, "type": "edge", "inNode": target.name, "inTerminal": into}
        self.lines.append({**line, "outNode": source.name, "outTerminal": out})

    def _terminal(self, node: Node, direction: str, target: str, line: str) -> str:
        self.terminals += 1
        name = f"terminal-{self.terminals}"
        x, y = _place(node)
        node.terminals[name] = {
            "id": name,
            "type": direction,
            "targetNode": target,
            "edge": line,
            "x": x + (_WIDTH if direction == "out" else 0),
            "y": y + _HEIGHT // 2,
        }
        return name


def to_graph(steps: Sequence[StepDocument]) -> Graph:
    """Return the graph of a run book with *steps*."""
    graph = Graph()
    last, column = graph.add(START, range(0), 0), 1
    for group in _groups(steps):
        if len(group) == 1:
            chain = _chain(graph, steps, group.start, column)
            graph.connect(last, chain[0])
            last, column = chain[-1], column + len(chain)
            continue
        branch = graph.add(BRANCH, group, column)
        graph.connect(last, branch)
        chains = [_chain(graph, steps, at, column + 1, row) for row, at in enumerate(group)]
        column += 1 + max(map(len, chains))
        last = graph.add(MERGE, group, column)
        column += 1
        for chain in chains:
            graph.connect(branch, chain[0])
            graph.connect(chain[-1], last)
    graph.connect(last, graph.add(END, range(len(steps), len(steps)), column))
    return graph


def to_class(
    graph: Graph, document: RunBookDocument, *, note: str = "", operations: Mapping[int, str | None]
) -> dict[str, Any]:
    """Return what the vendor saves of the conductor that the run book *document* with this *graph* is.

    *operations* are the ids of those that steps have of their own, by the positions of these.
    """
    config = {
        "nodeNumber": len(graph.nodes) + 1,
        "terminalNumber": graph.terminals + 1,
        "edgeNumber": len(graph.lines) + 1,
        "editorVersion": _EDITOR_VERSION,
    }
    conductor: dict[str, Any] = {
        "id": document["id"],
        "conductor_name": document["name"],
        "last_update_date_time": None,
        "note": note,
        "notice_info": {},
    }
    nodes = {node.name: _saved(node, document["steps"], operations) for node in graph.nodes}
    return {"config": config, "conductor": conductor, **nodes, **{line["id"]: line for line in graph.lines}}


def is_pause(step: StepDocument) -> bool:
    """Whether the run book waits before *step*."""
    return step.get("options", {}).get("wait_for_approval", False)


def _groups(steps: Sequence[StepDocument]) -> Iterator[range]:
    position = 0
    while position < len(steps):
        group = group_at(steps, position)
        yield group
        position = group.stop


def _chain(graph: Graph, steps: Sequence[StepDocument], position: int, column: int, row: int = 0) -> list[Node]:
    """Add the nodes of the step at *position* and return them, connected."""
    own = range(position, position + 1)
    is_call = steps[position]["kind"] == WhatKind.RUNBOOK
    if not is_pause(steps[position]):
        return [graph.add(CALL if is_call else MOVEMENT, own, column, row)]
    pause = graph.add(PAUSE, own, column, row)
    node = graph.add(CALL if is_call else MOVEMENT, own, column + 1, row)
    graph.connect(pause, node)
    return [pause, node]


def _place(node: Node) -> tuple[int, int]:
    return _LEFT + node.column * _ACROSS, _TOP + node.row * _DOWN


def _saved(node: Node, steps: Sequence[StepDocument], operations: Mapping[int, str | None]) -> dict[str, Any]:
    x, y = _place(node)
    saved: dict[str, Any] = {"id": node.name, "type": node.kind, "terminal": node.terminals}
    saved |= {"x": x, "y": y, "w": _WIDTH, "h": _HEIGHT}
    if node.kind == END:
        return {**saved, "end_type": ConductorState.NORMAL_END.value}
    if node.kind not in (MOVEMENT, CALL):
        return saved
    step = steps[node.steps.start]
    what = step["what"]
    saved |= {"note": step["name"], "skip_flag": "0"}
    saved["operation_id"] = operations.get(node.steps.start)
    saved["operation_name"] = step.get("options", {}).get("operation")
    if node.kind == CALL:
        return {**saved, "call_conductor_id": what["id"], "call_conductor_name": what["name"]}
    return {**saved, "movement_id": what["id"], "movement_name": what["name"], "orchestra_id": _ORCHESTRATOR}
