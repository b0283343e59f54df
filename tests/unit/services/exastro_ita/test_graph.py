"""Graphs of run books: whatever steps there are, one way leads through all of them from the start to the end."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.core.definitions import RunBookDocument, StepDocument
from dispatcher.core.jobs import WhatKind
from dispatcher.services.exastro_ita.graph import to_class, to_graph


def a_step(flags: tuple[bool, bool, bool], at: int) -> StepDocument:
    """Return a step that may start with the one before it, wait, or run a run book."""
    parallel, waits, calls = flags
    options = {"parallel": parallel and at > 0, "wait_for_approval": waits}
    kind = WhatKind.RUNBOOK if calls else WhatKind.MODULE
    return cast("StepDocument", {"name": f"s{at}", "kind": kind, "what": {"id": "i", "name": "n"}, "options": options})


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=12))
def test_every_step_is_on_a_way_from_the_start_to_the_end(flags: list[tuple[bool, bool, bool]]) -> None:
    steps = [a_step(one, at) for at, one in enumerate(flags)]
    graph = to_graph(steps)
    document = cast("RunBookDocument", {"id": "b", "name": "R", "parameters": [], "steps": steps})
    saved = to_class(graph, document, operations={})
    out: dict[str, list[str]] = defaultdict(list)
    into: dict[str, list[str]] = defaultdict(list)
    for line in graph.lines:
        out[line["outNode"]].append(line["inNode"])
        into[line["inNode"]].append(line["outNode"])
    for node in graph.nodes:
        ways = len(into[node.name]), len(out[node.name])
        match node.kind:
            case "start":
                assert ways == (0, 1)
            case "end":
                assert ways == (1, 0)
            case "parallel-branch":
                assert ways == (1, len(node.steps))
            case "merge":
                assert ways == (len(node.steps), 1)
            case _:
                assert ways == (1, 1)
    works = [node for node in graph.nodes if node.kind in ("movement", "call")]
    assert [node.steps.start for node in works] == [*range(len(steps))]
    assert [node.kind == "call" for node in works] == [one[2] for one in flags]
    pauses = {node.steps.start for node in graph.nodes if node.kind == "pause"}
    assert pauses == {at for at, one in enumerate(flags) if one[1]}
    assert reached(out, "node-1") == {node.name for node in graph.nodes}
    places: list[Any] = [(saved[node.name]["x"], saved[node.name]["y"]) for node in graph.nodes]
    assert len(set(places)) == len(places)  # none lies on another
    terminals = [terminal for node in graph.nodes for terminal in node.terminals]
    assert len(set(terminals)) == len(terminals) == 2 * len(graph.lines)


def reached(out: dict[str, list[str]], start: str) -> set[str]:
    """Return all nodes that lines lead to from *start*, that one among them."""
    found, open_nodes = {start}, [start]
    while open_nodes:
        for name in out[open_nodes.pop()]:
            if name not in found:
                found.add(name)
                open_nodes.append(name)
    return found
