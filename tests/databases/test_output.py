"""What tasks write is read by range, also while they write, on every database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from job_world import LIBRARY, a_request, lease, on, report

from dispatcher.core.errors import AgentNotFound, Forbidden, InvalidValue, JobNotFound
from dispatcher.core.permissions import NOBODY, SYSTEM
from dispatcher.core.states import Event
from dispatcher.services.hall import Hall
from dispatcher.services.output import MAX_RANGE, OutputRange
from dispatcher.services.reporting import Output, RunFinished, RunStarted, TaskFinished, TaskStarted


@dataclass
class Scene:
    """A job that runs on one agent, and writes what it is told to."""

    hall: Hall
    agent: UUID
    job: UUID
    run: Any
    clock: Any

    def write(self, offset: int, data: bytes) -> None:
        report(self.hall, self.agent, self.run, Output(0, offset, data))

    def end(self) -> None:
        done = TaskFinished(0, self.clock(), Event.COMPLETE, 0), RunFinished(self.clock(), Event.COMPLETE)
        report(self.hall, self.agent, self.run, *done)

    def read(self, offset: int, length: int, position: int = 0) -> OutputRange:
        return self.hall.output.read(self.job, self.agent, position, offset, length, SYSTEM)


@pytest.fixture
def scene(hall: Hall, enrol: Callable[..., UUID], clock: Any, load_library: Callable[[str], None]) -> Scene:
    load_library(LIBRARY)
    agent = enrol("one")
    job = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    (run,) = lease(hall, agent, 1)
    report(hall, agent, run, RunStarted(clock()), TaskStarted(0, clock()))
    return Scene(hall, agent, job.id, run, clock)


def test_output_is_read_while_it_grows(scene: Scene) -> None:
    assert scene.read(0, 100) == OutputRange(b"", 0, 0, False)
    scene.write(0, b"hello ")
    assert scene.read(0, 100) == OutputRange(b"hello ", 0, 6, False)
    scene.write(6, b"world\n")
    assert scene.read(6, 100) == OutputRange(b"world\n", 6, 12, False)
    assert scene.read(12, 100) == OutputRange(b"", 12, 12, False)
    scene.end()
    assert scene.read(12, 100) == OutputRange(b"", 12, 12, True)


def test_a_range_may_begin_and_end_anywhere(scene: Scene) -> None:
    whole = bytes(range(30))
    for first in range(0, 30, 7):
        scene.write(first, whole[first : first + 7])
    for begin in range(31):
        for length in (1, 2, 6, 7, 8, 13, 14, 15, 22, 30, 31):  # parts, and parts and one
            assert scene.read(begin, length).data == whole[begin : begin + length]


def test_a_call_gives_no_more_than_a_mebibyte(scene: Scene) -> None:
    part = b"x" * 690_000
    for number in range(3):
        scene.write(number * len(part), part)
    found = scene.read(5, 10 * MAX_RANGE)
    assert (len(found.data), found.offset, found.total) == (MAX_RANGE, 5, 2_070_000)
    assert len(scene.read(5 + MAX_RANGE, MAX_RANGE).data) == 2_070_000 - 5 - MAX_RANGE


def test_missing_bytes_are_passed_over(scene: Scene) -> None:
    scene.write(0, b"before")
    scene.write(100, b"behind")
    assert scene.read(0, 500) == OutputRange(b"before", 0, 106, False)
    assert scene.read(6, 500) == OutputRange(b"behind", 100, 106, False)
    assert scene.read(50, 500) == OutputRange(b"behind", 100, 106, False)


def test_the_results_still_carry_the_end_of_it(scene: Scene) -> None:
    for number in range(5):
        scene.write(number * 100_000, bytes([97 + number]) * 100_000)
    [result] = scene.hall.results.collect(scene.job, True, SYSTEM)
    shown = result.runs[0].tasks[0].output
    assert len(shown) == 256 * 1024
    assert shown.endswith("d" * 100_000 + "e" * 100_000)


def test_a_task_that_has_not_begun_has_written_nothing(scene: Scene) -> None:
    assert scene.read(0, 10, position=1) == OutputRange(b"", 0, 0, False)
    scene.end()
    assert scene.read(0, 10, position=1) == OutputRange(b"", 0, 0, True)


@pytest.mark.parametrize(("position", "offset", "length"), [(-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 1 << 63, 1)])
def test_impossible_ranges_are_refused(scene: Scene, position: int, offset: int, length: int) -> None:
    with pytest.raises(InvalidValue):
        scene.read(offset, length, position)


def test_what_is_not_there_is_said(scene: Scene, enrol: Callable[..., UUID]) -> None:
    read = scene.hall.output.read
    with pytest.raises(JobNotFound):
        read(UUID(int=7), scene.agent, 0, 0, 1, SYSTEM)
    with pytest.raises(AgentNotFound):
        read(scene.job, enrol("other"), 0, 0, 1, SYSTEM)
    with pytest.raises(Forbidden):
        read(scene.job, scene.agent, 0, 0, 1, NOBODY)
