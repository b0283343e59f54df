"""Boots: what an agent's boot brings about, and how it is told from a mere restart of the agent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import LIBRARY, LINUX, NOBODY, RINGS, a_request, lease, on, work_off
from sqlalchemy import update
from statements import statements

from dispatcher.core.boots import is_other_boot
from dispatcher.core.jobs import Invoker, Job, Stage, WhatKind, When, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.schedules import BOOT, Outcome, RecurrenceRequest
from dispatcher.core.states import State
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall

AT_EVERY_BOOT = When(immediate=False, recurrence=RecurrenceRequest(BOOT))


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


def boot(hall: Hall, agent: UUID, boot_id: str) -> None:
    hall.enrolment.note_facts(agent, Facts(os="linux", boot_id=boot_id))


def ledger(hall: Hall, job: Job) -> list[tuple[Outcome, str]]:
    return [(entry.outcome, entry.reason) for entry in hall.schedules.ledger(job.id, 1, 10, SYSTEM).items]


def occurred(hall: Hall) -> list[Job]:
    jobs = hall.jobs.page(Stage.ALL, False, True, 1, 50, SYSTEM).items
    return [job for job in jobs if job.invoker is Invoker.BOOT]


@pytest.mark.parametrize(
    ("known", "said", "is_other"),
    [
        ("a", "a", False),
        ("a", "b", True),
        ("a", "", False),
        ("", "a", True),
        ("", "", False),
        ("1767225600", "1767225659", False),
        ("1767225659", "1767225600", False),
        ("1767225600", "1767225661", True),
        ("1767225600", "a", True),
        ("9" * 64, "9" * 63, True),
    ],
)
def test_another_boot_is_told_from_the_same_one(known: str, said: str, is_other: bool) -> None:
    assert is_other_boot(known, said) is is_other


def test_at_every_boot_of_an_agent_a_job_occurs_on_that_agent(
    hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    one, two = enrol("one", boot_id="a"), enrol("two", boot_id="a")
    pattern = hall.scheduling.submit(a_request(who=on(LINUX, kind=WhoKind.TEAM), when=AT_EVERY_BOOT), SYSTEM)

    for agent, boot_id in ((one, "a"), (one, "b"), (one, "b"), (two, "b"), (one, "c")):
        boot(hall, agent, boot_id)

    assert ledger(hall, pattern) == [(Outcome.FIRED, "")] * 3
    assert sorted(job.who[0].name for job in occurred(hall)) == ["one", "one", "two"]
    assert {job.recurring_id for job in occurred(hall)} == {pattern.id}
    assert len(work_off(hall, one, clock())) == 2
    assert hall.jobs.get(pattern.id, SYSTEM).state is State.SCHEDULED


def test_the_first_word_of_an_agent_is_no_boot(hall: Hall, enrol: Callable[..., UUID]) -> None:
    pattern = hall.scheduling.submit(a_request(who=on(LINUX, kind=WhoKind.TEAM), when=AT_EVERY_BOOT), SYSTEM)

    boot(hall, enrol("one"), "a")
    enrol("two", boot_id="a")

    assert ledger(hall, pattern) == []


def test_the_boot_of_another_agent_is_none(hall: Hall, enrol: Callable[..., UUID]) -> None:
    agent = enrol("one", boot_id="a")
    pattern = hall.scheduling.submit(a_request(who=on(NOBODY, kind=WhoKind.TEAM), when=AT_EVERY_BOOT), SYSTEM)

    boot(hall, agent, "b")

    assert ledger(hall, pattern) == []


def test_while_it_is_paused_or_disabled_the_ledger_says_why_nothing_occurs(
    hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    agent = enrol("one", boot_id="a")
    pattern = hall.scheduling.submit(a_request(who=on(agent), when=AT_EVERY_BOOT), SYSTEM)
    hall.schedules.pause(pattern.id, clock() + timedelta(hours=1), SYSTEM)
    boot(hall, agent, "b")
    clock.turn(timedelta(hours=2))
    boot(hall, agent, "c")
    hall.aborting.disable(pattern.id, SYSTEM)
    boot(hall, agent, "d")
    hall.aborting.abort(pattern.id, SYSTEM)
    boot(hall, agent, "e")

    assert ledger(hall, pattern) == [
        (Outcome.SKIPPED, "disabled"),
        (Outcome.FIRED, ""),
        (Outcome.SKIPPED, "paused until 2026-03-01 13:00:00 UTC"),
    ]


def test_a_run_book_may_occur_at_every_boot(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    agent = enrol("one", boot_id="a")
    enrol("two")
    request = a_request(RINGS, WhatKind.RUNBOOK, who=on(agent), when=AT_EVERY_BOOT)
    hall.scheduling.submit(request, SYSTEM)

    boot(hall, agent, "b")

    assert [job.is_runbook for job in occurred(hall)] == [True]
    assert len(work_off(hall, agent, clock())) == 1


@pytest.mark.parametrize("rule", ["name == 'one' and primary_team == 'P'", "name != 'one'", None])
def test_a_job_of_several_teams_occurs_once_for_a_member(
    hall: Hall, enrol: Callable[..., UUID], load_library: Callable[[str], None], rule: str | None
) -> None:
    agent = enrol("one", boot_id="a")
    ruled = f"teams: [{{name: P}}, {{name: Q}}, {{name: R, rule: {rule!r}}}]\n" if rule else "teams: [{name: R}]\n"
    member = "" if rule else "teams: [{name: R, agents: [one]}]\n"
    load_library((member or ruled) + ("agents: [{name: one, primary_team: P}]" if rule else ""))
    who = [*on("R", kind=WhoKind.TEAM), *on(LINUX, kind=WhoKind.TEAM), *on(agent)]
    pattern = hall.scheduling.submit(a_request(who=who[:1], when=AT_EVERY_BOOT), SYSTEM)
    several = hall.scheduling.submit(a_request(who=who, when=AT_EVERY_BOOT), SYSTEM)

    boot(hall, agent, "b")

    assert ledger(hall, pattern) == ([] if rule and "!=" in rule else [(Outcome.FIRED, "")])
    assert ledger(hall, several) == [(Outcome.FIRED, "")]


@pytest.fixture
def sent(datastore: Datastore) -> Iterator[list[str]]:
    with statements(datastore) as sent:
        yield sent


def test_many_jobs_at_every_boot_cost_no_more_queries_than_one(
    hall: Hall, enrol: Callable[..., UUID], sent: list[str]
) -> None:
    agent = enrol("one", "windows", boot_id="a")
    costs = []
    for boot_id, jobs in (("b", 1), ("c", 9)):
        for _ in range(jobs):
            hall.scheduling.submit(a_request(who=on(LINUX, kind=WhoKind.TEAM), when=AT_EVERY_BOOT), SYSTEM)
        sent.clear()
        hall.enrolment.note_facts(agent, Facts(os="windows", boot_id=boot_id))
        costs.append(len(sent))
    assert costs[0] == costs[1]


def test_runs_that_a_boot_lets_go_are_locked_in_the_order_of_their_ids(
    hall: Hall, enrol: Callable[..., UUID], sent: list[str]
) -> None:
    """Two that lock the same runs in two orders wait for each other."""
    agent = enrol("one", boot_id="a")
    hall.scheduling.submit(a_request(who=on(agent), options={"boot": "next"}), SYSTEM)
    hall.scheduling.submit(a_request(who=on(agent), when=AT_EVERY_BOOT), SYSTEM)
    sent.clear()

    boot(hall, agent, "b")

    patterns, lock, *_, change = [
        place
        for place, text in enumerate(sent)
        if text.startswith("UPDATE run ") or " ORDER BY run.id" in text or "JOIN schedule" in text
    ][1:4]
    assert patterns < lock < change
    assert sent[change].startswith("UPDATE run SET hold")
    assert len(lease(hall, agent, 5)) == 2


def test_a_broken_job_keeps_neither_the_agent_nor_the_others_from_working(
    hall: Hall, enrol: Callable[..., UUID], datastore: Datastore
) -> None:
    agent = enrol("one", boot_id="a")
    broken, sound = (hall.scheduling.submit(a_request(who=on(agent), when=AT_EVERY_BOOT), SYSTEM) for _ in range(2))
    with datastore.begin() as session:
        session.execute(update(JOBS).where(JOBS.c.id == broken.id).values(what=[{"kind": 0, "definition": "broken"}]))

    boot(hall, agent, "b")

    assert len(lease(hall, agent, 5)) == 1
    assert ledger(hall, sound) == [(Outcome.FIRED, "")]
