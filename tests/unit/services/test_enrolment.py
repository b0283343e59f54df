"""Enrolment: agents prove who they are, and what they say again costs no write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select, update
from statements import statements

from dispatcher.core.errors import NotAuthenticated
from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore import revisions
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.teams import Team
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.audit import Audit
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall

FACTS = Facts(os="linux", hostname="one", time_zone="Europe/Berlin", macs=("00:11:22:33:44:55",), extra={"rack": "7"})


@pytest.fixture
def member(hall: Hall) -> tuple[UUID, str]:
    """The id and the secret of an agent."""
    return hall.enrolment.enrol(hall.tokens.create_enrol_token(SYSTEM), "one", None, FACTS)


def test_a_secret_that_was_shown_is_not_read_again(hall: Hall, datastore: Datastore, member: tuple[UUID, str]) -> None:
    hall.enrolment.authenticate(*member)
    with statements(datastore) as sent:
        hall.enrolment.authenticate(*member)
    assert sent == []


@pytest.mark.parametrize("secret", [None, b"x" * 32])
def test_a_secret_that_another_process_revokes_or_replaces_is_refused_at_once(
    hall: Hall, datastore: Datastore, member: tuple[UUID, str], secret: bytes | None
) -> None:
    hall.enrolment.authenticate(*member)
    other = Datastore(datastore.url)
    with other.begin() as session:
        session.execute(update(Agent).where(Agent.id == member[0]).values(secret_hash=secret))
        revisions.bump(session, revisions.TOPOLOGY)
    other.close()
    for _ in range(2):
        with pytest.raises(NotAuthenticated):
            hall.enrolment.authenticate(*member)


def test_a_wrong_secret_is_refused_after_the_right_one_was_shown(hall: Hall, member: tuple[UUID, str]) -> None:
    hall.enrolment.authenticate(*member)
    for agent_id, secret in ((member[0], "guess"), (UUID(int=1), member[1])):
        with pytest.raises(NotAuthenticated):
            hall.enrolment.authenticate(agent_id, secret)
    hall.enrolment.authenticate(*member)


def test_facts_that_are_known_are_not_written_again(hall: Hall, datastore: Datastore, member: tuple[UUID, str]) -> None:
    with statements(datastore) as sent:
        hall.enrolment.note_facts(member[0], FACTS)
    assert [one.split()[0] for one in sent if not one.startswith("BEGIN")] == ["SELECT"]


@pytest.mark.parametrize(
    ("news", "others_keep_it"),
    [
        ({"os": "windows"}, True),
        ({"time_zone": "Asia/Tokyo"}, True),
        ({"os_version": "12"}, False),
        ({"macs": ()}, False),
        ({"extra": {"rack": "8"}}, False),
    ],
)
def test_new_facts_are_stored_and_shown_to_all(
    hall: Hall, datastore: Datastore, member: tuple[UUID, str], news: dict[str, Any], others_keep_it: bool
) -> None:
    def target() -> tuple[str, str]:
        with datastore.read() as session:
            found = hall.topology.targets(session, [member[0]])[member[0]]
        return found.os, found.time_zone

    before, _ = datastore.revisions(), target()
    said = replace(FACTS, **news)
    hall.enrolment.note_facts(member[0], said)
    assert target() == (said.os, said.time_zone)
    assert (datastore.revisions() != before) == others_keep_it
    with datastore.read() as session:
        agent = session.scalars(select(Agent)).one()
    stored = agent.os, agent.os_version, agent.time_zone, tuple(agent.macs), agent.facts
    assert stored == (said.os, said.os_version, said.time_zone, said.macs, said.extra)


def test_facts_of_an_agent_that_there_is_not_change_nothing(hall: Hall, datastore: Datastore) -> None:
    before = datastore.revisions()
    hall.enrolment.note_facts(UUID(int=1), FACTS)
    assert datastore.revisions() == before


#: ``web1`` is known in two teams, and ``db1`` in one by its rule; another ``db1`` is in no team.
TEAMS = """
agents:
  - {name: web1, id: 00000000-0000-4000-8000-00000000000a}
  - {name: web1, id: 00000000-0000-4000-8000-00000000000b}
  - {name: db1, id: 00000000-0000-4000-8000-00000000000c, address: 10.0.0.9}
  - {name: db1, id: 00000000-0000-4000-8000-00000000000d}
teams:
  - {name: A, agents: [00000000-0000-4000-8000-00000000000a]}
  - {name: B, agents: [00000000-0000-4000-8000-00000000000b]}
  - {name: C, rule: 'address == "10.0.0.9"'}
"""


@pytest.fixture
def enrol(hall: Hall, load_library: Callable[[str], Any]) -> Callable[..., UUID]:
    """Load the teams; let an agent enrol by a token of one of them, and return its id."""
    load_library(TEAMS)

    def work(team: str, name: str, agent_id: UUID | None = None) -> UUID:
        return hall.enrolment.enrol(hall.tokens.create_enrol_token(SYSTEM, team=team), name, agent_id, FACTS)[0]

    return work


def test_by_the_token_of_a_team_its_own_entry_is_taken_over(enrol: Callable[..., UUID]) -> None:
    assert [enrol(team, name).int % 16 for team, name in (("B", "web1"), ("A", "web1"), ("C", "db1"))] == [11, 10, 12]


def test_by_the_token_of_a_team_whom_nobody_knew_there_becomes_a_member(
    hall: Hall, datastore: Datastore, enrol: Callable[..., UUID]
) -> None:
    taken, foreign = enrol("A", "web1"), UUID("00000000-0000-4000-8000-00000000000d")
    new = [enrol("A", "web1"), enrol("A", "db1"), enrol("A", "db1", foreign)]
    assert len({taken, foreign, *new}) == 5
    with datastore.read() as session:
        team = hall.topology.resolve_name(session, "A", "team")
        assert {target.id for target in hall.topology.targets_of(session, [team])} == {taken, *new}
    entry = Audit(datastore).list(SYSTEM, action="agent.teams", limit=10)[0]
    assert (entry.subject.id, entry.new) == (new[-1], {"teams": [f"A ({team.id})"]})


def test_the_token_of_a_team_that_is_no_more_is_worth_nothing(
    hall: Hall, datastore: Datastore, enrol: Callable[..., UUID]
) -> None:
    enrol("B", "web1")
    token = hall.tokens.create_enrol_token(SYSTEM, team="A")
    with datastore.begin() as session:
        session.execute(delete(Team).where(Team.name == "A"))
    with pytest.raises(NotAuthenticated):
        hall.enrolment.enrol(token, "web1", None, FACTS)
