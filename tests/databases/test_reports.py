"""Reports: whatever is repeated, and however it is cut into reports, the same is stored, on every database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from job_world import LIBRARY, a_request, lease, on
from sqlalchemy import select

from dispatcher.agents import protocol
from dispatcher.agents.translate import to_facts, to_report
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event, State
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import CHUNKS, RUNS, TASK_RESULTS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import News, Output, RunFinished, RunStarted, TaskFinished, TaskStarted
from dispatcher.services.run_orders import LeasedRun


def story(now: Any) -> list[Any]:
    """What an agent tells of a run: a task with output in pieces, and one that its condition let be skipped."""
    return [
        RunStarted(now),
        TaskStarted(0, now),
        Output(0, 0, b"hello "),
        Output(0, 6, b"moon\n"),
        TaskFinished(0, now, Event.COMPLETE, 0, attempts=2, outputs={"Answer": "42"}),
        TaskFinished(1, now, Event.SKIP, message="its condition is not met"),
        RunFinished(now, Event.COMPLETE, "well done"),
    ]


#: Where the reports of the story begin, and how far back each of them begins again.
CUTS = [([], 0), ([3], 0), ([3], 3), (list(range(1, 7)), 0), (list(range(1, 7)), 2), ([5], 5), ([2, 4, 6], 1)]


def tell(hall: Hall, agent: UUID, run: LeasedRun, events: Sequence[Any]) -> None:
    hall.reporting.report(agent, [News(run.id, run.fence, event) for event in events], [(run.id, run.fence)])


def stored(datastore: Datastore, job_id: UUID) -> list[Any]:
    """All that is stored of the job's run, but for ids."""
    with datastore.read() as session:
        connection = session.connection()
        run = connection.execute(select(RUNS).where(RUNS.c.job_id == job_id)).mappings().one()
        job = connection.execute(select(JOBS).where(JOBS.c.id == job_id)).mappings().one()
        tasks = connection.execute(
            select(TASK_RESULTS).where(TASK_RESULTS.c.run_id == run["id"]).order_by(TASK_RESULTS.c.position)
        )
        chunks = connection.execute(
            select(CHUNKS).where(CHUNKS.c.run_id == run["id"]).order_by(CHUNKS.c.position, CHUNKS.c.offset)
        )
        found = [
            {key: value for key, value in row.items() if key not in ("id", "job_id", "run_id", "number")}
            for row in (run, *tasks.mappings(), *chunks.mappings())
        ]
    return [(job["state"], job["open_runs"], job["stopped_at"]), *found]


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


def test_the_same_is_stored_however_news_is_cut_and_repeated(
    hall: Hall, datastore: Datastore, enrol: Callable[..., UUID], clock: Any
) -> None:
    agent = enrol("one")
    found = []
    for starts, back in CUTS:
        job = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
        [run] = lease(hall, agent, 1)
        events = story(clock())
        for begin, end in zip([0, *starts], [*starts, len(events)], strict=True):
            tell(hall, agent, run, events[max(0, begin - back) : end])
        tell(hall, agent, run, events)  # the answer was lost: all of it comes once more
        found.append(stored(datastore, job.id))
    job, run, first, second, *chunks = found[0]
    assert job == (State.COMPLETED, 0, clock())
    assert (run["state"], run["reason"], run["leased_until"], run["position"]) == (
        State.COMPLETED,
        "well done",
        None,
        0,
    )
    assert (first["state"], first["attempts"], first["output_bytes"], first["outputs"]) == (
        State.COMPLETED,
        2,
        11,
        {"Answer": "42"},
    )
    assert (second["state"], second["started_at"]) == (State.SKIPPED, None)
    assert [(chunk["offset"], bytes(chunk["data"])) for chunk in chunks] == [(0, b"hello "), (6, b"moon\n")]
    for other in found[1:]:
        assert other == found[0]


def test_a_report_of_several_runs_ends_each_of_them_once(
    hall: Hall, datastore: Datastore, enrol: Callable[..., UUID], clock: Any
) -> None:
    agent = enrol("one")
    jobs = [hall.scheduling.submit(a_request(who=on(agent)), SYSTEM).id for _ in range(4)]
    runs = lease(hall, agent, 4)
    by_event = [
        News(run.id, run.fence, event)
        for events in zip(*[story(clock())] * 4, strict=True)
        for run, event in zip(runs, events, strict=True)
    ]
    held = [(run.id, run.fence) for run in runs]
    for _ in range(2):
        standing = hall.reporting.report(agent, by_event, held)
        assert sorted(standing.lost) == sorted(run.id for run in runs)
    assert [stored(datastore, job)[0] for job in jobs] == [(State.COMPLETED, 0, clock())] * 4


def test_a_task_that_ends_before_its_run_was_said_to_start_starts_it_once(
    hall: Hall, datastore: Datastore, enrol: Callable[..., UUID], clock: Any
) -> None:
    agent = enrol("one")
    job = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    [run] = lease(hall, agent, 1)
    skipped = TaskFinished(0, clock(), Event.SKIP, message="its condition is not met")
    tell(hall, agent, run, [skipped])
    tell(hall, agent, run, [skipped, skipped, RunFinished(clock(), Event.COMPLETE)])
    _, stored_run, task = stored(datastore, job.id)
    assert (stored_run["state"], stored_run["started_at"]) == (State.COMPLETED, clock())
    assert (task["state"], task["message"]) == (State.SKIPPED, "its condition is not met")


def test_what_a_stopped_agent_did_is_forgotten_or_kept_with_what_came_in_the_same_report(
    hall: Hall, datastore: Datastore, enrol: Callable[..., UUID], clock: Any
) -> None:
    agent = enrol("one")
    begun, waiting = (hall.scheduling.submit(a_request(who=on(agent)), SYSTEM).id for _ in range(2))
    first, second = lease(hall, agent, 2)
    stopped = RunFinished(clock(), Event.CONFIRM_ABORT)
    news = [RunStarted(clock()), TaskStarted(0, clock()), Output(0, 0, b"half"), stopped, Output(0, 4, b" more")]
    tell(hall, agent, first, news)
    tell(hall, agent, second, [stopped, TaskStarted(0, clock())])
    job, run, task, chunk = stored(datastore, begun)
    assert (job[0], run["state"], run["reason"]) == (State.FAILED, State.FAILED, "its agent was stopped")
    assert (task["output_bytes"], bytes(chunk["data"])) == (4, b"half")
    job, run = stored(datastore, waiting)
    assert (job[0], run["state"], run["begun"], run["started_at"]) == (State.ACTIVE, State.PENDING, False, None)
    assert run["fence"] > second.fence


def test_a_nul_in_what_an_agent_says_is_replaced(
    hall: Hall, datastore: Datastore, enrol: Callable[..., UUID], clock: Any
) -> None:
    agent = enrol("one")
    job = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    [run] = lease(hall, agent, 1)
    facts = protocol.Facts.model_validate({"hostname": "p\0c", "extra": {"a\0": "\0"}})
    hall.enrolment.note_facts(agent, to_facts(facts))
    common = {"run_id": run.id, "fence": run.fence, "at": clock()}
    texts = {"message": "a\0b", "killed": ["1 \0"], "outputs": {"\0": "\0c"}}
    events = [
        {"kind": "task_finished", "position": 0, "state": "failed", **common, **texts},
        {"kind": "run_finished", "state": "failed", "reason": "\0", **common},
    ]
    hall.reporting.report_all([to_report(agent, protocol.Report.model_validate({"events": events}))])
    _, ended, task = stored(datastore, job.id)
    assert ended["reason"] == "\ufffd"
    assert {name: task[name] for name in texts} == {
        "message": "a\ufffdb",
        "killed": ["1 \ufffd"],
        "outputs": {"\ufffd": "\ufffdc"},
    }
