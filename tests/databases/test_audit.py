"""The audit on every database: each change with its entry, in order, no secret in any, and what is old goes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from audit_world import ANN, CHANGES, LIBRARY, World
from job_world import NOBODY, a_request, on
from schedule_world import NOON
from sqlalchemy import text
from statements import statements

from dispatcher.core.attempts import again
from dispatcher.core.jobs import GivenSet, WhoChoice, WhoKind
from dispatcher.core.parameters import GivenValue
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import audit, retention
from dispatcher.services.audit import Subject
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall
from dispatcher.services.memberships import Change

#: Secrets of the library, beside those that are made on the way.
SECRETS = ("s3cret", "t0ken-of-gold", "passw0rd-1", "passw0rd-2", "c0nfidential")


@pytest.fixture
def world(hall: Hall, datastore: Datastore, ports: Ports, load_library: Callable[[str], None]) -> World:
    load_library(LIBRARY)
    return World(hall, datastore, ports)


def test_a_change_and_its_entry_are_one(world: World) -> None:
    before = world.stored()
    for name, change in CHANGES.items():
        with pytest.raises(ZeroDivisionError), world.datastore.begin():
            expected = change(world)
            assert world.told()[-1] == expected, name
            raise ZeroDivisionError
        assert world.stored() == before, name
    expected = CHANGES["Settings.set"](world)
    assert world.told()[-1] == expected


def test_changes_at_the_same_moment_follow_each_other(world: World) -> None:
    def change(number: int) -> None:
        again(partial(world.hall.settings.set, "webapi.realm", f"realm {number}", ANN))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(change, range(12)))
    told = world.entries(subject="webapi.realm")
    assert len(told) == 12
    assert all(one.new == other.old for one, other in itertools.pairwise(told))


def test_no_secret_is_in_any_entry(world: World, load_library: Callable[[str], None]) -> None:
    hidden = list(SECRETS)
    load_library(LIBRARY.replace("s3cret", "t0ken-of-gold"))
    world.logins.add("root", "passw0rd-1", ANN)
    world.logins.set_password("root", "passw0rd-2", ANN)
    token = world.hall.tokens.create_enrol_token(ANN)
    agent, secret = world.hall.enrolment.enrol(token, "one", None, Facts(os="linux"))
    given = GivenSet(None, [GivenValue("Password", "c0nfidential")])
    job = world.hall.scheduling.submit(a_request(who=on(agent), parameters=[given]), ANN)
    world.hall.aborting.abort(job.id, ANN)
    with world.datastore.read() as session:
        hashes = session.execute(text("SELECT password_hash FROM login")).scalars().all()
        sealed = session.execute(text("SELECT value1 FROM parameter WHERE name = 'Password'")).scalars().all()
    hidden += [token, secret, *hashes, *sealed]
    stored = world.stored()
    assert len(world.entries()) > 8
    assert [one for one in hidden if one in stored] == []


@pytest.mark.parametrize("other", ["ANN", "\u00e1nn"])
def test_names_are_compared_as_they_are_written(world: World, other: str) -> None:
    with world.datastore.begin() as session:
        audit.record(session, NOON, ANN, "thing.made", Subject("thing", "ann"), new={})
        audit.record(session, NOON, replace(ANN, name=other), "thing.made", Subject("thing", other), new={})
    for which in ("login", "subject"):
        for name in ("ann", other):
            found = world.entries(action="thing", **{which: name})
            assert [(entry.login, entry.subject.name) for entry in found] == [(name, name)]


def test_many_changes_at_once_are_noted_in_one_statement(world: World, load_library: Callable[[str], None]) -> None:
    def sent(change: Callable[[], object]) -> int:
        with statements(world.datastore) as seen:
            change()
        return sum(statement.startswith("INSERT INTO audit_entry") for statement in seen)

    names = [f"m{number}" for number in range(5)]
    library = "agents: [" + ", ".join(f"{{name: {name}}}" for name in names) + "]"
    assert sent(lambda: load_library(library)) == 1
    joining = [Change(WhoChoice([name], WhoKind.AGENT), "Agents") for name in names]
    assert sent(lambda: world.hall.memberships.change(WhoChoice([NOBODY], WhoKind.TEAM), joining, ANN)) == 1
    told = [(entry.action, entry.subject.name) for entry in world.entries()[-10:]]
    assert told[:5] == [("agent.created", name) for name in names]
    assert sorted(told[5:]) == [("agent.teams", name) for name in names]


def test_what_is_too_old_goes_little_by_little(world: World, clock: Any) -> None:
    with world.datastore.begin() as session:
        for number in range(retention.BATCH_ROWS):
            audit.record(session, clock(), ANN, "thing.made", Subject("thing", str(number)), new={})

    def sweep() -> int:
        clock.turn(retention.REST)
        return world.hall.retention.sweep()

    clock.turn(timedelta(days=3))
    assert sweep() == 0
    world.hall.settings.set("retention.audit_days", "2", ANN)
    assert sweep() == retention.BATCH_ROWS
    sweep()
    assert [entry.action for entry in world.entries()] == ["setting.changed"]
