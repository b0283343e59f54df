"""Run books of any shape do what a small model of them does: the same steps at each moment, the same outcomes.

The model is written with coroutines and shares no code with the product: a step is a future, a group a ``gather``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runbook_world import BOOK, World, a_book, a_library, a_step

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event
from dispatcher.services.hall import Hall

EVENTS = {"completed": Event.COMPLETE, "failed": Event.FAIL, "timed_out": Event.TIME_OUT}
#: How a step ends that never reaches an agent, and the condition that makes it.
AT_ONCE = {"skipped": 'condition: "false"', "refused": 'condition: {if: "false", else: fail}'}


@dataclass(frozen=True)
class Shape:
    """A step: ``end`` is how it ends, ``inner`` the steps of the run book that it runs in place of a module."""

    parallel: bool
    goes_on: bool
    end: str
    inner: tuple[Shape, ...] = ()


def shapes(inner: st.SearchStrategy[tuple[Shape, ...]]) -> st.SearchStrategy[tuple[Shape, ...]]:
    ends = st.sampled_from([*EVENTS, *AT_ONCE, "completed", "completed"])
    return st.lists(st.builds(Shape, st.booleans(), st.booleans(), ends, inner), min_size=1, max_size=5).map(tuple)


NOTHING: st.SearchStrategy[tuple[Shape, ...]] = st.just(())
BOOKS = shapes(NOTHING | NOTHING | shapes(NOTHING | NOTHING | shapes(NOTHING)))


@dataclass
class Model:
    """A run book as coroutines. ``running`` holds the futures of the steps that agents work on."""

    running: dict[str, asyncio.Future[str]] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)

    async def step(self, shape: Shape, name: str) -> str:
        if shape.end in AT_ONCE:
            state = {"skipped": "skipped", "refused": "failed"}[shape.end]
        elif shape.inner:
            state = await self.book(shape.inner, name)
        else:
            self.running[name] = asyncio.get_running_loop().create_future()
            state = await self.running[name]
        self.ended[name] = state
        return state

    async def book(self, steps: tuple[Shape, ...], name: str) -> str:
        groups: list[list[tuple[int, Shape]]] = []
        for number, shape in enumerate(steps):
            if shape.parallel and groups:
                groups[-1].append((number, shape))
            else:
                groups.append([(number, shape)])
        states: list[str] = []
        for group in groups:
            found = await asyncio.gather(*(self.step(shape, f"{name}-{number}") for number, shape in group))
            states += found
            is_bad = any(
                state not in ("completed", "skipped") and not shape.goes_on
                for state, (_, shape) in zip(found, group, strict=True)
            )
            if is_bad and group is not groups[-1]:
                return "stopped"
        return mixed(states)


def mixed(states: list[str]) -> str:
    """Return the outcome of a job whose parts ended in *states*, after ``docs/states.rst``."""
    if len(set(states)) == 1:
        return states[0]
    if "completed" in states or "completed_with_errors" in states:
        return "completed" if set(states) == {"completed", "skipped"} else "completed_with_errors"
    return next(state for state in ("failed", "stopped", "timed_out") if state in states)


def written(steps: tuple[Shape, ...], name: str, books: list[str]) -> None:
    """Add to *books* the run book *name* with *steps*, and before it those that it contains."""
    lines = []
    for number, shape in enumerate(steps):
        step = f"{name}-{number}"
        more = [f"on_error: {'continue' if shape.goes_on else 'stop'}"]
        more += ["parallel: true"] * (shape.parallel and number > 0)
        more += [AT_ONCE.get(shape.end, "wake_on_lan: false")]
        if shape.inner:
            written(shape.inner, step, books)
        what = f"runbook: Book {step}" if shape.inner else "module: M"
        lines.append(a_step(step, ", ".join(more), what))
    books.append(a_book(*lines, name=f"Book {name}", key=BOOK if name == "R" else uuid5(BOOK, name)))


def ends_of(steps: tuple[Shape, ...], name: str) -> dict[str, str]:
    """Return how each step ends that an agent works on."""
    found = {}
    for number, shape in enumerate(steps):
        found[f"{name}-{number}"] = shape.end
        found |= ends_of(shape.inner, f"{name}-{number}")
    return found


async def settle() -> None:
    for _ in range(100):
        await asyncio.sleep(0)


async def compare(world: World, steps: tuple[Shape, ...], data: st.DataObject) -> None:
    """Do the run book in the world and in the model, ending one step after the other in any order."""
    model, ends = Model(), ends_of(steps, "R")
    outcome = asyncio.ensure_future(model.book(steps, "R"))
    world.start(description="R")
    await settle()
    while model.running:
        assert world.running() == set(model.running)
        assert world.states()["R"] == "active"
        name = data.draw(st.sampled_from(sorted(model.running)))
        world.end(name, EVENTS[ends[name]])
        model.running.pop(name).set_result(ends[name])
        await settle()
    assert world.running() == set()
    assert world.states() == {"R": outcome.result(), **model.ended}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=BOOKS, data=st.data())
def test_run_books_of_any_shape_do_what_the_model_does(
    hall: Hall,
    enrol: Callable[..., UUID],
    load_library: Callable[[str], None],
    clock: Any,
    steps: tuple[Shape, ...],
    data: st.DataObject,
) -> None:
    # An agent of its own for each example, which does as much at a time as there can be.
    agents = [enrol("agent")]
    hall.settings.set("agents.parallel_runs", "1000", SYSTEM)
    books: list[str] = []
    written(steps, "R", books)
    load_library(a_library(*books))
    asyncio.run(compare(World(hall, clock, agents), steps, data))
