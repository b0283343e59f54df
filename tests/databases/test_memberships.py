"""Memberships: who is listed in which team, and which team is primary, changed in one piece on every database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from statements import statements
from structlog.testing import capture_logs

from dispatcher.core.attempts import again
from dispatcher.core.errors import AgentNotFound, Forbidden, InvalidValue
from dispatcher.core.jobs import WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.teams import Team, TeamMember
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.memberships import MAX_CHANGES, Change, HeldByRule

LIBRARY = """
agents: [{name: one}, {name: two}, {name: three}]
teams:
  - {name: Listed, agents: [one]}
  - {name: Other}
  - {name: Ones, rule: 'name startswith "o"', agents: [two]}
"""


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


@pytest.fixture
def members(datastore: Datastore) -> Callable[[str], list[str]]:
    """Return the names of the agents that are listed in a team."""

    def members(team: str) -> list[str]:
        with datastore.read() as session:
            query = select(Agent.name).join(TeamMember, TeamMember.agent_id == Agent.id).order_by(Agent.name)
            return list(session.scalars(query.join(Team, Team.id == TeamMember.team_id).where(Team.name == team)))

    return members


@pytest.fixture
def primary(datastore: Datastore) -> Callable[[str], str | None]:
    """Return the name of an agent's primary team."""

    def primary(agent: str) -> str | None:
        with datastore.read() as session:
            query = select(Team.name).join(Agent, Agent.primary_team_id == Team.id)
            return session.scalar(query.where(Agent.name == agent))

    return primary


def of_agent(hall: Hall, agent: str, *changes: Change, caller: Caller = SYSTEM) -> list[str]:
    """Change the teams of *agent*; return the names of those that have changed."""
    return [who.name for who in hall.memberships.change(WhoChoice([agent], WhoKind.AGENT), changes, caller)]


def of_team(hall: Hall, team: str, *changes: Change) -> list[str]:
    return [who.name for who in hall.memberships.change(WhoChoice([team], WhoKind.TEAM), changes, SYSTEM)]


def team(name: str, **more: bool) -> Change:
    return Change(WhoChoice([name], WhoKind.TEAM), "Teams[0]/ID", **more)


def agent(name: str, **more: bool) -> Change:
    return Change(WhoChoice([name], WhoKind.AGENT), "Agents[0]/ID", **more)


def test_an_agent_joins_and_leaves_teams(hall: Hall, members: Any) -> None:
    assert of_agent(hall, "one", team("Other"), team("Listed", joins=False)) == ["Other", "Listed"]
    assert (members("Listed"), members("Other")) == ([], ["one"])


def test_agents_join_and_leave_a_team(hall: Hall, members: Any) -> None:
    assert of_team(hall, "Listed", agent("two"), agent("three"), agent("one", joins=False)) == ["two", "three", "one"]
    assert members("Listed") == ["three", "two"]


def test_who_is_in_does_not_join_and_who_is_not_does_not_leave(hall: Hall, datastore: Datastore, members: Any) -> None:
    with datastore.read() as session:
        before = session.execute(select(Team.name, Team.updated_at, Team.updated_by).order_by(Team.name)).all()
    with statements(datastore) as sent:
        assert of_agent(hall, "one", team("Listed"), team("Other", joins=False), team("Ones")) == []
    assert not [one for one in sent if one.startswith(("INSERT", "UPDATE", "DELETE"))]
    assert (members("Listed"), members("Other"), members("Ones")) == (["one"], [], ["two"])
    with datastore.read() as session:
        assert session.execute(select(Team.name, Team.updated_at, Team.updated_by).order_by(Team.name)).all() == before


def test_changes_are_made_in_order_and_what_cancels_out_is_not_stored(hall: Hall, members: Any) -> None:
    assert of_agent(hall, "two", team("Listed"), team("Listed", joins=False), team("Other")) == ["Listed", "Other"]
    assert (members("Listed"), members("Other")) == (["one"], ["two"])
    assert of_agent(hall, "two", team("Other", joins=False), team("Other")) == ["Other"]
    assert members("Other") == ["two"]


def test_what_a_rule_holds_cannot_leave_and_then_nothing_changes(hall: Hall, members: Any) -> None:
    with pytest.raises(HeldByRule, match="agent one belongs to team Ones by the team's rule"):
        of_agent(hall, "one", team("Other"), team("Ones", joins=False))
    assert members("Other") == []
    # Listed there, and not because of the rule.
    assert of_agent(hall, "two", team("Ones", joins=False)) == ["Ones"]
    assert of_agent(hall, "three", team("Ones", joins=False)) == []


def test_the_last_team_that_is_to_be_the_primary_one_is(hall: Hall, primary: Any) -> None:
    changes = team("Listed", as_primary=True), team("Ones", as_primary=True), team("Other")
    assert of_agent(hall, "one", *changes) == ["Listed", "Ones", "Other"]
    assert primary("one") == "Ones"
    assert of_agent(hall, "one", team("Ones", as_primary=True)) == []


def test_the_primary_team_that_an_agent_leaves_is_it_no_more(hall: Hall, primary: Any, datastore: Datastore) -> None:
    of_agent(hall, "one", team("Listed", as_primary=True))
    assert primary("one") == "Listed"
    assert of_team(hall, "Listed", agent("one", joins=False)) == ["one"]
    assert primary("one") is None
    with datastore.read() as session:
        assert session.scalar(select(Agent.updated_by).where(Agent.name == "one")) == "system"


def test_what_is_known_of_a_team_elsewhere_is_forgotten(hall: Hall, datastore: Datastore) -> None:
    before = datastore.revisions()["topology"]
    of_agent(hall, "one", team("Other"))
    assert datastore.revisions()["topology"] != before


@pytest.mark.parametrize("node", [Node.TEAMS, Node.AGENTS])
def test_both_rights_are_needed(hall: Hall, members: Any, node: Node) -> None:
    rights = dict.fromkeys((Node.TEAMS, Node.AGENTS), Right.MODIFY) | {node: Right.READ}
    with pytest.raises(Forbidden, match=node.value):
        of_agent(hall, "one", team("Other"), caller=Caller("some", rights))
    assert members("Other") == []


def test_what_is_named_must_be_there(hall: Hall) -> None:
    with pytest.raises(InvalidValue, match=r"Agent/ID: no agent nobody"):
        of_agent(hall, "nobody", team("Other"))
    with pytest.raises(InvalidValue, match=r"Teams\[0\]/ID: no team nowhere"):
        of_agent(hall, "one", team("nowhere"))
    with pytest.raises(InvalidValue, match=f"more than {MAX_CHANGES} changes"):
        of_agent(hall, "one", *[team("Other")] * (MAX_CHANGES + 1))


def test_an_agent_that_is_removed_meanwhile_joins_nothing(
    hall: Hall, members: Any, datastore: Datastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = datastore.begin

    def begin_too_late() -> Any:
        monkeypatch.setattr(datastore, "begin", begin)
        hall.removals.remove(WhoChoice(["two"], WhoKind.AGENT), False, SYSTEM)
        return begin()

    monkeypatch.setattr(datastore, "begin", begin_too_late)
    with pytest.raises(AgentNotFound):
        of_agent(hall, "two", team("Other", as_primary=True))
    assert members("Other") == []
    with datastore.read() as session:
        row = session.execute(select(Agent.removed_at, Agent.primary_team_id).where(Agent.name == "two")).one()
    assert (row.removed_at is not None, row.primary_team_id) == (True, None)


def test_who_changed_what_is_in_the_log(hall: Hall, datastore: Datastore) -> None:
    with datastore.read() as session:
        one = session.scalar(select(Agent.id).where(Agent.name == "one"))
        other = session.scalar(select(Team.id).where(Team.name == "Other"))
    with capture_logs() as logged:
        of_agent(hall, "one", team("Other", as_primary=True))
        of_agent(hall, "one", team("Other"))
    (entry,) = [entry for entry in logged if entry["event"] == "memberships.changed"]
    said = {"by": "system", "of": str(one), "others": [str(other)], "joined": 1, "left": 0, "moved": 1}
    assert entry == {"event": "memberships.changed", "log_level": "info", **said}


def test_changes_at_the_same_moment_are_all_made_once(hall: Hall, members: Any, enrol: Callable[..., UUID]) -> None:
    names = [f"agent {number:02}" for number in range(12)]
    for name in names:
        enrol(name)

    def join(which: str) -> list[str]:
        return again(lambda: of_agent(hall, which, team("Other", as_primary=True), team("Listed")), 50)

    def take_in(_: int) -> list[str]:
        return again(lambda: of_team(hall, "Other", *map(agent, names)), 50)

    with ThreadPoolExecutor(4) as pool:
        joined = pool.map(join, names)
        taken = [name for changed in pool.map(take_in, range(3)) for name in changed]
        assert all("Listed" in teams for teams in joined)
    assert members("Other") == names
    assert len(taken) == len(set(taken))
