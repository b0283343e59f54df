"""Jobs: every sample and example of the vendor's page, in both quoting styles, and every row of contract 1.8."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import ies_seed as seed
import pytest
from ies_world import AGENT, JOB, START, Client, as_dumped, as_written

from dispatcher.services.hall import Hall

Stored = Callable[[], dict[str, int]]
WAYS = pytest.mark.parametrize("wrap", [as_dumped, as_written], ids=["dumped", "written"])
#: A whole model around a part of one.
WHOLE = '{Name: "part", JobType: 2, StartTime: "2031-05-01T06:00:00.000Z", %s}'
LISTS = ("SingleIpTargets", "RangeIpTargets", "ComputerNameTargets", "ActiveDirectoryTargets")
OPTIONS = (
    "PortScanDiscovery",
    "IcmpDiscovery",
    "ResolveDnsName",
    "ResolveMacAddress",
    "ResolveNetbiosName",
    "SnmpDiscovery",
    "VerifyWithPing",
    "WindowsDiscovery",
)


def created(ies: Client, body: bytes) -> dict[str, Any]:
    answer = ies.call("POST", "Jobs", body)
    assert answer.status_code == 201, answer.text
    shown = dict(answer.json())
    assert ies.got(f"Jobs({shown['Id']})") == shown
    return shown


def targets(shown: dict[str, Any]) -> list[tuple[Any, ...]]:
    found = [one for name in LISTS for one in shown["DiscoveryTargets"][name]]
    return [(one.get("Ip") or one["ComputerName"], one["Timeout"], one["Retry"]) for one in found]


@pytest.mark.parametrize(
    "body",
    [seed.STRINGIFIED_BODY, seed.STRINGIFIED_BODY.replace(b"\n", b"\r\n"), as_dumped(seed.STRINGIFIED)],
    ids=["as shown", "as shown with CRLF", "dumped"],
)
def test_the_stringified_sample(ies: Client, hall: Hall, body: bytes) -> None:
    shown = created(ies, body)
    assert shown["DiscoveryTargets"]["RangeIpTargets"] == [
        {"StartIp": "192.168.19.100", "EndIp": "192.168.19.200", "Timeout": 3000, "Retry": 3}
    ]
    assert (shown["Name"], shown["JobType"], shown["Status"]) == ("Test", 1, "In Progress")  # its time has gone by
    assert shown["DiscoveryOptions"] == dict.fromkeys(OPTIONS, True)
    assert (shown["Credentials"], shown["OverwriteExistingAgents"]) == (None, False)
    assert shown["Modules"] == dict.fromkeys(("AC", "AV", "DC", "PR"), False)
    assert shown["Results"] == []


@WAYS
def test_the_sample_of_a_job(ies: Client, wrap: Callable[[str], bytes]) -> None:
    answer = ies.call("POST", "Jobs", wrap(seed.JOB))
    assert answer.status_code == 201
    shown = answer.json()
    assert answer.headers["Location"].endswith(f"/api/v2/Jobs({shown['Id']})")
    assert shown["@odata.context"] == "https://ies.example.com:43470/api/v2/$metadata#Jobs/$entity"
    assert (shown["Name"], shown["Credentials"]) == ("<JobName>", {"Username": "<WindowsUserName>"})
    assert [len(shown["DiscoveryTargets"][name]) for name in LISTS] == [1, 1, 1, 1]
    assert "Password" not in answer.text


@WAYS
@pytest.mark.parametrize(("part", "installed"), seed.MODULES, ids=["AV", "AC and PR", "all"])
def test_the_examples_of_modules(ies: Client, wrap: Callable[[str], bytes], part: str, installed: list[str]) -> None:
    shown = created(ies, wrap(WHOLE % f"{part}, {seed.TARGETS[0][0]}"))
    assert [name for name, value in shown["Modules"].items() if value] == installed


@WAYS
@pytest.mark.parametrize(("part", "chosen"), seed.OPTIONS, ids=["ICMP", "no ports", "none"])
def test_the_examples_of_options(ies: Client, wrap: Callable[[str], bytes], part: str, chosen: list[str]) -> None:
    shown = created(ies, wrap(WHOLE % f"{part}, {seed.TARGETS[0][0]}"))
    assert [name for name, value in shown["DiscoveryOptions"].items() if value] == chosen


@WAYS
@pytest.mark.parametrize(("part", "expected"), seed.TARGETS, ids=["address", "name", "both", "twice"])
def test_the_examples_of_targets(
    ies: Client, wrap: Callable[[str], bytes], part: str, expected: list[tuple[Any, ...]]
) -> None:
    assert targets(created(ies, wrap(WHOLE % part))) == expected


@WAYS
@pytest.mark.parametrize("part", seed.NO_TARGETS, ids=["no kind", "empty lists"])
def test_the_invalid_examples(ies: Client, stored: Stored, wrap: Callable[[str], bytes], part: str) -> None:
    before = stored()
    answer = ies.call("POST", "Jobs", wrap(WHOLE % part))
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["message"]) == ("BadRequest", "DiscoveryTargets: at least one target is required")
    assert error["details"] == [{"target": "DiscoveryTargets", "message": "at least one target is required"}]
    assert stored() == before


#: What is wrong, by what the answer says it is about; contract 1.3 and 1.8.
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"DiscoveryTargets": None}, "DiscoveryTargets"),
    ({"Name": None}, "Name"),
    ({"Name": " "}, "Name"),
    ({"JobType": None}, "JobType"),
    ({"JobType": 0}, "JobType"),
    ({"JobType": 4}, "JobType"),
    ({"JobType": "x"}, "JobType"),
    ({"JobType": 1.5}, "JobType"),
    ({"JobType": 10**40}, "JobType"),
    ({"StartTime": None}, "StartTime"),
    ({"StartTime": "soon"}, "StartTime"),
    ({"StartTime": 5}, "StartTime"),
    ({"StartTime": "0001-01-01T00:00:00+14:00"}, "StartTime"),
    ({"OverwriteExistingAgents": "perhaps"}, "OverwriteExistingAgents"),
    ({"DiscoveryOptions": []}, "DiscoveryOptions"),
    ({"DiscoveryOptions": {"IcmpDiscovery": 7}}, "DiscoveryOptions.IcmpDiscovery"),
    ({"JobType": 2, "Modules": {"AV": "x"}}, "Modules.AV"),
    ({"Agent": "nobody"}, "Agent"),
]
#: Targets that are none.
WRONG_TARGETS: list[tuple[str, dict[str, Any]]] = [
    ("SingleIpTargets", {}),
    ("SingleIpTargets", {"Ip": "127.0.0.256"}),
    ("SingleIpTargets", {"Ip": "127.0.0.1", "Timeout": -1}),
    ("SingleIpTargets", {"Ip": "127.0.0.1", "Timeout": "slow"}),
    ("SingleIpTargets", {"Ip": "127.0.0.1", "Retry": -1}),
    ("SingleIpTargets", {"Ip": "127.0.0.1", "Retry": "x"}),
    ("RangeIpTargets", {"StartIp": "127.0.0.2", "EndIp": "127.0.0.1"}),
    ("RangeIpTargets", {"StartIp": "127.0.0.2", "EndIp": "::1"}),
    ("RangeIpTargets", {"StartIp": "127.0.0.2"}),
    ("RangeIpTargets", {"StartIp": "fe80::1%a", "EndIp": "fe80::9%b"}),
    ("RangeIpTargets", {"StartIp": "::ffff:127.0.0.1", "EndIp": "::1:0:0:0"}),
    ("SingleIpTargets", {"Ip": "fe80::1%\x1b[31m"}),
    ("ComputerNameTargets", {"ComputerName": ""}),
    ("ActiveDirectoryTargets", {"OrganizationalUnit": "lab"}),
]


@pytest.mark.parametrize(("change", "about"), WRONG, ids=lambda one: json.dumps(one)[:60])
def test_what_is_wrong_is_refused_by_name(ies: Client, stored: Stored, change: dict[str, Any], about: str) -> None:
    before = stored()
    answer = ies.post("Jobs", {**JOB, **change})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["code"] == "BadRequest"
    if about:
        assert [one["target"] for one in error["details"]] == [about]
    assert stored() == before


@pytest.mark.parametrize("name", ["Name", "JobType", "StartTime", "DiscoveryTargets"])
def test_what_is_required_must_be_there(ies: Client, stored: Stored, name: str) -> None:
    before = stored()
    answer = ies.post("Jobs", {key: value for key, value in JOB.items() if key != name})
    assert answer.status_code == 400
    assert [one["target"] for one in answer.json()["error"]["details"]] == [name]
    assert stored() == before


@pytest.mark.parametrize(("kind", "target"), WRONG_TARGETS, ids=lambda one: json.dumps(one))
def test_wrong_targets_are_refused_by_place(ies: Client, stored: Stored, kind: str, target: dict[str, Any]) -> None:
    before = stored()
    answer = ies.post("Jobs", {**JOB, "DiscoveryTargets": {kind: [target]}})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["target"].startswith(f"DiscoveryTargets.{kind}[0]")
    assert stored() == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"value": null}',
        b'{"value": {"Name": "x"}}',
        b'{"value": ""}',
        b'{"value": "[]"}',
        b'{"value": "{Name: "}',
        b'{"value": "{Name: \\"x\\"} more"}',
    ],
)
def test_what_is_no_stringified_object_is_refused(ies: Client, stored: Stored, body: bytes) -> None:
    before = stored()
    answer = ies.call("POST", "Jobs", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")
    assert stored() == before


def test_an_error_points_into_the_text(ies: Client) -> None:
    answer = ies.call("POST", "Jobs", as_written('{\nName: "x",\nJobType; 1\n}'))
    assert answer.status_code == 400
    assert "line 3" in answer.text


def test_a_filled_list_beside_an_empty_one_is_enough(ies: Client) -> None:
    lists = {"ComputerNameTargets": [], "RangeIpTargets": None, "SingleIpTargets": [{"Ip": "::1"}]}
    assert targets(ies.made("Jobs", {**JOB, "DiscoveryTargets": lists})) == [("::1", 3000, 3)]


@pytest.mark.parametrize("job_type", ["2", " 2 ", "02", "+2"])
def test_modules_are_installed_however_the_type_is_written(ies: Client, job_type: str) -> None:
    assert ies.made("Jobs", {**JOB, "JobType": job_type, "Modules": {"AV": True}})["Modules"]["AV"]


def test_no_modules_install_none(ies: Client) -> None:
    shown = ies.made("Jobs", {**JOB, "JobType": 2, "Modules": {}})
    assert shown["Modules"] == dict.fromkeys(("AC", "AV", "DC", "PR"), False)


@pytest.mark.parametrize("job_type", [1, 3, "1", "3"])
@pytest.mark.parametrize("modules", [{"AV": True}, {"AV": "x"}, [], 7, "all"])
def test_modules_are_ignored_unless_agents_are_installed(ies: Client, job_type: object, modules: object) -> None:
    shown = ies.made("Jobs", {**JOB, "JobType": job_type, "Modules": modules})
    assert not any(shown["Modules"].values())


def test_names_count_in_any_case_and_the_last_of_two_wins(ies: Client) -> None:
    shown = ies.made(
        "Jobs",
        '{NAME: "first", name: "last", jobtype: "2", starttime: "2031-05-01T06:00:00", nobody: 1,'
        ' MODULES: {av: "true", Ac: "FALSE"}, discoverytargets: {SINGLEIPTARGETS: [{ip: "127.0.0.9", TIMEOUT: "5"}]}}',
    )
    assert (shown["Name"], shown["JobType"], shown["StartTime"][:19]) == ("last", 2, START[:19])
    assert [name for name, value in shown["Modules"].items() if value] == ["AV"]
    assert targets(shown) == [("127.0.0.9", 5, 3)]


def test_a_job_of_the_future_waits_and_one_of_the_past_runs(ies: Client, hall: Hall) -> None:
    assert ies.made("Jobs", JOB)["Status"] == "Scheduled"
    assert ies.made("Jobs", {**JOB, "StartTime": "2020-01-01"})["Status"] == "In Progress"


def test_passwords_are_kept_to_themselves(ies: Client, datastore: Any) -> None:
    directory = {"Domain": "ad.example", "Username": "reader", "Password": "canary-two"}
    shown = ies.made(
        "Jobs",
        {
            **JOB,
            "Credentials": {"Username": "root", "Password": "canary-one"},
            "DiscoveryTargets": {"ActiveDirectoryTargets": [directory]},
        },
    )
    lists = json.dumps([ies.got("Jobs"), ies.got(f"Jobs({shown['Id']})"), shown])
    assert "reader" in lists
    assert "canary" not in lists
    rows = datastore.glance('SELECT document, secrets FROM "ies_job"', ())
    assert "canary" not in str(rows)
    assert rows[0][1]


def test_a_key_makes_one_job(ies: Client, stored: Stored) -> None:
    first = ies.made("Jobs", JOB, **{"Idempotency-Key": "k1"})
    after = stored()
    assert ies.made("Jobs", JOB, **{"Idempotency-Key": "k1"})["Id"] == first["Id"]
    assert stored() == after
    assert ies.made("Jobs", JOB, **{"Idempotency-Key": "k2"})["Id"] != first["Id"]


def test_without_a_local_agent_somebody_has_to_be_named(ies: Client, hall: Hall, stored: Stored) -> None:
    hall.local_agent.found_by(lambda: None)
    before = stored()
    answer = ies.post("Jobs", JOB)
    assert (answer.status_code, stored()) == (400, before)
    assert answer.json()["error"]["details"][0]["target"] == "Agent"
    assert ies.made("Jobs", {**JOB, "Agent": "pc-1"})["Agent"] == "pc-1"
    assert ies.made("Jobs", {**JOB, "Agent": AGENT.upper()})["Status"] == "Scheduled"


@pytest.mark.parametrize("key", ["Jobs(%s)", "Jobs/%s", "jobs('%s')", "JOBS(%s)/"])
def test_keys_stand_in_parentheses_or_between_slashes(ies: Client, key: str) -> None:
    made = ies.made("Jobs", JOB)
    answer = ies.call("GET", key % made["Id"])
    assert answer.status_code == 200, answer.text
    assert answer.json()["Id"] == made["Id"]


@pytest.mark.parametrize("key", ["0", "-1", "x", "9" * 30, "99999"])
def test_nobodys_keys_are_not_found(ies: Client, key: str) -> None:
    answer = ies.call("GET", f"Jobs({key})")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NotFound")


def test_other_methods_are_refused(ies: Client) -> None:
    answer = ies.call("DELETE", "Jobs")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "MethodNotAllowed")
