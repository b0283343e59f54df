"""Limits: how much one message may say, and how much one answer shows; what is beyond is told, or is on a next page."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cheap_passwords import cheap_passwords
from ies_world import DEPLOYMENT, JOB, URL, Client

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.logins import Logins

Stored = Callable[[], dict[str, int]]
#: What needs an order to be shown, and what does not.
HEAD = "$select=Id,Name,JobType,StartTime,Status,CreatedBy,StatusDetail"


def problems(ies: Client, path: str, model: Any) -> list[tuple[str, str]]:
    answer = ies.post(path, model)
    assert answer.status_code == 400, answer.text
    return [(one["target"], one["message"]) for one in answer.json()["error"]["details"]]


@pytest.mark.parametrize(
    ("path", "model", "lists"),
    [("Jobs", JOB, "DiscoveryTargets.SingleIpTargets"), ("DeploymentGroups", DEPLOYMENT, "AgentGuids")],
)
def test_what_is_wrong_in_a_long_list_is_its_length_alone(
    ies: Client, stored: Stored, path: str, model: dict[str, Any], lists: str
) -> None:
    before = stored()
    inner: Any = [1] * 10_001
    *outside, last = lists.split(".")
    changed = {**model, outside[0]: {last: inner}} if outside else {**model, last: inner}
    assert problems(ies, path, changed) == [(lists, "may have at most 10000 entries")]
    assert stored() == before


def test_a_message_has_so_many_members_at_most(ies: Client) -> None:
    text = '{Name: "x", Nobody: [' + "1," * 200_000 + "]}"
    ((target, told),) = problems(ies, "Jobs", text)
    assert (target, told.partition(": ")[2]) == (
        "value",
        "it exceeds the quota: members and elements, at most 200000",
    )
    answer = ies.call("POST", "Jobs", b'{"other": [' + b"1," * 200_000 + b"1]}")
    assert (answer.status_code, "members and elements" in answer.text) == (400, True)


@pytest.mark.parametrize("members", ['"Username": [' + "1," * 200_000 + "1]", '"Username": 1,' * 200_001 + '"a": 1'])
def test_nobody_makes_a_log_in_long(ies: Client, members: str) -> None:
    answer = ies.session.post(f"{URL}/Authentication/Login", data=f"{{{members}}}".encode())
    assert (answer.status_code, "members and elements, at most 200000" in answer.text) == (400, True)


def test_of_a_log_in_the_last_of_two_names_counts(ies: Client, datastore: Datastore, ports: Ports) -> None:
    Logins(datastore, ports, cheap_passwords()).add("ops", "pw", caller=SYSTEM)
    for names in ('"Username": "x", "Username": "ops"', '"Username": "x", "username": "y", "Username": "ops"'):
        answer = ies.session.post(f"{URL}/Authentication/Login", data=f'{{{names}, "Password": "pw"}}'.encode())
        assert (answer.status_code, [*answer.json()]) == (200, ["Jwt"]), answer.text


def test_texts_have_so_many_characters(ies: Client) -> None:
    assert problems(ies, "Jobs", {**JOB, "Name": "x" * 256}) == [("Name", "may have at most 255 characters")]
    assert ies.made("Jobs", {**JOB, "Name": f" {'x' * 255} "})["Name"] == "x" * 255


def test_lists_go_on_where_one_answer_has_enough_targets(ies: Client) -> None:
    many = {"SingleIpTargets": [{"Ip": "127.0.0.4"}] * 9_000}
    made = [ies.made("Jobs", {**JOB, "DiscoveryTargets": many})["Id"] for _ in range(3)]
    shown = ies.got("Jobs?$count=true&$orderby=Id desc&$top=50&$filter=Name eq 'lab sweep'")
    assert ([one["Id"] for one in shown["value"]], shown["@odata.count"]) == (made[:0:-1], 3)
    assert shown["@odata.nextLink"] == (
        f"{URL}/Jobs?$filter=Name%20eq%20%27lab%20sweep%27&$orderby=Id%20desc&$top=48&$skip=2&$count=true"
    )
    rest = ies.got(shown["@odata.nextLink"].removeprefix(f"{URL}/"))
    assert [one["Id"] for one in rest["value"]] == made[:1]
    assert len(json.dumps(rest)) > 9_000
    heads = ies.got(f"Jobs?{HEAD}")
    assert "@odata.nextLink" not in {*rest, *heads}
    assert [one["Id"] for one in heads["value"]] == made


@pytest.mark.parametrize(("path", "model"), [("Jobs", JOB), ("DeploymentGroups", DEPLOYMENT)])
def test_what_is_shown_without_orders_is_what_is_shown_with_them(ies: Client, path: str, model: dict[str, Any]) -> None:
    ies.made(path, {**model, "Name": "one"})
    select = HEAD if path == "Jobs" else HEAD.replace("JobType,", "")
    [whole], [head] = ies.got(path)["value"], ies.got(f"{path}?{select}")["value"]
    assert head == {name: value for name, value in whole.items() if name in select}
    assert len(head) == len(select.split(","))
