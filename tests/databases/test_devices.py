"""Computers without agent software, on every database: who works for them, with which account, and what is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from job_world import a_request, lease, on, report
from sqlalchemy import select

from dispatcher.agents.translate import to_orders
from dispatcher.core.errors import AgentNotFound
from dispatcher.core.jobs import WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event, State
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import Output, RunFinished, RunStarted, TaskFinished, TaskStarted

SHOW, LOCAL, SWITCHES, ONE, TWO, LONE, OTHERS = (
    UUID(f"00000000-0000-4000-8000-{number:012}") for number in range(1, 8)
)
LIBRARY = f"""
modules:
  - {{name: Show, id: {SHOW}, tasks: [{{type: ssh_command, name: t, settings: {{text: 'true'}}}}]}}
  - {{name: Local, id: {LOCAL}, tasks: [{{type: command, name: t, settings: {{command: 'true'}}}}]}}
teams:
  - {{name: Others, id: {OTHERS}}}
  - {{name: Switches, id: {SWITCHES}, rule: 'primary_team == "Switches"'}}
agents:
  - {{name: sw-1, id: {ONE}, address: 10.0.0.1, primary_team: Switches}}
  - {{name: sw-2, id: {TWO}, address: 10.0.0.2, primary_team: Switches}}
  - {{name: lone, id: {LONE}, address: 10.0.0.3}}
"""
SETS = """
credential_sets:
  - {name: Team, user: anybody, password: t-pass, teams: [Switches]}
  - {name: One, user: backup, password: o-pass, private_key: o-key, passphrase: o-phrase, port: 2222, agents: [sw-1]}
  - {name: Special, id: 00000000-0000-4000-8000-000000000009, user: special, password: s-pass, teams: [Others]}
"""
SPECIAL = "00000000-0000-4000-8000-000000000009"


@pytest.fixture
def gateway(load_library: Callable[[str], None], enrol: Callable[..., UUID]) -> UUID:
    """The only agent of the team."""
    load_library(LIBRARY)
    load_library(SETS)
    agent = enrol("gateway")
    load_library("agents: [{name: gateway, primary_team: Switches}]")
    return agent


def test_an_agent_of_the_team_works_for_its_devices(hall: Hall, gateway: UUID, clock: Any) -> None:
    job = hall.scheduling.submit(a_request(SHOW, who=on(SWITCHES, kind=WhoKind.TEAM)), SYSTEM)
    runs = {run.device.name if run.device else "": run for run in lease(hall, gateway, 5)}
    assert sorted(runs) == ["", "sw-1", "sw-2"]
    one = runs["sw-1"]
    assert one.device is not None
    assert (one.device.id, one.device.address) == (ONE, "10.0.0.1")
    for run in runs.values():
        now = clock()
        output = Output(0, 0, f"of {run.device.name if run.device else 'itself'}".encode())
        ended = TaskFinished(0, now, Event.COMPLETE)
        report(
            hall, gateway, run, RunStarted(now), TaskStarted(0, now), output, ended, RunFinished(now, Event.COMPLETE)
        )

    (result,) = hall.results.collect(job.id, True, SYSTEM)
    assert result.job.state is State.COMPLETED
    seen = [(run.agent.name, run.agent.id, run.tasks[0].output) for run in result.runs]
    assert seen == [("gateway", gateway, "of itself"), ("sw-1", ONE, "of sw-1"), ("sw-2", TWO, "of sw-2")]
    assert hall.output.read(job.id, TWO, 0, 0, 100, SYSTEM).data == b"of sw-2"
    assert hall.output.read(job.id, gateway, 0, 0, 100, SYSTEM).data == b"of itself"
    with pytest.raises(AgentNotFound):
        hall.output.read(job.id, LONE, 0, 0, 100, SYSTEM)


def test_the_account_is_that_of_the_job_else_of_the_computer_else_of_its_team(hall: Hall, gateway: UUID) -> None:
    hall.scheduling.submit(a_request(SHOW, who=on(ONE, TWO)), SYSTEM)
    special = {"credential_set": SPECIAL, "credential_team": str(OTHERS)}
    hall.scheduling.submit(a_request(SHOW, who=on(ONE), options=special), SYSTEM)
    hall.scheduling.submit(a_request(LOCAL, who=on(gateway)), SYSTEM)
    one, two, named, local = lease(hall, gateway, 5)
    assert one.account is not None
    assert (one.account.user, one.account.port, sorted(one.account.secrets())) == (
        "backup",
        2222,
        ["o-key", "o-pass", "o-phrase"],
    )
    assert two.account is not None
    assert (two.account.user, two.account.password, two.account.port) == ("anybody", "t-pass", 22)
    assert named.account is not None
    assert named.account.user == "special"
    assert local.account is None  # nothing of it logs in


def test_a_set_that_is_gone_fails_the_run(hall: Hall, gateway: UUID) -> None:
    missing = {"credential_set": "00000000-0000-4000-8000-00000000000a"}
    job = hall.scheduling.submit(a_request(SHOW, who=on(ONE), options=missing), SYSTEM)
    assert lease(hall, gateway, 5) == []
    (result,) = hall.results.collect(job.id, False, SYSTEM)
    assert (result.runs[0].state, result.runs[0].reason) == (
        State.FAILED,
        "no credential set 00000000-0000-4000-8000-00000000000a is assigned to the computer, its team or the team of"
        " the job",
    )


@pytest.mark.parametrize("team", [{}, {"credential_team": "00000000-0000-4000-8000-000000000003"}])
def test_a_set_that_is_for_others_is_not_lent(hall: Hall, gateway: UUID, team: dict[str, str]) -> None:
    job = hall.scheduling.submit(a_request(SHOW, who=on(ONE), options={"credential_set": SPECIAL, **team}), SYSTEM)
    assert lease(hall, gateway, 5) == []
    (result,) = hall.results.collect(job.id, False, SYSTEM)
    assert result.runs[0].reason.startswith(f"no credential set {SPECIAL} is assigned")


def test_a_set_that_was_taken_away_is_not_lent_any_more(
    hall: Hall, gateway: UUID, load_library: Callable[[str], None]
) -> None:
    special = {"credential_set": SPECIAL, "credential_team": str(OTHERS)}
    hall.scheduling.submit(a_request(SHOW, who=on(ONE), options=special), SYSTEM)
    load_library("credential_sets: [{name: Special, user: special, teams: []}]")
    assert lease(hall, gateway, 5) == []


def test_no_account_is_sent_where_each_task_has_its_own(
    hall: Hall, gateway: UUID, load_library: Callable[[str], None]
) -> None:
    load_library(
        f"modules: [{{name: Own, id: {LOCAL}, parameters: [{{name: C, type: credentials, value: me, password: mine}}],"
        " tasks: [{type: ssh_command, name: t, settings: {text: 'true', host: 10.9.9.9, credentials: '$[C]'}}]}]"
    )
    hall.scheduling.submit(a_request(LOCAL, who=on(ONE)), SYSTEM)
    (run,) = lease(hall, gateway, 5)
    assert run.account is None


def a_script(login: str = "if_given") -> str:
    """Return a library that makes a script of the local module."""
    settings = f"{{language: shell, text: 'true', login: {login}}}"
    return f"modules: [{{name: Local, id: {LOCAL}, tasks: [{{type: script, name: t, settings: {settings}}}]}}]"


def test_a_script_logs_in_to_a_computer_without_an_agent(
    hall: Hall, gateway: UUID, load_library: Callable[[str], None]
) -> None:
    load_library(a_script())
    hall.scheduling.submit(a_request(LOCAL, who=on(ONE)), SYSTEM)
    (run,) = lease(hall, gateway, 5)
    assert run.device is not None
    assert run.account is not None
    assert (run.device.id, run.account.user, run.logs_in) == (ONE, "backup", True)
    (order,) = to_orders([run])
    assert (order.account, order.logs_in) == (run.account, True)


def test_a_script_waits_for_the_agent_of_a_computer_that_nobody_works_for(
    hall: Hall, gateway: UUID, load_library: Callable[[str], None], datastore: Datastore
) -> None:
    load_library(a_script())
    hall.scheduling.submit(a_request(LOCAL, who=on(LONE)), SYSTEM)
    with datastore.read() as session:
        found = session.execute(select(RUNS.c.agent_id, RUNS.c.device, RUNS.c.state)).all()
    assert found == [(LONE, 0, State.PENDING)]
    assert lease(hall, gateway, 5) == []


def test_a_script_gets_an_account_of_an_agent_that_runs_it_itself_only_if_the_job_names_one(
    hall: Hall, gateway: UUID, load_library: Callable[[str], None]
) -> None:
    named = {"credential_set": SPECIAL, "credential_team": str(OTHERS)}
    load_library(a_script())
    hall.scheduling.submit(a_request(LOCAL, who=on(gateway)), SYSTEM)
    hall.scheduling.submit(a_request(LOCAL, who=on(gateway), options=named), SYSTEM)
    load_library(a_script("never"))
    hall.scheduling.submit(a_request(LOCAL, who=on(gateway), options=named), SYSTEM)
    itself, as_named, never = lease(hall, gateway, 5)
    assert (itself.account, itself.logs_in) == (None, False)
    assert as_named.account is not None
    assert (as_named.account.user, as_named.logs_in, as_named.device) == ("special", True, None)
    assert never.account is None
    assert [order.logs_in for order in to_orders([itself, as_named])] == [False, True]


def test_a_script_beside_a_task_that_logs_in_is_told_that_it_need_not(
    hall: Hall, gateway: UUID, load_library: Callable[[str], None]
) -> None:
    both = "{type: ssh_command, name: u, settings: {text: 'true'}}"
    load_library(a_script().replace("tasks: [", f"tasks: [{both}, "))
    hall.scheduling.submit(a_request(LOCAL, who=on(gateway)), SYSTEM)
    (run,) = lease(hall, gateway, 5)
    assert run.account is not None
    assert (run.account.user, run.logs_in) == ("anybody", False)


def test_what_must_be_done_on_the_spot_waits_for_the_computer_itself(
    hall: Hall, gateway: UUID, datastore: Datastore
) -> None:
    job = hall.scheduling.submit(a_request(LOCAL, who=on(ONE)), SYSTEM)
    with datastore.read() as session:
        assert session.execute(select(RUNS.c.agent_id, RUNS.c.device)).all() == [(ONE, 0)]
    assert lease(hall, gateway, 5) == []
    assert hall.jobs.get(job.id, SYSTEM).state is State.ACTIVE


def test_a_gateway_may_be_named(
    hall: Hall, gateway: UUID, load_library: Callable[[str], None], enrol: Callable[..., UUID]
) -> None:
    other = enrol("other")
    load_library(f"agents: [{{name: lone, id: {LONE}, gateway: other}}]")
    hall.scheduling.submit(a_request(SHOW, who=on(LONE)), SYSTEM)
    assert lease(hall, gateway, 5) == []
    (run,) = lease(hall, other, 5)
    assert run.device is not None
    assert (run.device.name, run.account) == ("lone", None)


def test_without_anybody_who_could_work_for_it_the_run_has_failed(hall: Hall, gateway: UUID) -> None:
    job = hall.scheduling.submit(a_request(SHOW, who=on(LONE, ONE)), SYSTEM)
    states = {run.agent.name: (run.state, run.reason) for run in hall.results.collect(job.id, False, SYSTEM)[0].runs}
    assert states["sw-1"] == (State.PENDING, "")
    failed = (State.FAILED, "no agent is there that could work for lone")
    assert failed in states.values()


def test_failed_ones_are_done_again_for_the_device(hall: Hall, gateway: UUID, clock: Any) -> None:
    job = hall.scheduling.submit(a_request(SHOW, who=on(ONE, TWO)), SYSTEM)
    for run, event in zip(lease(hall, gateway, 5), (Event.FAIL, Event.COMPLETE), strict=True):
        report(hall, gateway, run, RunStarted(clock()), RunFinished(clock(), event))
    again = hall.rerun.rerun(job.id, True, SYSTEM)
    assert [who.name for who in again.who] == ["sw-1"]
    (run,) = lease(hall, gateway, 5)
    assert run.device is not None
    assert run.device.name == "sw-1"
