"""Team reports: who belongs to each team, by a few queries however many there are, on every database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from statements import statements

from dispatcher.core.permissions import SYSTEM, Caller, Node, Right
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall

LIBRARY = """
agents: [{name: web-2}, {name: web-1, primary_team: Old}, {name: db-1}]
teams:
  - {name: Web, description: By rule., rule: 'name startswith "web-"', agents: [db-1, web-1]}
  - {name: Databases, agents: [db-1]}
  - {name: Empty}
  - {name: Never, rule: 'name == "nobody"'}
  - {name: Old, enabled: false, rule: 'true'}
  - {name: Moved, rule: 'primary_team == "Old"'}
"""


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


def report(hall: Hall, caller: Caller = SYSTEM) -> dict[str, list[str]]:
    return {team.name: [who.name for who in team.agents] for team in hall.team_reports.teams(caller)}


def test_members_are_those_listed_and_those_that_the_rule_fits(hall: Hall) -> None:
    assert report(hall) == {
        "Databases": ["db-1"],
        "Empty": [],
        "Moved": ["web-1"],
        "Never": [],
        "Web": ["db-1", "web-1", "web-2"],
    }
    assert list(report(hall)) == sorted(report(hall))
    assert [team.description for team in hall.team_reports.teams(SYSTEM)][-1] == "By rule."


def test_rights_decide_what_is_shown(hall: Hall) -> None:
    assert report(hall, Caller("nobody")) == {}
    assert report(hall, Caller("agents", {Node.AGENTS: Right.MODIFY})) == {}
    assert set(map(tuple, report(hall, Caller("teams", {Node.TEAMS: Right.READ})).values())) == {()}


def test_number_of_queries_does_not_grow(hall: Hall, datastore: Datastore, load_library: Any) -> None:
    def sent() -> int:
        with statements(datastore) as seen:
            hall.team_reports.teams(SYSTEM)
        return sum(statement.startswith("SELECT") for statement in seen)

    few = sent()
    teams = [f"  - {{name: More {number}, rule: 'os == \"{number}\"', agents: [web-1]}}" for number in range(30)]
    load_library("teams:\n" + "\n".join(teams))
    assert sent() == few == 3
    assert report(hall)["More 7"] == ["web-1"]


def test_who_is_online_says_so(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    agent = enrol("web-3")
    hall.enrolment.note_contacts({agent: clock()}, {})
    web = hall.team_reports.teams(SYSTEM)[-1].agents
    assert [(who.name, who.is_online) for who in web if who.is_online] == [("web-3", True)]
    clock.turn(timedelta(minutes=5))
    assert not any(who.is_online for who in hall.team_reports.teams(SYSTEM)[-1].agents)
