"""Starting: which runs a job gets, and which of them may be fetched at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import GREET, LIBRARY, LINUX, WINDOWS, a_request, lease, on, work_off
from sqlalchemy import select, text

from dispatcher.core.errors import InvalidValue
from dispatcher.core.holds import Hold
from dispatcher.core.jobs import Job, Options, When, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event, State
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


def submit(hall: Hall, *agents: UUID, what: UUID = GREET, **options: Any) -> Job:
    return hall.scheduling.submit(a_request(what, who=on(*agents), options=Options(**options)), SYSTEM)  # type: ignore[typeddict-item]


def runs(hall: Hall, job: Job) -> list[tuple[str, State]]:
    """Return the agents and states of the job's runs, by name."""
    [result] = hall.results.collect(job.id, False, SYSTEM)
    return sorted((run.agent.name, run.state) for run in result.runs)


def fetchable(hall: Hall, *agents: UUID) -> list[bool]:
    orders = hall.leasing.has_orders(agents)
    return [agent in orders for agent in agents]


def test_select_one_gives_the_run_to_the_agent_that_is_online(
    hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    one, two = enrol("one"), enrol("two")
    hall.enrolment.note_contacts({two: clock()}, {})

    job = submit(hall, one, two, select_one=True)

    assert runs(hall, job) == [("two", State.PENDING)]


def test_select_one_gives_the_run_to_the_least_busy_agent_then_the_first_by_name(
    hall: Hall, enrol: Callable[..., UUID]
) -> None:
    two, one = enrol("two"), enrol("one")

    jobs = [submit(hall, one, two, select_one=True) for _ in range(3)]

    assert [name for job in jobs for name, _ in runs(hall, job)] == ["one", "two", "one"]


def test_select_one_passes_over_agents_whose_platform_does_not_fit(hall: Hall, enrol: Callable[..., UUID]) -> None:
    one, two, three = enrol("one"), enrol("two", "windows"), enrol("three")

    job = submit(hall, one, two, three, what=WINDOWS, select_one=True)
    nobody = submit(hall, one, three, what=WINDOWS, select_one=True)

    assert runs(hall, job) == [("two", State.PENDING)]
    assert runs(hall, nobody) == [("one", State.SKIPPED)]
    assert nobody.state is State.SKIPPED


def test_a_time_limit_counts_from_the_start_of_the_job(
    hall: Hall, enrol: Callable[..., UUID], clock: Any, datastore: Any
) -> None:
    when = When(immediate=False, starts_at=clock() + timedelta(hours=1))
    request = a_request(who=on(enrol("one")), when=when, options={"timeout_s": 90.0})
    job = hall.scheduling.submit(request, SYSTEM)
    clock.turn(timedelta(hours=2))

    hall.clockwork.activate_due()

    with datastore.read() as session:
        assert session.scalar(select(JOBS.c.ends_by).where(JOBS.c.id == job.id)) == clock() + timedelta(seconds=90)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": True}, "batch_size"),
        ({"batch_share": 1.5}, "batch_share"),
        ({"batch_share": float("nan")}, "batch_share"),
        ({"batch_size": 1, "batch_share": 0.5}, "batch_share"),
        ({"batch_size": 1, "select_one": True}, "select_one"),
        ({"stop_at_share": 0.5}, "stop_at_share"),
        ({"timeout_s": -1}, "timeout_s"),
        ({"timeout_s": 10**400}, "timeout_s"),
        ({"boot": "every"}, "boot"),
        ({"local_time": "2026-01-01T00:00:00+00:00"}, "local_time"),
        ({"x" * 1000: 1}, "xxx"),
    ],
)
def test_an_impossible_option_is_refused_by_name(
    hall: Hall, enrol: Callable[..., UUID], options: Any, named: str
) -> None:
    with pytest.raises(InvalidValue) as error:
        hall.scheduling.submit(a_request(who=on(enrol("one")), options=options), SYSTEM)

    assert named in error.value.member


def test_runs_of_batches_are_let_go_one_batch_after_the_other_by_name(
    hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    c, a, b = enrol("c"), enrol("a"), enrol("b")

    job = submit(hall, a, b, c, batch_size=2)

    assert fetchable(hall, a, b, c) == [True, True, False]
    work_off(hall, a, clock())
    assert fetchable(hall, a, b, c) == [False, True, False]
    assert work_off(hall, c, clock()) == []
    work_off(hall, b, clock())
    assert fetchable(hall, a, b, c) == [False, False, True]
    work_off(hall, c, clock())
    assert hall.jobs.get(job.id, SYSTEM).state is State.COMPLETED


def test_a_share_of_the_agents_is_rounded_up_and_skipped_ones_do_not_count(
    hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    windows = [enrol(f"w{number}", "windows") for number in range(3)]
    others = [enrol(f"a{number}") for number in range(4)]

    submit(hall, *others, *windows, what=WINDOWS, batch_share=0.5)

    assert fetchable(hall, *windows) == [True, True, False]
    for agent in windows[:2]:
        work_off(hall, agent, clock())
    assert fetchable(hall, *windows) == [False, False, True]


def test_too_many_failures_cancel_the_batches_behind(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    agents = [enrol(name) for name in "abcdef"]
    job = submit(hall, *agents, batch_size=2, stop_at_share=0.5)
    work_off(hall, agents[0], clock())
    work_off(hall, agents[1], clock())
    work_off(hall, agents[2], clock(), Event.FAIL)

    work_off(hall, agents[3], clock(), Event.TIME_OUT)

    ended = hall.jobs.get(job.id, SYSTEM)
    assert (ended.state, ended.reason) == (State.COMPLETED_WITH_ERRORS, "stopped: 2 of 4 failed")
    [result] = hall.results.collect(job.id, False, SYSTEM)
    behind = [run for run in result.runs if run.agent.name in "ef"]
    assert {(run.state, run.reason) for run in behind} == {(State.CANCELLED, "stopped: 2 of 4 failed")}
    assert fetchable(hall, *agents) == [False] * 6


def test_fewer_failures_than_the_share_let_the_next_batch_go(
    hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    a, b, c = enrol("a"), enrol("b"), enrol("c")
    submit(hall, a, b, c, batch_size=2, stop_at_share=0.6)
    work_off(hall, a, clock(), Event.FAIL)

    work_off(hall, b, clock())

    assert fetchable(hall, c) == [True]


def test_an_aborted_job_lets_no_further_batch_go(hall: Hall, enrol: Callable[..., UUID]) -> None:
    a, b = enrol("a"), enrol("b")
    job = submit(hall, a, b, batch_size=1)

    assert hall.aborting.abort(job.id, SYSTEM).state is State.ABORTED

    assert fetchable(hall, a, b) == [False, False]


def test_an_offline_agent_holds_its_batch_up_until_the_launch_timeout(
    hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    a, b = enrol("a"), enrol("b")
    job = submit(hall, a, b, batch_size=1)

    clock.turn(timedelta(days=6))
    hall.clockwork.cancel_overdue()
    assert fetchable(hall, b) == [False]
    clock.turn(timedelta(days=1))
    hall.clockwork.cancel_overdue()

    assert hall.jobs.get(job.id, SYSTEM).state is State.CANCELLED
    assert runs(hall, job) == [("a", State.CANCELLED), ("b", State.CANCELLED)]


LATER = datetime(2026, 3, 29, 2, 30, tzinfo=UTC)  # in Berlin the clock goes from 2:00 to 3:00 that night


@pytest.mark.parametrize(
    ("zone", "due_at"),
    [
        ("Pacific/Kiritimati", datetime(2026, 3, 28, 12, 30, tzinfo=UTC)),
        ("Asia/Kolkata", datetime(2026, 3, 28, 21, 0, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
        ("", LATER),
        ("../../etc/passwd", LATER),
        ("America/New_York", datetime(2026, 3, 29, 6, 30, tzinfo=UTC)),
        ("Etc/GMT+12", datetime(2026, 3, 29, 14, 30, tzinfo=UTC)),
    ],
)
def test_local_time_is_the_clock_of_each_agent(
    hall: Hall, clock: Any, enrol: Callable[..., UUID], zone: str, due_at: datetime
) -> None:
    agent = enrol("one", time_zone=zone)
    when = When(immediate=False, starts_at=LATER, is_local_time=True)
    job = hall.scheduling.submit(a_request(who=on(agent), when=when), SYSTEM)
    assert (job.when, job.started_at, job.state) == (when, LATER, State.SCHEDULED)

    clock.moment = due_at - timedelta(seconds=1)
    hall.clockwork.activate_due()
    hall.holds.release_due()
    assert fetchable(hall, agent) == [False]
    assert lease(hall, agent, 1) == []
    clock.moment = due_at
    hall.clockwork.activate_due()
    hall.holds.release_due()

    assert fetchable(hall, agent) == [True]
    assert hall.jobs.get(job.id, SYSTEM).when == when


def test_local_time_is_what_the_clock_of_the_site_shows_at_the_given_moment(
    hall: Hall, clock: Any, enrol: Callable[..., UUID]
) -> None:
    hall.settings.set("webapi.site_time_zone", "Europe/Berlin", SYSTEM)
    berlin, tokyo = enrol("berlin", time_zone="Europe/Berlin"), enrol("tokyo", time_zone="Asia/Tokyo")
    eight = datetime(2026, 6, 1, 6, 0, tzinfo=UTC)
    when = When(immediate=False, starts_at=eight, is_local_time=True)
    hall.scheduling.submit(a_request(who=on(berlin, tokyo), when=when), SYSTEM)

    clock.moment = eight - timedelta(hours=7)
    hall.clockwork.activate_due()
    hall.holds.release_due()

    assert fetchable(hall, berlin, tokyo) == [False, True]


def test_local_time_in_the_past_starts_at_once(hall: Hall, clock: Any, enrol: Callable[..., UUID]) -> None:
    agent = enrol("one", time_zone="Etc/GMT+12")
    when = When(immediate=False, starts_at=clock() - timedelta(hours=12), is_local_time=True)

    hall.scheduling.submit(a_request(who=on(agent), when=when), SYSTEM)

    assert fetchable(hall, agent) == [True]


def test_a_team_without_members_on_time_starts_as_before(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    agent = enrol("one")

    hall.scheduling.submit(a_request(who=on(LINUX, kind=WhoKind.TEAM)), SYSTEM)

    assert fetchable(hall, agent) == [True]


def test_runs_are_stored_in_order_of_their_agents_and_known_in_order_of_names(
    hall: Hall, datastore: Datastore, enrol: Callable[..., UUID]
) -> None:
    agents = [enrol(name) for name in ("c", "a", "b")]
    submit(hall, *agents)
    with datastore.read() as session:
        stored = session.scalars(select(RUNS.c.agent_id).order_by(text("rowid"))).all()
        known = session.scalars(select(RUNS.c.agent_id).order_by(RUNS.c.id)).all()
    assert stored == sorted(agents)
    assert known == [agents[1], agents[2], agents[0]]


def test_whom_a_job_reaches_is_looked_at_again_when_that_may_have_changed(
    hall: Hall, datastore: Datastore, enrol: Callable[..., UUID], clock: Any, load_library: Callable[[str], None]
) -> None:
    one, there = enrol("one"), UUID(int=9)
    load_library(f"teams: [{{name: There, id: {there}, rule: 'online == true'}}]")
    on_team = a_request(who=on(there, kind=WhoKind.TEAM))

    assert runs(hall, submit(hall, one)) == [("one", State.PENDING)]
    assert runs(hall, submit(hall, one, what=WINDOWS)) == [("one", State.SKIPPED)]  # of the same agent
    assert not runs(hall, hall.scheduling.submit(on_team, SYSTEM))

    hall.enrolment.note_contacts({one: clock()}, {})
    assert runs(hall, hall.scheduling.submit(on_team, SYSTEM)) == [("one", State.PENDING)]

    load_library(f"agents: [{{name: one, id: {one}, launch_window: 'Tue 08:00-09:00'}}]")
    job = submit(hall, one)
    with datastore.read() as session:
        assert session.scalar(select(RUNS.c.hold).where(RUNS.c.job_id == job.id)) == Hold.WINDOW
