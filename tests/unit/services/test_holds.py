"""Holds: what keeps a run from being fetched, and what lets it go."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import LIBRARY, WINDOWS, a_request, lease, on, orders, report, work_off
from statements import statements

from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import Job, Options, When, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event, State
from dispatcher.engine.clock import Clock as Engine
from dispatcher.engine.duties import duties_of
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import RunFinished, RunStarted

SUNDAY_NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)  # where the clock of the tests stands
MONDAY_EIGHT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


def submit(hall: Hall, *agents: UUID, outside: str | None = None, **options: Any) -> Job:
    request = a_request(who=on(*agents), outside_launch_window=outside, options=Options(**options))  # type: ignore[typeddict-item]
    return hall.scheduling.submit(request, SYSTEM)


def waiting_for(hall: Hall, job: Job) -> list[str]:
    """Return what each run of the job is at, by the names of the agents."""
    return [run.activity for run in hall.results.collect(job.id, False, SYSTEM)[0].runs]


def boot(hall: Hall, agent: UUID, boot_id: str) -> None:
    hall.enrolment.note_facts(agent, Facts(os="linux", boot_id=boot_id))


def test_a_run_for_the_next_boot_waits_until_its_agent_says_it_was_booted(
    hall: Hall, enrol: Callable[..., UUID], wakeup: Any
) -> None:
    agent, other = enrol("one", boot_id="a"), enrol("two", boot_id="a")
    job = submit(hall, agent, boot="next")
    boot(hall, agent, "a")
    boot(hall, other, "b")
    assert lease(hall, agent, 1) == []
    assert waiting_for(hall, job) == ["Waiting for the agent's next boot"]
    wakeup.agent_ids.clear()

    boot(hall, agent, "b")

    assert wakeup.agent_ids == [agent]
    assert len(lease(hall, agent, 1)) == 1


def test_an_agent_that_cannot_tell_its_boots_lets_nothing_go(hall: Hall, enrol: Callable[..., UUID]) -> None:
    agent = enrol("one", boot_id="a")
    submit(hall, agent, boot="next")

    boot(hall, agent, "")

    assert lease(hall, agent, 1) == []


def test_a_boot_and_new_facts_of_one_call_both_count(hall: Hall, enrol: Callable[..., UUID]) -> None:
    agent = enrol("one", boot_id="a")
    submit(hall, agent, boot="next")
    assert hall.scheduling.submit(a_request(WINDOWS, who=on(agent)), SYSTEM).state is State.SKIPPED

    hall.enrolment.note_facts(agent, Facts(os="windows", boot_id="b"))

    assert len(lease(hall, agent, 5)) == 1
    assert hall.scheduling.submit(a_request(WINDOWS, who=on(agent)), SYSTEM).state is State.ACTIVE


def test_only_agents_that_are_offline_at_the_start_wait_for_their_boot(
    hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    here, gone = enrol("here", boot_id="a"), enrol("gone", boot_id="a")
    hall.enrolment.note_contacts({here: clock()}, {gone: clock()})

    submit(hall, here, gone, offline_agents_next_boot=True)

    assert hall.leasing.has_orders([here, gone]) == {here}
    boot(hall, gone, "b")
    assert hall.leasing.has_orders([here, gone]) == {here, gone}


def test_a_run_with_a_local_time_and_a_boot_waits_for_the_time_and_then_for_the_boot(
    hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    agent = enrol("one", boot_id="a", time_zone="Europe/Berlin")
    when = When(immediate=False, starts_at=clock() + timedelta(hours=2), is_local_time=True)
    job = hall.scheduling.submit(a_request(who=on(agent), when=when, options={"boot": "next"}), SYSTEM)
    boot(hall, agent, "b")
    assert waiting_for(hall, job) == ["Waiting for the time of the agent's clock, until 2026-03-01 13:00 UTC"]
    clock.turn(timedelta(hours=1))
    assert hall.holds.release_due() == 1
    assert waiting_for(hall, job) == ["Waiting for the agent's next boot"]

    boot(hall, agent, "c")

    assert len(lease(hall, agent, 1)) == 1


def test_held_runs_that_were_called_off_keep_nobody_awake(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    when = When(immediate=False, starts_at=clock() + timedelta(hours=10), is_local_time=True)
    job = hall.scheduling.submit(a_request(who=on(enrol("one")), when=when), SYSTEM)
    assert hall.holds.next_moment() == clock() + timedelta(hours=10)

    assert hall.aborting.abort(job.id, SYSTEM).state is State.ABORTED

    assert hall.holds.next_moment() is None
    clock.turn(timedelta(hours=10))
    assert hall.holds.release_due() == 0


def test_the_engine_lets_runs_go_at_their_moment(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    agent = enrol("one")
    when = When(immediate=False, starts_at=clock() + timedelta(seconds=5), is_local_time=True)
    hall.scheduling.submit(a_request(who=on(agent), when=when), SYSTEM)
    engine = Engine(duties_of(hall), clock, lambda: None)

    assert 0 < engine.turn() <= 5
    clock.turn(timedelta(seconds=5))
    engine.turn()

    assert len(lease(hall, agent, 1)) == 1


def test_outside_its_launch_window_a_run_waits_until_it_opens(
    hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    hall.settings.set("jobs.launch_window", "Mon-Fri 08:00-18:00", SYSTEM)
    agent = enrol("one")

    job = submit(hall, agent)

    assert waiting_for(hall, job) == ["Waiting for the launch window, until 2026-03-02 08:00 UTC"]
    assert hall.holds.next_moment() == MONDAY_EIGHT
    clock.moment = MONDAY_EIGHT
    hall.holds.release_due()
    assert len(work_off(hall, agent, clock())) == 1
    assert hall.jobs.get(job.id, SYSTEM).state is State.COMPLETED


def test_outside_its_launch_window_a_run_fails_if_the_job_says_so(hall: Hall, enrol: Callable[..., UUID]) -> None:
    hall.settings.set("jobs.launch_window", "Mon-Fri 08:00-18:00", SYSTEM)

    job = submit(hall, enrol("one"), outside="LaunchWindowFailJob")

    assert job.state is State.FAILED
    [run] = hall.results.collect(job.id, False, SYSTEM)[0].runs
    assert (run.state, run.reason) == (State.FAILED, "outside the launch window Mon-Fri 08:00-18:00")


@pytest.mark.parametrize("said_by", ["the job", "the site"])
def test_outside_its_launch_window_a_run_starts_all_the_same_if_somebody_says_so(
    hall: Hall, enrol: Callable[..., UUID], said_by: str
) -> None:
    hall.settings.set("jobs.launch_window", "Mon-Fri 08:00-18:00", SYSTEM)
    if said_by == "the site":
        hall.settings.set("jobs.outside_launch_window", "continue", SYSTEM)
    agent = enrol("one")

    submit(hall, agent, outside="continue" if said_by == "the job" else "some text of a client")

    assert len(lease(hall, agent, 1)) == 1


def test_an_agent_that_comes_back_outside_its_window_gets_nothing(
    hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    clock.moment = MONDAY_EIGHT
    hall.settings.set("jobs.launch_window", "Mon-Fri 08:00-18:00", SYSTEM)
    agent = enrol("one")
    waits, fails, goes_on = (submit(hall, agent, outside=rule) for rule in ("wait", "fail", "continue"))
    clock.turn(timedelta(hours=10))

    leased = lease(hall, agent, 3)

    assert [run.job_id for run in leased] == [goes_on.id]
    assert waiting_for(hall, waits) == ["Waiting for the launch window, until 2026-03-03 08:00 UTC"]
    assert hall.jobs.get(fails.id, SYSTEM).state is State.FAILED
    assert hall.leasing.has_orders([agent]) == set()
    clock.turn(timedelta(hours=14))
    assert hall.holds.release_due() == 1
    assert [run.job_id for run in lease(hall, agent, 3)] == [waits.id]


def test_an_agent_has_its_own_window_else_its_primary_teams_else_the_sites(
    hall: Hall, enrol: Callable[..., UUID], load_library: Callable[[str], None]
) -> None:
    agents = [enrol(name, time_zone="Asia/Tokyo") for name in ("a own", "b team", "c site")]
    hall.settings.set("jobs.launch_window", "Wed 00:00-24:00", SYSTEM)
    load_library(
        "teams: [{name: T, launch_window: 'Tue 00:00-24:00 UTC'}]\n"
        "agents:\n"
        "  - {name: a own, primary_team: T, launch_window: 'Mon 00:00-24:00'}\n"
        "  - {name: b team, primary_team: T}\n"
    )

    job = submit(hall, *agents)

    assert [text.rpartition("until ")[2] for text in waiting_for(hall, job)] == [
        "2026-03-01 15:00 UTC",
        "2026-03-03 00:00 UTC",
        "2026-03-03 15:00 UTC",
    ]


def test_a_window_that_is_changed_counts_for_what_waits_for_it(
    hall: Hall, enrol: Callable[..., UUID], load_library: Callable[[str], None]
) -> None:
    one, two, three = (enrol(name) for name in ("one", "two", "three"))
    load_library(
        "teams: [{name: T, launch_window: 'Mon 00:00-24:00'}]\n"
        "agents: [{name: one, primary_team: T}, {name: two, launch_window: 'Tue 00:00-24:00'}]"
    )
    hall.settings.set("jobs.launch_window", "Wed 00:00-24:00", SYSTEM)
    submit(hall, one, two, three)
    assert hall.holds.release_due() == 0

    load_library("teams: [{name: T, launch_window: ''}]\nagents: [{name: two, launch_window: 'Sun 00:00-24:00'}]")
    assert hall.holds.release_due() == 2
    assert lease(hall, one, 1) == []
    assert len(lease(hall, two, 1)) == 1
    hall.settings.set("jobs.launch_window", "", SYSTEM)
    hall.holds.release_due()

    assert [len(lease(hall, agent, 1)) for agent in (one, three)] == [1, 1]


def test_a_batch_that_fails_before_it_begins_leads_to_the_next_or_to_none(
    hall: Hall, enrol: Callable[..., UUID], load_library: Callable[[str], None], clock: Any
) -> None:
    agents = [enrol(name) for name in "abcd"]
    closed = ", launch_window: 'Mon 00:00-24:00'"
    load_library(f"agents: [{{name: a{closed}}}, {{name: b{closed}}}, {{name: d{closed}}}]")

    goes_on = submit(hall, *agents, outside="fail", batch_size=1)
    stops = submit(hall, *agents, outside="fail", batch_size=1, stop_at_share=1)

    assert stops.state is State.FAILED
    ended = [(run.state, run.reason) for run in hall.results.collect(stops.id, False, SYSTEM)[0].runs]
    assert ended[1:] == [(State.CANCELLED, "stopped: 1 of 1 failed")] * 3
    assert len(work_off(hall, agents[2], clock())) == 1
    assert hall.jobs.get(goes_on.id, SYSTEM).state is State.COMPLETED_WITH_ERRORS


@pytest.mark.parametrize("text", ["Mon", "Mon 08:00-08:15", "f" * 83, "Mon-Fri 20:00-06:00; rm", "x" * 100_000])
def test_a_window_that_is_none_is_refused(hall: Hall, load_library: Callable[[str], None], text: str) -> None:
    with pytest.raises(InvalidValue, match=r"jobs\.launch_window"):
        hall.settings.set("jobs.launch_window", text, SYSTEM)

    with pytest.raises(Exception, match="launch_window"):
        load_library(f"teams: [{{name: T, launch_window: '{text}'}}]")


def test_an_agent_never_gets_more_runs_than_it_may_have_whatever_it_claims(
    hall: Hall, enrol: Callable[..., UUID], clock: Any, wakeup: Any
) -> None:
    hall.settings.set("agents.parallel_runs", "2", SYSTEM)
    agent = enrol("one")
    for _ in range(4):
        submit(hall, agent)

    first = lease(hall, agent, 10)

    assert len(first) == 2
    assert lease(hall, agent, 10) == []
    assert orders(hall, agent, 10, [])[0] == []
    wakeup.agent_ids.clear()
    report(hall, agent, first[0], RunStarted(clock()), RunFinished(clock(), Event.COMPLETE))
    assert wakeup.agent_ids == [agent]
    assert len(lease(hall, agent, 10)) == 1


def test_many_batches_that_are_over_before_they_begin_take_no_long_time(
    hall: Hall, enrol: Callable[..., UUID], load_library: Callable[[str], None], clock: Any, datastore: Any
) -> None:
    first, last = enrol("0"), enrol("9")
    names = [f"closed {number}" for number in range(600)]
    closed = "\n".join(f"  - {{name: {name}, launch_window: 'Mon 00:00-24:00'}}" for name in names)
    load_library(f"agents:\n{closed}\nteams: [{{name: All, agents: [{', '.join(['0', '9', *names])}]}}]")
    request = a_request(who=on("All", kind=WhoKind.TEAM), outside_launch_window="fail", options={"batch_size": 1})
    job = hall.scheduling.submit(request, SYSTEM)
    assert hall.leasing.has_orders([first, last]) == {first}
    work_off(hall, first, clock())

    with statements(datastore) as sent:
        work_off(hall, last, clock())

    assert len(sent) < 200
    assert hall.jobs.get(job.id, SYSTEM).state is State.COMPLETED_WITH_ERRORS
