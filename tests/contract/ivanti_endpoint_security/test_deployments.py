"""Deployments and custom patch lists: the vendor's samples and examples in both quoting styles, and contract 1.8."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import ies_seed as seed
import pytest
from ies_world import AGENT, DEPLOYMENT, GROUP, START, Client, as_dumped, as_written

Stored = Callable[[], dict[str, int]]
WAYS = pytest.mark.parametrize("wrap", [as_dumped, as_written], ids=["dumped", "written"])
MESSAGE = (
    "The download and installation of the patch: {Package Name} is ready to begin. If you require any additional "
    "information, please contact your Ivanti Endpoint Security administrator."
)
#: What a notice has where nothing is said (seed, Notify; contract 1.9).
DEFAULTS: dict[str, Any] = {
    "Message": MESSAGE,
    **seed.NOTICE,
}
NOBODY = "00000000-0000-4000-8000-000000000001"


def notice(within: str, changes: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if changes is None else {**DEFAULTS, within: 60, **changes}


def created(ies: Client, body: bytes) -> dict[str, Any]:
    answer = ies.call("POST", "DeploymentGroups", body)
    assert answer.status_code == 201, answer.text
    shown = dict(answer.json())
    assert answer.headers["Location"].endswith(f"/api/v2/DeploymentGroups({shown['Id']})")
    again = ies.got(f"DeploymentGroups({shown['Id']})")
    results = again.pop("Results")
    assert again == {name: value for name, value in shown.items() if name != "Results"}
    # It is for the group and for its only member, which is deployed to once.
    assert [one["AgentGuid"] for one in results] in ([], [AGENT])
    return shown


@WAYS
def test_the_sample(ies: Client, wrap: Callable[[str], bytes]) -> None:
    shown = created(ies, wrap(seed.DEPLOYMENT))
    assert shown["Notify"] == notice("DeployWithin", {"Message": "Notification options"})
    assert shown["Reboot"] == notice("RebootWithin", {"Message": "Reboot options"})
    assert (shown["CustomPatchListId"], shown["AgentGuids"], shown["GroupIds"]) == (1, [AGENT], [GROUP])
    assert shown["StartTime"].startswith("2023-01-06T11:35:02.007")
    assert (shown["Name"], shown["Status"]) == ("Deployment of March patches", "In Progress")


@WAYS
@pytest.mark.parametrize(("text", "notify", "reboot"), seed.DEPLOYMENTS, ids=["none", "Notify", "both"])
def test_the_examples(
    ies: Client,
    wrap: Callable[[str], bytes],
    text: str,
    notify: dict[str, Any] | None,
    reboot: dict[str, Any] | None,
) -> None:
    shown = created(ies, wrap(text))
    assert shown["Notify"] == notice("DeployWithin", notify)
    assert shown["Reboot"] == notice("RebootWithin", reboot)


def test_empty_notices_have_the_defaults_and_null_ones_are_none(ies: Client) -> None:
    # Contract 1.6 and 1.8.
    shown = ies.made("DeploymentGroups", {**DEPLOYMENT, "Notify": {}, "Reboot": {"RebootWithin": 15}})
    assert (shown["Notify"], shown["Reboot"]) == (
        notice("DeployWithin", {}),
        notice("RebootWithin", {"RebootWithin": 15}),
    )
    assert shown["Status"] == "Scheduled"
    shown = ies.made("DeploymentGroups", {**DEPLOYMENT, "Notify": None, "Reboot": None})
    assert (shown["Notify"], shown["Reboot"]) == (None, None)


def test_the_minutes_of_the_other_notice_are_ignored(ies: Client) -> None:
    swapped = {"Notify": {"RebootWithin": "x"}, "Reboot": {"DeployWithin": -1}}
    shown = ies.made("DeploymentGroups", {**DEPLOYMENT, **swapped})
    assert (shown["Notify"], shown["Reboot"]) == (notice("DeployWithin", {}), notice("RebootWithin", {}))


@pytest.mark.parametrize("name", ["Name", "DeploymentName", "deploymentname"])
def test_a_deployment_may_have_a_name(ies: Client, name: str) -> None:
    assert ies.made("DeploymentGroups", {**DEPLOYMENT, name: "night"})["Name"] == "night"


#: What is wrong, by what the answer says it is about.
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"CustomPatchListId": None}, "CustomPatchListId"),
    ({"CustomPatchListId": "x"}, "CustomPatchListId"),
    ({"CustomPatchListId": 99}, "CustomPatchListId"),
    ({"CustomPatchListId": 10**40}, "CustomPatchListId"),
    ({"StartTime": None}, "StartTime"),
    ({"StartTime": "never"}, "StartTime"),
    ({"GroupIds": [77]}, "GroupIds"),
    ({"GroupIds": [10**40]}, "GroupIds[0]"),
    ({"AgentGuids": ["x"]}, "AgentGuids[0]"),
    ({"Notify": {"DeployWithin": -1}}, "Notify.DeployWithin"),
    ({"Reboot": {"RebootWithin": "soon"}}, "Reboot.RebootWithin"),
    ({"Notify": {"AllowCancel": "x"}}, "Notify.AllowCancel"),
    ({"Notify": []}, "Notify"),
]


@pytest.mark.parametrize(("change", "about"), WRONG, ids=lambda one: json.dumps(one)[:60])
def test_what_is_wrong_is_refused_by_name(ies: Client, stored: Stored, change: dict[str, Any], about: str) -> None:
    before = stored()
    answer = ies.post("DeploymentGroups", {**DEPLOYMENT, **change})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["code"] == "BadRequest"
    assert about in {one["target"] for one in error["details"]}
    assert stored() == before


def test_what_nobody_knows_is_named(ies: Client, stored: Stored) -> None:
    before = stored()
    for change, named in (
        ({"CustomPatchListId": 99}, "99"),
        ({"GroupIds": [GROUP, 77]}, "77"),
        ({"AgentGuids": [AGENT, NOBODY]}, NOBODY),
    ):
        answer = ies.post("DeploymentGroups", {**DEPLOYMENT, **change})
        assert answer.status_code == 400
        assert named in answer.json()["error"]["message"]
    assert stored() == before


@pytest.mark.parametrize(
    "nobody", [{}, {"AgentGuids": [], "GroupIds": []}, {"AgentGuids": None, "GroupIds": None}, {"GroupIds": []}]
)
def test_a_deployment_is_for_somebody(ies: Client, stored: Stored, nobody: dict[str, Any]) -> None:
    before = stored()
    answer = ies.post("DeploymentGroups", {"CustomPatchListId": 1, "StartTime": START, **nobody})
    assert (answer.status_code, stored()) == (400, before)
    told = {"target": "GroupIds", "message": "must not be empty unless there are AgentGuids"}
    assert answer.json()["error"]["details"] == [told]


def test_a_key_makes_one_deployment(ies: Client, stored: Stored) -> None:
    key = {"Idempotency-Key": "k1"}
    first = ies.made("DeploymentGroups", DEPLOYMENT, **key)
    after = stored()
    assert ies.made("DeploymentGroups", DEPLOYMENT, **key)["Id"] == first["Id"]
    assert stored() == after


def test_a_custom_patch_list_is_made_and_deployed(ies: Client) -> None:
    patches = [
        {"Name": "hello", "Command": "echo hello", "Reboot": "NEVER", "Platforms": ["linux"]},
        {"name": "curl", "package": "curl"},
    ]
    answer = ies.post("CustomPatchLists", {"Name": "April", "Patches": patches})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert answer.headers["Location"].endswith(f"/api/v2/CustomPatchLists({made['Id']})")
    assert (made["Name"], made["Patches"]) == ("April", ["hello", "curl"])
    assert ies.got(f"CustomPatchLists({made['Id']})") == made
    shown = ies.made("DeploymentGroups", {**DEPLOYMENT, "CustomPatchListId": made["Id"]})
    assert shown["Name"] == "Deployment of April"


@pytest.mark.parametrize(
    "wrong",
    [
        {"Name": "a"},
        {"Name": "a", "Patches": []},
        {"Name": "", "Patches": [{"Name": "x", "Package": "curl"}]},
        {"Name": "a", "Patches": [{"Name": ""}]},
        {"Name": "a", "Patches": [{"Name": "x", "Package": "curl", "Reboot": "maybe"}]},
    ],
)
def test_a_wrong_patch_list_leaves_nothing(ies: Client, stored: Stored, wrong: dict[str, Any]) -> None:
    before = stored()
    answer = ies.post("CustomPatchLists", wrong)
    assert (answer.status_code, answer.json()["error"]["code"], stored()) == (400, "BadRequest", before)


@pytest.mark.parametrize("ways", [{}, {"Package": "curl", "Command": "true"}, {"Package": "", "Command": " "}])
def test_a_patch_is_a_package_or_a_command(ies: Client, ways: dict[str, str]) -> None:
    answer = ies.post("CustomPatchLists", {"Name": "a", "Patches": [{"Name": "x", **ways}]})
    told = {"target": "Patches[0]", "message": "either Package or Command is needed, and not both"}
    assert (answer.status_code, answer.json()["error"]["details"]) == (400, [told])
