"""Jobs of Ivanti Endpoint Security on every database: made, listed, lent with their secrets, and cleaned away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import lapse, lease, report, work_off
from pydantic import SecretStr
from sqlalchemy import select

from dispatcher.core.errors import Forbidden, InvalidValue, KeyReused, NotAuthenticated
from dispatcher.core.permissions import SYSTEM, Caller, Right
from dispatcher.core.ports import Ports
from dispatcher.core.states import Event, State
from dispatcher.datastore.ivanti_endpoint_security import IES_JOBS
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import builtin
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall
from dispatcher.services.ivanti_endpoint_security import enrolments
from dispatcher.services.ivanti_endpoint_security.listing import Listing, Term
from dispatcher.services.ivanti_endpoint_security.orders import (
    AddressTarget,
    DirectoryTarget,
    JobOrder,
    Kind,
    NameTarget,
    Options,
    RangeTarget,
)
from dispatcher.services.ivanti_endpoint_security.records import RecordNotFound
from dispatcher.services.ivanti_endpoint_security.suite import IvantiEndpointSecurity, build_ivanti_endpoint_security
from dispatcher.services.reporting import RunFinished, RunStarted
from dispatcher.services.secrets import Secrets
from dispatcher.services.submits import SubmitKey
from dispatcher.tasks.agent_setup.order import TOKEN_INPUT

NOON = datetime.fromisoformat("2026-03-01T12:00:00+00:00")


@pytest.fixture
def ies(hall: Hall, datastore: Datastore, ports: Ports, secrets: Secrets) -> IvantiEndpointSecurity:
    builtin.install(datastore, ports, secrets)
    return build_ivanti_endpoint_security(hall)


@pytest.fixture
def local(hall: Hall, enrol: Callable[..., UUID]) -> UUID:
    agent = enrol("local")
    hall.local_agent.found_by(lambda: agent)
    return agent


def an_order(name: str = "Look around", kind: Kind = Kind.DISCOVER, **rest: Any) -> JobOrder:
    given = {"starts_at": NOON, "options": Options(icmp=True), "targets": (AddressTarget(address="127.0.0.1"),)}
    return JobOrder(**{"name": name, "kind": kind, **given, **rest})


def inputs(hall: Hall, agent: UUID) -> dict[str, Any]:
    """Let the agent fetch a run, and return what it is given."""
    (run,) = lease(hall, agent, 1)
    return {one.name: one.value for one in run.inputs}


def stored(datastore: Datastore) -> tuple[int, int]:
    """Return how many jobs there are, and how many of this dialect."""
    with datastore.read() as session:
        return len(session.scalars(select(JOBS.c.id)).all()), len(session.scalars(select(IES_JOBS.c.job_id)).all())


def test_a_job_is_made_shown_and_lent_with_its_order(hall: Hall, ies: IvantiEndpointSecurity, local: UUID) -> None:
    made = ies.jobs.create(an_order(username="root"), SYSTEM)
    shown = ies.jobs.get(made.record.number, SYSTEM)
    assert (shown.record, shown.order, list(shown.results)) == (made.record, made.order, [])
    assert (made.record.state, made.record.kind, made.order.username) == (State.ACTIVE, Kind.DISCOVER, "root")
    given = inputs(hall, local)
    assert given.keys() == {"discovery"}
    assert given["discovery"]["targets"] == [
        {"kind": "address", "address": "127.0.0.1", "timeout_ms": 3_000, "retry": 3}
    ]
    assert (given["discovery"]["options"]["icmp"], given["discovery"]["options"]["snmp"]) == (True, False)
    assert given["discovery"]["username"] == "root"
    assert "communities" not in given["discovery"]  # those that are usual


def test_secrets_are_sealed_where_they_rest_and_open_in_the_run_that_was_lent(
    hall: Hall, ies: IvantiEndpointSecurity, local: UUID, datastore: Datastore
) -> None:
    targets = (AddressTarget(address="127.0.0.1"), DirectoryTarget(domain="localhost:1", username="reader"))
    passwords: dict[str, Any] = {"password": SecretStr("canary-1"), "directory_passwords": {1: SecretStr("canary-2")}}
    made = ies.jobs.create(an_order(kind=Kind.INSTALL, targets=targets, username="root", **passwords), SYSTEM)
    with datastore.read() as session:
        at_rest = [repr(session.execute(select(table)).mappings().all()) for table in (JOBS, IES_JOBS)]
    assert "canary" not in "".join(at_rest)
    assert "canary" not in repr(ies.jobs.get(made.record.number, SYSTEM))
    (run,) = lease(hall, local, 1)
    secret = {one.name: one.value for one in run.inputs if one.is_secret}
    assert {name: text for name, text in secret.items() if name != TOKEN_INPUT} == {
        "discovery.password": "canary-1",
        "discovery.directory.1": "canary-2",
        "agent_setup.password": "canary-1",
    }
    (order,) = [one.value for one in run.inputs if one.name == "discovery"]
    assert [target.get("password_input", "") for target in order["targets"]] == ["", "discovery.directory.1"]


def enrols(hall: Hall, token: str) -> bool:
    """Whether an agent can enrol by *token* now."""
    try:
        hall.enrolment.enrol(token, "new", None, Facts(os="linux"))
    except NotAuthenticated:
        return False
    return True


@pytest.mark.parametrize("end", [Event.COMPLETE, Event.FAIL, Event.TIME_OUT])
def test_as_many_agents_as_there_are_targets_enrol_by_the_token_of_an_install_while_it_goes_on(
    hall: Hall, ies: IvantiEndpointSecurity, local: UUID, clock: Any, end: Event
) -> None:
    targets = (AddressTarget(address="127.0.0.1"), RangeTarget(start="127.0.0.8", end="127.0.0.9"))
    order = an_order(kind=Kind.INSTALL, modules=("AV",), overwrite=True, targets=targets, password=SecretStr("pw"))
    ies.jobs.create(order, SYSTEM)
    (run,) = lease(hall, local, 1)
    given = {one.name: one.value for one in run.inputs}
    assert (given["agent_setup"]["modules"], given["agent_setup"]["overwrite"]) == (["AV"], True)
    assert enrols(hall, given[TOKEN_INPUT])
    report(hall, local, run, RunStarted(clock()))
    assert [enrols(hall, given[TOKEN_INPUT]) for _ in range(3)] == [True, True, False]

    ies.jobs.create(order, SYSTEM)
    (run,) = lease(hall, local, 1)
    (token,) = [one.value for one in run.inputs if one.name == TOKEN_INPUT]
    report(hall, local, run, RunStarted(clock()), RunFinished(clock(), end))
    assert not enrols(hall, token)


def test_the_token_of_a_run_that_was_lost_or_is_aborted_is_worth_nothing(
    hall: Hall, ies: IvantiEndpointSecurity, local: UUID, clock: Any
) -> None:
    job = ies.jobs.create(an_order(kind=Kind.INSTALL, password=SecretStr("pw")), SYSTEM)
    tokens = []
    for _ in range(2):  # it is lent again
        tokens.append(inputs(hall, local)[TOKEN_INPUT])
        lapse(hall, clock)
        assert not enrols(hall, tokens[-1])
    (run,) = lease(hall, local, 1)
    (token,) = [one.value for one in run.inputs if one.name == TOKEN_INPUT]
    report(hall, local, run, RunStarted(clock()))
    assert [enrols(hall, one) for one in (*tokens, token)] == [False, False, True]
    hall.aborting.abort(job.record.job_id, SYSTEM)
    assert not enrols(hall, token)


@pytest.mark.parametrize(
    ("targets", "count"),
    [
        ((AddressTarget(address="127.0.0.1"), AddressTarget(address="::1")), 2),
        ((RangeTarget(start="fe80::1%eth0", end="fe80::1:0%eth0"),), 1 << 16),
        ((RangeTarget(start="::", end="ffff::"),), 1 << 30),
        ((NameTarget(name="pc"),), 8),
        ((NameTarget(name="pc"), DirectoryTarget(domain="ad")), None),
    ],
)
def test_an_order_makes_as_many_agents_as_its_targets_have_addresses(targets: Any, count: int | None) -> None:
    assert enrolments.most(targets) == count


@pytest.mark.parametrize("kind", [Kind.DISCOVER, Kind.INSTALL, Kind.UNINSTALL])
def test_who_may_not_order_an_install_cannot_have_it_done_again(
    hall: Hall, ies: IvantiEndpointSecurity, local: UUID, bob: Callable[..., Caller], clock: Any, kind: Kind
) -> None:
    made = ies.jobs.create(an_order(kind=kind, password=SecretStr("pw")), SYSTEM)
    work_off(hall, local, clock())
    caller = bob({"Jobs/Scheduling": Right.MODIFY, "Topology/Agents": Right.READ, "Library/Modules": Right.READ})
    if kind is not Kind.DISCOVER:
        with pytest.raises(Forbidden):
            hall.rerun.rerun(made.record.job_id, False, caller)
        assert lease(hall, local, 0) == []
        caller = bob({"Topology/Agents": Right.MODIFY})
    hall.rerun.rerun(made.record.job_id, False, caller)
    assert inputs(hall, local)["discovery.password"] == "pw"


@pytest.mark.parametrize(("kind", "password"), [(Kind.DISCOVER, "pw"), (Kind.UNINSTALL, "pw"), (Kind.INSTALL, None)])
def test_only_an_install_that_can_log_in_has_a_token(
    hall: Hall, ies: IvantiEndpointSecurity, local: UUID, kind: Kind, password: str | None
) -> None:
    ies.jobs.create(an_order(kind=kind, password=password and SecretStr(password)), SYSTEM)
    given = inputs(hall, local)
    assert TOKEN_INPUT not in given
    assert ("agent_setup" in given) == (kind is not Kind.DISCOVER)


def test_lists_are_filtered_sorted_and_counted(hall: Hall, ies: IvantiEndpointSecurity, local: UUID) -> None:
    names = ["Beta", "alpha", "Gamma 100%", "beta"]
    for name in names:
        ies.jobs.create(an_order(name, kind=Kind.UNINSTALL if name == "alpha" else Kind.DISCOVER), SYSTEM)

    def listed(*terms: Term, **rest: Any) -> tuple[list[str], int | None]:
        found = ies.jobs.page(Listing(terms, **rest), SYSTEM)
        return [one.order.name for one in found.items], found.total

    assert listed(counts=True) == (names, 4)
    assert listed(Term("name", "BETA"), counts=True) == (["Beta", "beta"], 2)
    assert listed(Term("name", "0%", is_part=True)) == (["Gamma 100%"], None)
    assert listed(Term("name", "_", is_part=True)) == ([], None)
    assert listed(Term("kind", 3), counts=True) == (["alpha"], 1)
    assert listed(Term("number", 10**30)) == ([], None)
    assert listed(descending=True, skip=1, top=2, counts=True) == (["Gamma 100%", "alpha"], 4)
    assert listed(order_by="starts_at", descending=True) == (names, None)  # of equal ones the older one is first
    assert listed(skip=4, counts=True) == ([], 4)
    assert listed(top=0, counts=True) == ([], 4)


def test_a_job_of_the_future_waits_and_one_of_the_past_begins(
    hall: Hall, ies: IvantiEndpointSecurity, local: UUID
) -> None:
    later = ies.jobs.create(an_order(starts_at=NOON + timedelta(days=1)), SYSTEM)
    past = ies.jobs.create(an_order(starts_at=NOON - timedelta(days=9_999)), SYSTEM)
    assert (later.record.state, past.record.state) == (State.SCHEDULED, State.ACTIVE)
    assert (later.record.starts_at, past.record.starts_at) == (later.order.starts_at, past.order.starts_at)


def test_nothing_is_left_of_what_is_refused(
    ies: IvantiEndpointSecurity, datastore: Datastore, bob: Callable[..., Caller], enrol: Callable[..., UUID]
) -> None:
    with pytest.raises(InvalidValue, match="there is no local agent"):
        ies.jobs.create(an_order(), SYSTEM)
    with pytest.raises(InvalidValue, match="Agent: no agent nobody"):
        ies.jobs.create(an_order(agent="nobody"), SYSTEM)
    enrol("one")
    with pytest.raises(Forbidden):
        ies.jobs.create(an_order(agent="one"), bob())
    caller = bob({"Jobs/Scheduling": Right.MODIFY, "Topology/Agents": Right.READ, "Library/Modules": Right.READ})
    with pytest.raises(Forbidden):
        ies.jobs.create(an_order(agent="one", kind=Kind.INSTALL), caller)
    assert stored(datastore) == (0, 0)
    ies.jobs.create(an_order(agent="one"), caller)
    assert stored(datastore) == (1, 1)


def test_the_same_key_makes_one_job(ies: IvantiEndpointSecurity, local: UUID, datastore: Datastore) -> None:
    key = SubmitKey.of("once", b"body")
    first = ies.jobs.create(an_order(), SYSTEM, key)
    assert ies.jobs.create(an_order(), SYSTEM, key) == first
    with pytest.raises(KeyReused):
        ies.jobs.create(an_order(), SYSTEM, SubmitKey.of("once", b"another body"))
    assert stored(datastore) == (1, 1)


@pytest.mark.parametrize("number", [0, -1, 99, 1 << 63, 10**30])
def test_there_is_no_job_with_another_number(ies: IvantiEndpointSecurity, local: UUID, number: int) -> None:
    ies.jobs.create(an_order(), SYSTEM)
    with pytest.raises(RecordNotFound):
        ies.jobs.get(number, SYSTEM)


def test_old_jobs_go_with_what_was_ordered(
    hall: Hall, ies: IvantiEndpointSecurity, local: UUID, datastore: Datastore, clock: Any
) -> None:
    ies.jobs.create(an_order(password=SecretStr("canary")), SYSTEM)
    assert len(work_off(hall, local, clock())) == 1
    hall.settings.set("retention.jobs_days", "1", SYSTEM)
    clock.turn(timedelta(days=2))
    while hall.retention.sweep() or clock() >= (hall.retention.next_moment() or clock()):
        clock.turn(timedelta(seconds=1))
    assert stored(datastore) == (0, 0)
