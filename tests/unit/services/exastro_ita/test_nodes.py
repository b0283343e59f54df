"""Nodes of conductor runs: what is drawn of a run book, and where each node stands while it is done."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from exastro_runs import RunWorld, a_run_world
from runbook_world import a_book, a_library, a_step

from dispatcher.core.states import Event
from dispatcher.services.exastro_ita.graph import KINDS
from dispatcher.services.hall import Hall

Load = Callable[[str], None]
PAUSE = "wait_for_approval: true"
#: Which kinds of nodes the vendor lets a line lead to from each (``ConductorCommonLibs``).
_NEXT = {
    "start": {"movement", "call", "parallel-branch"},
    "movement": {"end", "movement", "call", "parallel-branch", "merge", "pause"},
    "call": {"end", "movement", "call", "parallel-branch", "merge", "pause"},
    "parallel-branch": {"movement", "call", "pause"},
    "merge": {"end", "movement", "call", "parallel-branch", "pause"},
    "pause": {"end", "movement", "call", "parallel-branch", "pause"},
    "end": set(),
}


@pytest.fixture
def world(hall: Hall, clock: Any, enrol: Callable[..., UUID]) -> RunWorld:
    return a_run_world(hall, clock, enrol)


INNER = a_book(a_step("x"), a_step("y"), name="Inner", key=UUID(int=7))
BRANCHED = (
    a_step("a"),
    a_step("b", PAUSE),
    a_step("c", "parallel: true"),
    a_step("d", what="runbook: Inner"),
    a_step("e", PAUSE),
)


def test_what_is_drawn_is_what_the_vendor_takes_for_a_conductor(world: RunWorld, load_library: Load) -> None:
    load_library(a_library(INNER, a_book(*BRANCHED)))
    run = world.run()
    saved = world.state(run)["conductor_class"]
    nodes = {name: one for name, one in saved.items() if re.fullmatch(r"node-\d+", name)}
    lines = {name: one for name, one in saved.items() if re.fullmatch(r"line-\d+", name)}
    assert saved.keys() == {"config", "conductor", *nodes, *lines}
    assert saved["config"]["nodeNumber"] == len(nodes) + 1 == 12
    assert saved["config"]["edgeNumber"] == len(lines) + 1
    assert next(iter(nodes)) == "node-1"
    assert nodes["node-1"]["type"] == "start"
    assert {one["type"] for one in nodes.values()} <= set(KINDS)
    for line in lines.values():
        source, target = nodes[line["outNode"]], nodes[line["inNode"]]
        assert target["type"] in _NEXT[source["type"]]
        out, into = source["terminal"][line["outTerminal"]], target["terminal"][line["inTerminal"]]
        assert (out["type"], out["targetNode"], out["edge"]) == ("out", target["id"], line["id"])
        assert (into["type"], into["targetNode"], into["edge"]) == ("in", source["id"], line["id"])
    ends = [(len([t for t in one["terminal"].values() if t["type"] == "in"]), one["type"]) for one in nodes.values()]
    assert sorted(count for count, kind in ends if kind == "merge") == [2]
    [call] = [one for one in nodes.values() if one["type"] == "call"]
    assert (call["call_conductor_id"], call["call_conductor_name"]) == (str(UUID(int=7)), "Inner")
    assert [one["movement_name"] for one in nodes.values() if one["type"] == "movement"] == ["M"] * 4


def test_nodes_move_as_the_run_does(world: RunWorld, load_library: Load, clock: Any) -> None:
    load_library(a_library(INNER, a_book(*BRANCHED)))
    run = world.run()

    def states() -> str:
        return " ".join(status for _, status in world.nodes(run))

    kinds = " ".join(kind for kind, _ in world.nodes(run))
    assert kinds == "start movement parallel-branch pause movement movement merge call pause movement end"
    assert states() == "5 3 1 1 1 1 1 1 1 1 1"
    world.end("a")
    assert states() == "5 5 5 11 1 3 1 1 1 1 1"
    world.end("c")
    assert states() == "5 5 5 11 1 5 3 1 1 1 1"  # the merge waits for the other branch
    assert world.status(run) == "5"
    world.release(run, "node-4")
    assert states() == "5 5 5 5 3 5 3 1 1 1 1"
    assert world.status(run) == "3"
    world.end("b")
    assert states() == "5 5 5 5 5 5 5 3 1 1 1"
    world.end("x")
    world.end("y")
    assert states() == "5 5 5 5 5 5 5 5 11 1 1"
    clock.turn(timedelta(seconds=7))
    world.release(run, "node-9")
    world.end("e")
    assert states() == "5 5 5 5 5 5 5 5 5 5 5"
    assert world.status(run) == "6"


def test_a_failure_leaves_what_comes_after_it_unexecuted(world: RunWorld, load_library: Load) -> None:
    load_library(a_library(a_book(a_step("a"), a_step("b", "parallel: true"), a_step("c"))))
    run = world.run()
    world.end("a")
    world.end("b", Event.FAIL)
    assert world.nodes(run) == [
        ("start", "5"),
        ("parallel-branch", "5"),
        ("movement", "5"),
        ("movement", "6"),
        ("merge", "6"),
        ("movement", "1"),
        ("end", "1"),
    ]
    assert world.status(run) == "7"


def test_a_failed_last_step_keeps_the_run_from_its_end_node(world: RunWorld, load_library: Load) -> None:
    load_library(a_library(a_book(a_step("a"), a_step("b"))))
    run = world.run()
    world.end("a")
    world.end("b", Event.FAIL)
    assert [status for _, status in world.nodes(run)] == ["5", "5", "6", "1"]
    assert world.status(run) == "7"


def test_a_failure_that_is_borne_leads_to_the_end(world: RunWorld, load_library: Load) -> None:
    load_library(a_library(a_book(a_step("a", "on_error: continue"), a_step("b"))))
    run = world.run()
    world.end("a", Event.FAIL)
    world.end("b")
    assert [status for _, status in world.nodes(run)] == ["5", "6", "5", "5"]
    assert world.status(run) == "8"


def test_a_step_that_is_left_out_is_skipped(world: RunWorld, load_library: Load) -> None:
    load_library(a_library(a_book(a_step("a"), a_step("b", "condition: 'previous == \"failed\"'"), a_step("c"))))
    run = world.run()
    world.end("a")
    world.end("c")
    assert [status for _, status in world.nodes(run)] == ["5", "5", "13", "5", "5"]
    assert world.status(run) == "6"


def test_a_step_that_cannot_be_prepared(world: RunWorld, load_library: Load) -> None:
    step = a_step("a", who="parameter: Ring")
    load_library(a_library(a_book(a_step("z"), step, parameters="{name: Ring, value: nobody}")))
    run = world.run()
    world.end("z")
    assert [status for _, status in world.nodes(run)] == ["5", "5", "12", "1"]
    assert world.status(run) == "7"


def test_a_node_tells_where_to_look_and_is_the_same_every_time(world: RunWorld, load_library: Load) -> None:
    load_library(a_library(INNER, a_book(a_step("d", what="runbook: Inner"), a_step("b"))))
    run = world.run()
    first, again = world.state(run)["node"], world.state(run)["node"]
    assert first == again
    assert len({node["node_instance_id"] for node in first.values()}) == len(first)
    inner = str(world.jobs()["d"].id)
    assert first["node-2"]["jump"] == {"menu_id": "conductor_confirmation", "execution_id": inner}
    assert first["node-2"]["jump_url"] == f"menu=conductor_confirmation&conductor_instance_id={inner}"
    assert first["node-3"]["jump"] == {"menu_id": "check_operation_status_ansible_legacy", "execution_id": None}
    assert world.state(inner)["node"]["node-2"]["jump_url"].startswith(
        "menu=check_operation_status_ansible_legacy&execution_no="
    )
