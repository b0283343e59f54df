"""Run books on every database: steps of a group that end at one moment lead on once, with what all of them gave."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from runbook_world import World, a_book, a_library, a_step

from dispatcher.core.attempts import again
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall, build_hall

Load = Callable[[str], None]
ROUNDS = 6


@pytest.fixture
def worlds(
    hall: Hall, datastore: Datastore, ports: Any, secrets: Any, enrol: Callable[..., UUID], clock: Any
) -> list[World]:
    """One hall for each of three agents, as if each were connected to a dispatcher of its own."""
    agents = [enrol(name) for name in ("one", "two", "three")]
    halls = [hall, *(build_hall(datastore, ports, secrets, lease=timedelta(seconds=30)) for _ in agents[1:])]
    return [World(hall, clock, [agent]) for hall, agent in zip(halls, agents, strict=True)]


def all_at_once(*actions: Callable[[], None]) -> None:
    """Do *actions* in threads of their own, started together; raise what one of them raises."""
    barrier, failures = threading.Barrier(len(actions)), []

    def run(action: Callable[[], None]) -> None:
        barrier.wait(30)
        try:
            action()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def a_group(*more: str) -> list[str]:
    """Return three parallel steps, one on each agent; *more* are their further members."""
    names = zip(("one", "two", "three"), ("", "parallel: true, ", "parallel: true, "), more, strict=True)
    return [a_step(name, parallel + text, who=f"agent: {name}") for name, parallel, text in names]


def test_steps_that_end_at_once_lead_to_the_next_one_once(worlds: list[World], load_library: Load) -> None:
    gets = a_group("get: {Text: A}", "get: {Text: B}", "get: {Text: C}")
    book = a_book(*gets, a_step("next", Text="$[A] $[B] $[C]"), parameters="{name: A}, {name: B}, {name: C}")
    load_library(a_library(book))
    first = worlds[0]
    for number in range(ROUNDS):
        first.start()
        assert [world.running() for world in worlds] == [{"one"}, {"two"}, {"three"}]
        all_at_once(
            lambda: worlds[0].end("one", Text=["a"]),
            lambda: worlds[1].end("two", Text=["b"]),
            lambda: worlds[2].end("three", Text=["c"]),
        )
        assert first.values("next")["Text"] == "a b c"
        assert len(first.held["next"]) == 1
        first.end("next")
        assert set(first.states().values()) == {"completed"}, number


def test_the_outcomes_of_all_count_when_they_end_at_once(worlds: list[World], load_library: Load) -> None:
    load_library(a_library(a_book(*a_group("", "on_error: continue", ""), a_step("never"))))
    for _ in range(ROUNDS):
        worlds[0].start()
        for world in worlds:
            world.running()
        all_at_once(
            lambda: worlds[0].end("one"),
            lambda: worlds[1].end("two", Event.FAIL),
            lambda: worlds[2].end("three", Event.FAIL),
        )
        expected = {"R": "stopped", "one": "completed", "two": "failed", "three": "failed"}
        assert worlds[0].states() == expected
        assert worlds[0].jobs()["R"].reason == "step three: Failed"


def test_an_abort_at_the_moment_when_steps_end_leaves_nothing_behind(worlds: list[World], load_library: Load) -> None:
    inner = a_book(*a_group("", "", ""), name="Inner", key=UUID(int=7))
    nested = a_step("nested", what="runbook: Inner")
    load_library(a_library(inner, a_book(nested, a_step("next"))))
    for _ in range(ROUNDS):
        job = worlds[0].start()
        for world in worlds:
            world.running()
        all_at_once(
            lambda: worlds[0].end("one"),
            lambda: worlds[1].end("two"),
            lambda: worlds[2].end("three"),
            lambda job=job: again(lambda: worlds[0].hall.aborting.abort(job.id, SYSTEM)),
        )
        if "next" in worlds[0].running():  # the steps were quicker
            worlds[0].end("next", Event.CONFIRM_ABORT)
        states = worlds[0].states()
        assert states["R"] == "aborted"
        assert set(states.values()) <= {"aborted", "completed", "cancelled"}
