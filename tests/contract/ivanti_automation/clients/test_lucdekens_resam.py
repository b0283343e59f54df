"""The module lucdekens/RESAM (``RESAM.psm1``, 14 cmdlets): what each asks, and what it does with the answer.

All go through its ``Invoke-ResAMREST``: ``Invoke-RestMethod`` with ``-Credential`` and ``-ContentType
"application/json"``, at a GET too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from lxml import etree
from powershell import guid, xml

from real_server import dispatcher  # isort: skip

#: ``RESAM-Init.ps1``.
WHAT_TYPES = {0: "Module", 1: "Project", 2: "Runbook"}


def matching(objects: Any, pattern: str) -> list[Any]:
    """``| Where Name -match``: of an array, the objects with such a name."""
    assert isinstance(objects, list), "an array is expected, not an object around it"
    return [one for one in objects if re.search(pattern, one["Name"], re.IGNORECASE)]


def input_parameters(client: Any, what: Mapping[str, Any]) -> Any:
    """``Get-ResAMInputParameter -Raw``, which makes an enum's name of the number and puts an s to it."""
    return client.get(f"what/{WHAT_TYPES[what['Type']]}s/{what['ID']}/inputparameters")


def agents(client: Any, pattern: str = ".*", **flags: bool) -> list[Any]:
    """``Get-ResAMAgent``."""
    given = {"agents": True, "teams": True, "online": False, "licensed": False, **flags}
    query = "&".join(f"{name}={value}" for name, value in given.items())
    return matching(client.get(f"who?{query}"), pattern)


def schedule(client: Any, kind: str, what: str, who: str, start: datetime | None = None, **values: str) -> Any:
    """``New-ResAMJob -Parameter``: lists, and posts back what it was given, with other values."""
    (task,) = matching(client.get(f"what/{kind}"), what)
    container = input_parameters(client, task)
    for parameter in container["JobParameters"]:
        for name, value in values.items():
            if name.casefold() == parameter["Name"].casefold():
                parameter["Value1"] = value
    when = {
        "UseWakeOnLAN": "false",
        "ScheduledDateTime": start or datetime.now(UTC),
        "IsLocalTime": "true",
        "Immediate": "false" if start else "true",
    }
    job = {"Description": f"'{what}' <für> & mehr", "When": when, "What": [task]}
    return client.post("jobs", {**job, "Who": agents(client, f"^{who}$"), "Parameters": [container]})


def jobs(client: Any, stage: str = "All", page_size: int = 500) -> Iterator[Any]:
    """``Get-ResAMJob``: goes on until the page that it is told is beyond the last one."""
    number = 1
    while True:
        query = f"stage={stage}&runbookjobs=False&recurringjobs=False&page={number}&pagesize={page_size}"
        page = client.get(f"jobs?{query}")
        yield from page["Items"]
        if page["CurrentPage"] > page["PageCount"]:
            return
        assert page["CurrentPage"] == number, "it would ask for this page for ever"
        number = page["CurrentPage"] + 1


def flattened(nodes: list[Any]) -> Any:
    """``ConvertFrom-Xml``: an object of the children that have children, of texts and of what is there repeatedly."""
    found: dict[str, Any] = {}
    for node in nodes:
        for name in {child.tag for child in node}:
            children = [child for one in nodes for child in one.findall(name)]
            has_children = len(children) == 1 and (len(children[0]) or children[0].attrib)
            found[name] = flattened(children) if has_children else [child.text or "" for child in children]
    return found


@pytest.fixture
def done(client: Any, agent: Any) -> Any:
    """A job that has ended."""
    return client.wait_for(schedule(client, "modules", "Patch", agent["Name"])["JobID"])


def test_help_page_is_a_text_with_the_sentence(client: Any) -> None:
    """``Test-ResAM`` matches the text of the help page: it must not pass for XML, and ask for the login as all do."""
    assert re.search("service operations at this endpoint.", client.get("help"))


@pytest.mark.parametrize(
    ("kind", "number", "name"),
    [("modules", 0, "Patch"), ("projects", 1, "Prepare a computer"), ("runbooks", 2, "Order a desktop")],
)
def test_what_can_be_scheduled_is_a_bare_array(client: Any, kind: str, number: int, name: str) -> None:
    """``Get-ResAMModule``, ``Get-ResAMProject`` and ``Get-ResAMRunBook`` filter the answer itself by name."""
    (found,) = matching(client.get(f"what/{kind}"), f"^{name}|nothing$")
    assert (found["Name"], found["Type"]) == (name, number)


@pytest.mark.parametrize("kind", ["modules", "projects", "runbooks"])
def test_input_parameters_come_in_one_object(client: Any, kind: str) -> None:
    """``Get-ResAMInputParameter`` reads ``JobParameters`` of it; its address has the GUID in braces."""
    for what in client.get(f"what/{kind}"):
        container = input_parameters(client, what)
        assert isinstance(container["JobParameters"], list)
        assert container["TaskContainerGuid"] == what["ID"]
    assert b"/%7B" in client.cmdlet.sent[-1].split(b"\r\n")[0]


def test_parameters_that_no_task_uses_are_not_asked_for(client: Any) -> None:
    """``Get-ResAMInputParameter`` says so in a comment."""
    (patch,) = matching(client.get("what/modules"), "Patch")
    names = [parameter["Name"] for parameter in input_parameters(client, patch)["JobParameters"]]
    assert names == ["Ring", "Note", "Parts", "Account"]


def test_agents_and_teams_by_flags(client: Any, agent: Any) -> None:
    """``Get-ResAMAgent`` sends all four flags as True or False, and a name as ``search``."""
    assert [who["Type"] for who in agents(client, "^Dispatchers$")] == [1]
    assert [who["Name"] for who in agents(client, online=True, teams=False)] == [agent["Name"]]
    assert agents(client, agents=False, teams=False) == []
    searched = client.get("who?agents=True&teams=True&online=False&licensed=False&search=" + agent["Name"])
    assert [who["Name"] for who in searched] == [agent["Name"]]
    searched = client.get("who?agents=True&teams=True&online=False&licensed=False&search=zürich s")
    assert [who["Name"] for who in searched] == ["Zürich Süd"]


def test_job_of_what_was_listed_runs_with_the_values_given(client: Any, agent: Any) -> None:
    """``New-ResAMJob`` posts back the objects that it was given, booleans as texts, the date in its own form."""
    job = schedule(client, "modules", "Patch", agent["Name"], ring="2", Note='it\'s <b>für</b> & \\ "x"', Parts="a;c")
    guid(job["JobID"])
    assert client.wait_for(job["JobID"])["Status"]["Type"] == 4
    assert client.output_of(job["JobID"]) == '<2> <it\'s <b>für</b> & \\ "x"> <a;c> <corp\\patcher>'
    assert job["Description"] == "'Patch' <für> & mehr"


@pytest.mark.parametrize(("kind", "what", "who"), [("projects", "Prepare", ""), ("runbooks", "Order", "")])
def test_project_and_run_book_are_scheduled_alike(client: Any, agent: Any, kind: str, what: str, who: str) -> None:
    """``New-ResAMJob -Project`` and ``-RunBook``."""
    job = schedule(client, kind, what, agent["Name"], Note="neu", VMName="PC 17")
    assert client.wait_for(job["JobID"])["Status"]["Type"] == 4


def test_team_is_a_target_like_an_agent(client: Any) -> None:
    """``New-ResAMJob -Agent`` with the name of a team."""
    job = schedule(client, "modules", "Restart", "Dispatchers")
    assert client.wait_for(job["JobID"])["Status"]["Type"] == 4


def test_job_for_later_is_scheduled_for_that_moment(client: Any, agent: Any) -> None:
    """``New-ResAMJob -Immediate:$false -Start``: a date with an offset of its own."""
    zone = timezone(timedelta(hours=2))
    start = (datetime.now(zone) + timedelta(days=1)).replace(microsecond=123_000)
    job = schedule(client, "modules", "Restart", agent["Name"], start=start)
    assert job["Status"]["Type"] == 0
    assert job["When"]["ScheduledDateTime"] - start < timedelta(milliseconds=1)
    assert job["JobID"] in [one["JobID"] for one in jobs(client, "Scheduled")]
    assert job["JobID"] not in [one["JobID"] for one in jobs(client, "History")]


@pytest.mark.parametrize("page_size", [500, 1])
def test_pages_end(client: Any, done: Any, page_size: int) -> None:
    """``Get-ResAMJob`` asks for one page too many and ends only when it is told the number that it asked for."""
    assert done["JobID"] in [job["JobID"] for job in jobs(client, page_size=page_size)]


def test_jobs_of_the_last_day_are_filtered_by_their_start(client: Any, done: Any) -> None:
    """``Get-ResAMJob`` compares ``Status.StartDateTime`` with dates, and sorts by it: a text would never match."""
    now = datetime.now(UTC)
    recent = [job for job in jobs(client) if now - timedelta(days=1) <= job["Status"]["StartDateTime"] <= now]
    assert done["JobID"] in [job["JobID"] for job in recent]
    assert all(isinstance(job["Status"]["StartDateTime"], datetime) for job in jobs(client))


def test_site_and_client_share_a_zone_other_than_utc(servers: Any, client: Any, agent: Any) -> None:
    """``Get-ResAMJob`` shifts its last day by the client's offset, as the original's dates are wrong by the site's.

    Its comment: "Fix issue with JSON DateTime values that are 2x converted to UTC".
    """
    job, offset = client.wait_for(schedule(client, "modules", "Restart", agent["Name"])["JobID"]), timedelta(hours=9)
    server = servers[client.cmdlet.sent[-1].count(b"Authorization") > 0]
    dispatcher("setting", "set", "webapi.site_time_zone", "Asia/Tokyo", datastore=server.datastore)
    try:
        now = datetime.now(UTC)
        found = [
            one for one in jobs(client) if now - timedelta(days=1) <= one["Status"]["StartDateTime"] + offset <= now
        ]
        assert job["JobID"] in [one["JobID"] for one in found]
    finally:
        dispatcher("setting", "set", "webapi.site_time_zone", "UTC", datastore=server.datastore)


@pytest.mark.parametrize("spelled", ["{guid}", "{{{guid}}}"])
def test_job_by_its_id(client: Any, done: Any, spelled: str) -> None:
    """``Get-ResAMJobByID``: with the id as the service tells it, or as people type it."""
    found = client.get("jobs/" + spelled.format(guid=guid(done["JobID"])))
    assert found["Description"] == "'Patch' <für> & mehr"
    assert found["Parameters"][0]["JobParameters"][0]["Name"] == "Ring"


def test_result_is_xml_of_which_one_object_is_made(client: Any, agent: Any, done: Any) -> None:
    """``Get-ResAMJobResult``: ``Xml`` is an array of bytes, UTF-16LE without a mark; one job is in it."""
    answer = client.get(f"jobs/{done['JobID']}/results?overview=True&detailed=True")
    document = xml(bytes(answer["Xml"]))
    found = flattened(document.xpath("/masterjobresults/masterjobresult"))
    assert found["status"] == ["Completed"]
    assert found["overview"]["agent"]["name"] == [agent["Name"]]
    assert found["tasks"]["task"]["results"]["agent"]["result"]["status"] == ["Completed"]


def test_result_without_options_has_the_job_alone(client: Any, done: Any) -> None:
    """``Get-ResAMJobResult`` without switches."""
    document = xml(bytes(client.get(f"jobs/{done['JobID']}/results?overview=False&detailed=False")["Xml"]))
    assert [one.tag for one in document] == ["masterjobresult"]
    assert not document.findall("*/overview") + document.findall("*/tasks")
    assert etree.tostring(document.find("*/status"), method="text") == b"Completed"


def test_run_book_job_has_the_jobs_of_its_steps(client: Any, agent: Any) -> None:
    """``Get-ResAMRunBookJob`` with the id that ``New-ResAMJob -RunBook`` returned."""
    job = client.wait_for(schedule(client, "runbooks", "Order", agent["Name"], VMName="PC 17")["JobID"])
    found = client.get(f"runbookjobs/{job['JobID']}")
    assert found["JobID"] == job["JobID"]
    assert [(step["Description"], step["Status"]["Type"]) for step in found["Jobs"]] == [("assign", 4), ("restart", 4)]


def test_running_job_is_stopped(client: Any, agent: Any) -> None:
    """``Stop-ResAMJob`` puts the status that it was given, with ``Type`` set to 2, to a depth of two."""
    job = client.wait_for(schedule(client, "modules", "Sleep", agent["Name"])["JobID"], 1)
    job["Status"]["Type"] = 2
    client.put(f"jobs/{job['JobID']}", job["Status"])
    assert client.wait_for(job["JobID"])["Status"]["Type"] == 3


def test_job_that_has_not_begun_is_cancelled(client: Any, agent: Any) -> None:
    """``Stop-ResAMJob`` of a job for later."""
    start = datetime.now(UTC) + timedelta(days=1)
    job = schedule(client, "modules", "Restart", agent["Name"], start=start)
    client.put(f"jobs/{job['JobID']}", {**job["Status"], "Type": 2})
    assert client.get(f"jobs/{job['JobID']}")["Status"]["Type"] == 7


def test_whole_job_cut_to_a_depth_of_two_stops_it_too(client: Any, agent: Any) -> None:
    """Scripts round ``Stop-ResAMJob`` that put ``$Job | ConvertTo-Json``: what lies deeper has become text."""
    start = datetime.now(UTC) + timedelta(days=1)
    job = schedule(client, "modules", "Patch", agent["Name"], start=start)
    job["Status"]["Type"] = 2
    client.put(f"jobs/{job['JobID']}", job)
    assert b"@{" in client.cmdlet.sent[-1]
    assert client.get(f"jobs/{job['JobID']}")["Status"]["Type"] == 7


def test_usage_of_an_interval(client: Any, done: Any) -> None:
    """``Get-ResAMJobUsage`` writes ``Start`` and ``Stop`` so, and prints whatever comes back."""
    start, stop = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(minutes=1)
    found = client.get(f"report/jobusage?Start={start:%Y%m%d%H%M%S}&Stop={stop:%Y%m%d%H%M%S}")
    assert done["JobID"] in [usage["JobID"] for usage in found]


def test_teams_with_their_agents(client: Any, agent: Any) -> None:
    """``Get-ResAMTeams`` prints whatever comes back."""
    (team,) = matching(client.get("report/teams"), "Dispatchers")
    assert [one["Name"] for one in team["Agents"]] == [agent["Name"]]
