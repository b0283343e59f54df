"""The module ITMicaH/RES-AM-Module (``RESAM/RESAM.psm1``): its three cmdlets that use the Web API; the rest reads SQL.

What it knows from SQL are bare GUIDs; it writes them in upper case and braces into bodies, and bare into addresses. All
go through its ``Invoke-RESAMRestMethod``. With it the script ITMicaH/MDT ``Run-RESAMJob.ps1``, which schedules by it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from powershell import NotConverted, guid, xml

PATCH = UUID("5cf59e5a-343c-4d85-a83c-8b18e4731040")
RESTART = UUID("5cf59e5a-343c-4d85-a83c-8b18e4731041")
SLEEP = UUID("5cf59e5a-343c-4d85-a83c-8b18e4731042")
PREPARE = UUID("5cf59e5a-343c-4d85-a83c-8b18e47310aa")
ORDER = UUID("0a8b2c4d-0000-4000-8000-00000000b00c")
NIGHTLY = UUID("0a8b2c4d-0000-4000-8000-00000000b00d")
DISPATCHERS = UUID("6ae2e5b5-d5c8-4728-a10a-12e25bd5f9aa")
#: The last part of the type names in ``RESAM.Types.ps1xml``, in the order of their numbers.
TYPES = ("Module", "Project", "RunBook")


def braced(value: UUID | str) -> str:
    return f"{{{UUID(str(value))}}}".upper()


def input_parameters(client: Any, kind: int, what: UUID) -> Any:
    """``Get-RESAMInputParameter -Raw -ErrorAction SilentlyContinue``: nothing at all if there is an error."""
    answer = client.send("GET", f"what/{TYPES[kind]}s/{what}/inputparameters")
    return client.get(f"what/{TYPES[kind]}s/{what}/inputparameters") if answer.status == 200 else None


def new_job(client: Any, kind: int, what: UUID, who: Any, start: datetime | None = None, **values: str) -> Any:
    """``New-RESAMJob -Parameters``: checks values against ``Value2``, and posts; ``[null]`` without parameters."""
    container = input_parameters(client, kind, what)
    for parameter in container["JobParameters"] if container else ():
        if value := values.get(parameter["Name"]):
            # Its -contains knows no upper and lower case.
            allowed = parameter["Value2"].lower().split(";") if parameter["Value2"] else None
            if allowed is not None and not set(value.lower().split(";")) <= set(allowed):
                raise ValueError(f"only {parameter['Value2']} are allowed")
            parameter["Value1"] = value
    job = {
        "Description": "Computer (initiated by MDT)",
        "When": {
            "UseWakeOnLAN": "false",
            "ScheduledDateTime": start or datetime.now(UTC),
            "IsLocalTime": "true",
            "Immediate": "false" if start else "true",
        },
        "What": [{"ID": braced(what), "Type": kind, "Name": "as SQL tells it"}],
        "Who": who,
        "Parameters": [container],
    }
    return client.post("jobs", job)


@pytest.fixture
def targets(agent: Any) -> list[dict[str, Any]]:
    """What it makes of an agent."""
    return [{"ID": braced(guid(agent["ID"])), "Type": 0, "Name": agent["Name"]}]


@pytest.mark.parametrize(("kind", "what"), [(0, PATCH), (1, PREPARE), (2, ORDER)])
def test_input_parameters_by_a_bare_guid(client: Any, kind: int, what: UUID) -> None:
    """``Get-RESAMInputParameter``: ``Modules``, ``Projects`` and ``RunBooks`` spelled so, the GUID as SQL has it."""
    container = client.get(f"what/{TYPES[kind]}s/{what}/inputparameters")
    assert (container["TaskContainerGuid"], container["Type"]) == (braced(what), kind)


def test_what_has_no_input_parameters(client: Any) -> None:
    """``Get-RESAMInputParameter`` then expects an error, which it hides, or nothing to go through."""
    assert input_parameters(client, 0, RESTART)["JobParameters"] == []
    assert input_parameters(client, 0, UUID(int=1)) is None


def test_only_lists_tell_what_is_allowed(client: Any) -> None:
    """``New-RESAMJob`` refuses a value that is not in ``Value2``: there must be none for texts and credentials."""
    parameters = {one["Name"]: one for one in input_parameters(client, 0, PATCH)["JobParameters"]}
    assert {name: one["Value2"] for name, one in parameters.items()} == {
        "Ring": "1;2;3",
        "Note": "",
        "Parts": "a;b;c",
        "Account": "",
    }


@pytest.mark.parametrize("values", [{"Ring": "3", "Note": "Über 'alles'", "Parts": "b;c"}, {"Parts": "B"}])
def test_job_runs_with_the_values_given(client: Any, targets: Any, values: dict[str, str]) -> None:
    """``New-RESAMJob -Module -Parameters``; ``Get-RESAMMasterJob`` is then asked for ``JobID`` as a GUID."""
    job = new_job(client, 0, PATCH, targets, **values)
    assert guid(job["JobID"])
    assert client.wait_for(job["JobID"])["Status"]["Type"] == 4
    given = {"Ring": "1", "Note": "nothing", "Parts": "a;b", **values}
    given["Parts"] = given["Parts"].lower()
    assert client.output_of(job["JobID"]) == f"<{given['Ring']}> <{given['Note']}> <{given['Parts']}> <corp\\patcher>"


@pytest.mark.parametrize(("kind", "what"), [(0, RESTART), (1, PREPARE), (2, ORDER)])
def test_module_project_or_run_book_for_the_computer_itself(client: Any, targets: Any, kind: int, what: UUID) -> None:
    """``Run-RESAMJob.ps1`` of ITMicaH/MDT: schedules for the agent of the computer that is installed."""
    job = new_job(client, kind, what, targets)
    assert job["Description"] == "Computer (initiated by MDT)"
    assert client.wait_for(job["JobID"])["Status"]["Type"] == 4


def test_parameters_that_are_null(client: Any, targets: Any) -> None:
    """``New-RESAMJob`` sends ``[null]`` as ``Parameters`` if it could read none."""
    job = {"Description": "none", "When": {"Immediate": "true", "ScheduledDateTime": datetime.now(UTC)}}
    what = [{"ID": braced(PATCH), "Type": 0, "Name": "Patch"}]
    answer = client.post("jobs", {**job, "What": what, "Who": targets, "Parameters": [None]})
    assert b"null" in client.cmdlet.sent[-1]
    client.wait_for(answer["JobID"])
    assert client.output_of(answer["JobID"]) == "<1> <nothing> <a;b> <corp\\patcher>"


def test_run_book_that_names_its_targets_needs_no_other(client: Any) -> None:
    """``New-RESAMJob -RunBook`` without ``-Who``: the array of targets is empty."""
    job = new_job(client, 2, NIGHTLY, [])
    assert client.wait_for(job["JobID"])["Status"]["Type"] == 4


def test_agents_and_teams_at_once(client: Any, targets: Any) -> None:
    """``New-RESAMJob`` with several targets in its pipeline."""
    job = new_job(client, 0, RESTART, [*targets, {"ID": braced(DISPATCHERS), "Type": 1, "Name": "Dispatchers"}])
    assert [who["Type"] for who in job["Who"]] == [0, 1]
    assert client.wait_for(job["JobID"])["Status"]["Type"] == 4


def test_job_for_later(client: Any, targets: Any) -> None:
    """``New-RESAMJob -Start``: then ``Immediate`` is the text false."""
    start = datetime.now(UTC) + timedelta(days=1)
    job = new_job(client, 0, RESTART, targets, start=start)
    assert (job["When"]["Immediate"], job["Status"]["Type"]) == (False, 0)


def test_invoker_is_a_number(client: Any, targets: Any) -> None:
    """``New-RESAMJob`` compares ``Status.JobInvoker`` with a name, which would mean the job of a run book's step."""
    assert new_job(client, 0, RESTART, targets)["Status"]["JobInvoker"] == 1


@pytest.mark.parametrize(
    ("query", "block"), [("overview=True&detailed=False", "overview"), ("overview=False&detailed=True", "tasks")]
)
def test_result_of_a_job(client: Any, targets: Any, query: str, block: str) -> None:
    """``Get-RESAMJobResult``: casts the id to a GUID, and takes ``masterjobresults.masterjobresult`` of the XML."""
    job = client.wait_for(new_job(client, 0, RESTART, targets)["JobID"])
    answer = client.get(f"jobs/{guid(job['JobID'])}/results?{query}")
    (result,) = xml(bytes(answer["Xml"])).xpath("/masterjobresults/masterjobresult")
    assert result.findtext("status") == "Completed"
    assert [one for one in ("overview", "tasks") if result.find(one) is not None] == [block]


def test_result_of_a_job_that_still_runs(client: Any, targets: Any) -> None:
    """``Get-RESAMJobResult`` asks whenever its user does."""
    job = client.wait_for(new_job(client, 0, SLEEP, targets)["JobID"], 1)
    answer = client.get(f"jobs/{guid(job['JobID'])}/results?overview=True&detailed=True")
    assert xml(bytes(answer["Xml"])).findtext("masterjobresult/status") == "Active"
    client.put(f"jobs/{job['JobID']}", {**job["Status"], "Type": 2})
    client.wait_for(job["JobID"])


def test_stand_in_for_the_casts_is_strict() -> None:
    """What the tests here lean on: PowerShell's casts refuse what is no GUID, and XML with a byte order mark."""
    with pytest.raises(NotConverted):
        guid("{5CF59E5A}")
    with pytest.raises(NotConverted):
        xml("\ufeff<masterjobresults/>".encode("utf-16-le"))
