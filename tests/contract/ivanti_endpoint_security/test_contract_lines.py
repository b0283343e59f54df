"""Lines of the contract that no sample of the vendor shows: its own samples (1.6), what is refused how, and sorting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ies_world import AGENT, DEPLOYMENT, GROUP, JOB, Client

from dispatcher.core.jobs import WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.services.hall import Hall

SAMPLES = [
    b'{"value":"{ Name: \\"lab sweep\\", JobType: 2, StartTime: \\"2031-05-01T06:00:00.000Z\\", Modules: {AV: true,},\n'
    b"  DiscoveryOptions: {IcmpDiscovery: true}, DiscoveryTargets: "
    b'{ SingleIpTargets: [{Ip: \\"10.9.0.4\\", Retry: 5}], }, }"}',
    b'{"value":"{ CustomPatchListId : 4, GroupIds: [2001], StartTime: \\"2031-05-02T01:00:00Z\\", Notify: {},'
    b' Reboot: {RebootWithin: 15} }"}',
]
MORE = """
projects:
  - {name: Four, modules: [{module: Patch one}], aliases: {ivanti_endpoint_security: {patch_list: '4'}}}
  - {name: Off, enabled: false, modules: [{module: Patch one}],
     aliases: {ivanti_endpoint_security: {patch_list: '5'}}}
teams: [{name: Empty, aliases: {ivanti_endpoint_security: {group: '2001'}}}]
agents: [{name: gone, id: 9e317d51-07ac-4c17-8a1f-3111d385bc7f}]
"""
GONE = "9e317d51-07ac-4c17-8a1f-3111d385bc7f"


@pytest.fixture
def more(ies: Client, load_library: Callable[[str], None]) -> None:
    load_library(MORE)


def test_the_samples_of_the_contract(ies: Client, more: None) -> None:
    job = ies.call("POST", "Jobs", SAMPLES[0]).json()
    assert [name for name, value in job["Modules"].items() if value] == ["AV"]
    assert [name for name, value in job["DiscoveryOptions"].items() if value] == ["IcmpDiscovery"]
    assert job["DiscoveryTargets"]["SingleIpTargets"] == [{"Ip": "10.9.0.4", "Timeout": 3000, "Retry": 5}]
    assert job["Status"] == "Scheduled"
    deployment = ies.call("POST", "DeploymentGroups", SAMPLES[1]).json()
    assert (deployment["CustomPatchListId"], deployment["GroupIds"], deployment["AgentGuids"]) == (4, [2001], [])
    notify, reboot = deployment["Notify"], deployment["Reboot"]
    assert (notify.pop("DeployWithin"), reboot.pop("RebootWithin")) == (60, 15)
    assert notify == reboot
    assert {name for name, value in notify.items() if value is True} == {
        "AllowSnooze",
        "NotificationOnTop",
        "UseAgentPolicy_AllowSnooze",
        "UseAgentPolicy_NotificationOnTop",
    }


def test_what_is_disabled_or_gone_is_named(ies: Client, more: None, hall: Hall) -> None:
    hall.removals.remove(WhoChoice(["gone"], WhoKind.AGENT), False, SYSTEM)
    for change, told in (
        ({"CustomPatchListId": 5}, "CustomPatchListId: the custom patch list 5 is disabled"),
        ({"AgentGuids": [AGENT, GONE]}, f"AgentGuids: there is no agent {GONE}"),
        ({"GroupIds": [7, GROUP, 8]}, "GroupIds: there is no group 7, 8"),
    ):
        answer = ies.post("DeploymentGroups", {**DEPLOYMENT, **change})
        assert (answer.status_code, answer.json()["error"]["message"]) == (400, told)
    for path in ("CustomPatchLists(5)", f"Endpoints({GONE})"):
        assert ies.call("GET", path).status_code == 404


def test_a_deployment_to_a_group_without_members_is_skipped(ies: Client, more: None) -> None:
    past = {**DEPLOYMENT, "GroupIds": [2001], "StartTime": "2022-01-01"}
    shown = ies.made("DeploymentGroups", past)
    assert (shown["Status"], shown["StatusDetail"]) == ("Skipped", "no agent: Empty has no members")


def test_jobs_are_sorted_by_what_is_shown(ies: Client) -> None:
    for name, start in (("b", "2031-01-01"), ("C", "2020-01-01"), ("a", "2031-01-01")):
        ies.made("Jobs", {**JOB, "Name": name, "StartTime": start})
    sorted_by: dict[str, list[Any]] = {
        word: [one["Name"] for one in ies.got(f"Jobs?$orderby={word}")["value"]]
        for word in ("Name", "Name desc", "Status", "Status desc")
    }
    assert sorted_by == {
        "Name": ["a", "b", "C"],
        "Name desc": ["C", "b", "a"],
        "Status": ["C", "b", "a"],  # In Progress, Scheduled
        "Status desc": ["b", "a", "C"],
    }
