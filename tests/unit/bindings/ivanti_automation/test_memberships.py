"""Membership messages: whatever names an agent or a team is understood, and what names nothing is refused."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from dispatcher.bindings.ivanti_automation import contract
from dispatcher.bindings.ivanti_automation.memberships import to_agent_membership, to_removal, to_team_membership
from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import WhoChoice, WhoKind
from dispatcher.services.memberships import Change
from dispatcher.wire.guids import NO_GUID
from dispatcher.wire.types import new

ID = "{6AE2E5B5-D5C8-4728-A10A-12E25BD5F995}"
GUID = UUID(ID)
AGENT = new(contract.JobWho, ID=ID, Name="PC-042", Type=0)
#: Whatever its name: sent again, the message must not reach another agent that is called so.
BY_ID = WhoChoice([GUID], WhoKind.AGENT)


def team(identifier: Any) -> WhoChoice:
    return WhoChoice([identifier], WhoKind.TEAM)


def test_changes_come_in_order_then_those_who_leave_then_those_who_join() -> None:
    membership = new(
        contract.AgentMembership,
        Agent=AGENT,
        Teams=[
            new(contract.TeamChange, Action=1, ID="A", SetAsPrimary=True),
            None,
            new(contract.TeamChange, ID="B", SetAsPrimary=True),
            new(contract.TeamChange, Action=0, Name="C"),
            new(contract.TeamChange, ID=ID, Name="G"),
        ],
        AddTeams=["D"],
        RemoveTeams=[ID, "F"],
    )

    subject, changes = to_agent_membership(membership)

    assert subject == BY_ID
    assert changes == [
        Change(team("A"), "Teams[0]/ID", joins=False),
        Change(team("B"), "Teams[2]/ID", as_primary=True),
        Change(team("C"), "Teams[3]/ID"),
        Change(team(GUID), "Teams[4]/ID"),
        Change(team(GUID), "RemoveTeams[0]", joins=False),
        Change(team("F"), "RemoveTeams[1]", joins=False),
        Change(team("D"), "AddTeams[0]"),
    ]


def test_a_team_takes_agents_in_whatever_kind_its_object_says() -> None:
    membership = new(contract.TeamMembership, Team=new(contract.JobWho, Name="T"), AddAgents=["PC-042"])

    subject, changes = to_team_membership(membership)

    assert subject == team("T")
    assert changes == [Change(WhoChoice(["PC-042"], WhoKind.AGENT), "AddAgents[0]")]
    assert to_team_membership(new(contract.TeamMembership, TeamID=" T ", Agents=[])) == (team("T"), [])


@pytest.mark.parametrize(
    ("model", "to_request", "members", "problem"),
    [
        (contract.AgentMembership, to_agent_membership, {"Teams": []}, "Agent/ID: is missing"),
        (contract.AgentMembership, to_agent_membership, {"AgentID": "a"}, "membership/Teams: is missing"),
        (contract.AgentMembership, to_agent_membership, {"AgentID": "a", "AddTeams": [" "]}, "AddTeams.0.: is missing"),
        (contract.TeamMembership, to_team_membership, {"AddAgents": []}, "Team/ID: is missing"),
        (contract.TeamMembership, to_team_membership, {"TeamID": "t"}, "membership/Agents: is missing"),
        (contract.RemoveAgent, to_removal, {}, "Agent/ID: is missing"),
        (contract.RemoveAgent, to_removal, {"Agent": new(contract.JobWho)}, "Agent/ID: is missing"),
    ],
)
def test_what_is_missing_is_named(model: Any, to_request: Any, members: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidValue, match=problem):
        to_request(new(model, **members))


def test_a_change_without_a_team_is_named_by_its_place() -> None:
    membership = new(contract.AgentMembership, AgentID="a", Teams=[new(contract.TeamChange, Action=0)])
    with pytest.raises(InvalidValue, match=r"Teams\[0\]/ID: is missing"):
        to_agent_membership(membership)


@pytest.mark.parametrize("to_request", [to_agent_membership, to_team_membership, to_removal])
def test_no_message_at_all_is_refused(to_request: Any) -> None:
    # SOAP lets every argument be left out.
    with pytest.raises(InvalidValue, match=r"^(membership|removal): is missing"):
        to_request(None)


@pytest.mark.parametrize(
    ("members", "choice"),
    [
        ({"Agent": AGENT, "AgentID": ID.lower(), "Name": "other"}, BY_ID),
        ({"AgentID": ID}, BY_ID),
        ({"Agent": new(contract.JobWho), "AgentID": ID}, BY_ID),
        ({"Agent": new(contract.JobWho, ID=" "), "ID": "PC-042"}, WhoChoice(["PC-042"], WhoKind.AGENT)),
        ({"ID": NO_GUID, "Name": "PC-042"}, WhoChoice(["PC-042"], WhoKind.AGENT)),
        ({"ID": ID.lower(), "Name": "PC-042"}, BY_ID),
        ({"Name": "PC-042"}, WhoChoice(["PC-042"], WhoKind.AGENT)),
    ],
)
def test_an_agent_is_removed_by_whatever_names_it(members: dict[str, Any], choice: WhoChoice) -> None:
    assert to_removal(new(contract.RemoveAgent, **members)) == (choice, False)
    assert to_removal(new(contract.RemoveAgent, **members, RemoveJobHistory=True)).with_history


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"Agent": AGENT, "AgentID": "other"}, "Agent/ID: several agents are given"),
        ({"AgentID": "a", "ID": "b"}, "Agent/ID: several agents are given"),
        ({"Agent": new(contract.JobWho, Name="a"), "Name": "b"}, "Agent/ID: several agents are given"),
        ({"Agent": new(contract.JobWho, Name="a", Type=1)}, "Agent/Type: is a team"),
    ],
)
def test_what_does_not_name_one_agent_is_not_removed(members: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidValue, match=problem):
        to_removal(new(contract.RemoveAgent, **members))


def test_memberships_of_several_are_refused() -> None:
    with pytest.raises(InvalidValue, match="Agent/ID: several agents are given"):
        to_agent_membership(new(contract.AgentMembership, Agent=AGENT, AgentID="other", AddTeams=["T"]))
    empty = new(contract.JobWho)
    assert to_team_membership(new(contract.TeamMembership, Team=empty, TeamID="T", Agents=[])) == (team("T"), [])
