"""python-opsramp, unchanged, over a socket: tokens, resources, scripts that agents really run, and their output."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from opsramp import binding
from opsramp.base import ApiObject

from real_server import Server, serving  # isort: skip

LOGIN, SECRET = "integration", "s3cret"
LIBRARY = """
teams:
  - {name: Provider, aliases: {opsramp: {tenant: msp_12}}}
  - {name: client_5, folder: Provider, rule: 'true'}
credential_sets:
  - {name: Switches, description: of the switches, user: admin, password: never shown, teams: [client_5]}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("opsramp"), library=LIBRARY, logins={LOGIN: SECRET}) as running:
        running.wait_for_agents(1, auth=(LOGIN, SECRET))
        yield running


@pytest.fixture
def api(server: Server) -> Any:
    return binding.connect(server.url, LOGIN, SECRET)


@pytest.fixture
def tenant(api: Any) -> Any:
    return api.tenant("client_5")


@pytest.fixture
def resource(tenant: Any) -> dict[str, Any]:
    (found,) = tenant.resources().minimal("queryString=agentInstalled:true")["results"]
    return found


def job_for(resource: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"entities": [{"resource": {"id": resource["id"], "type": "DEVICE"}}], **members}


def outputs_of(tenant: Any, script: int, count: int) -> list[dict[str, Any]]:
    """Return what the script wrote, once *count* runs of it have ended."""
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        found = tenant.rba().get(f"scripts/{script}/paginatedOutputs")["results"]
        if len(found) >= count:
            return found
        time.sleep(0.1)
    raise AssertionError(f"fewer than {count} outputs: {found}")


def test_wrong_secret_gets_no_token(server: Server) -> None:
    with pytest.raises(RuntimeError, match=r"401.*unauthorized.*Bad API credentials"):
        binding.connect(server.url, LOGIN, "wrong")


def test_both_addresses_give_tokens(server: Server, tenant: Any) -> None:
    body = f"grant_type=client_credentials&client_id={LOGIN}&client_secret={SECRET}"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json,application/xml"}
    for path in ("/auth/oauth/token", "/tenancy/auth/oauth/token"):
        token = ApiObject(server.url + path, headers).post(data=body)
        assert {name: type(value) for name, value in token.items()} == {
            "access_token": str,
            "token_type": str,
            "expires_in": str,
            "scope": str,
        }
        tenant.api.auth["Authorization"] = f"Bearer {token['access_token']}"
        assert len(tenant.api.get("jobs/types")["jobNameAndType"]) == 14


def test_wrong_token_is_told(server: Server, api: Any) -> None:
    api.token = "nobody"
    with pytest.raises(RuntimeError, match=r"401.*Invalid access token: nobody"):
        api.get("tenants/client_5/jobs/types")


def test_command_script_from_its_category_to_its_output(tenant: Any, resource: dict[str, Any]) -> None:
    """The way of samples/category_create.py and samples/script_create.py, and then a job."""
    category = tenant.rba().categories().create("Rock stars")
    shelf = tenant.rba().categories().category(category["id"])
    venue = shelf.mkParameter(name="venue", description="Where am I today?", datatype="STRING")
    command = shelf.mkScript(
        name="Hello <venue>",
        description="Stereotypical rock star intro",
        platforms=["LINUX"],
        execution_type="COMMAND",
        payload='echo "hello $1"',
        parameters=[venue],
    )
    script = shelf.create(command)
    assert [one["id"] for one in shelf.get()] == [script["id"]]
    assert script["parameters"][0]["type"] == "REQUIRED"

    given = [{"paramId": str(script["parameters"][0]["id"]), "value": "$(id) 'Wembley'"}]
    order = job_for(resource, script={"jobType": "custom", "customScript": {"id": script["id"]}, "parameters": given})
    job = tenant.api.post("jobs", json=order)
    (output,) = outputs_of(tenant, script["id"], 1)

    assert job["name"] == "Job - Hello <venue>"
    assert output["output"] == "hello $(id) 'Wembley'\n"
    assert output["type"] == "SCHEDULED"
    assert output["device"]["id"] == resource["id"]
    assert output["owner"] == {"loginName": LOGIN}


def test_python_script_is_run_once_more_on_demand(tenant: Any, resource: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "whatever.py"
    file.write_text("from __future__ import print_function\nimport sys\nprint('hello world', sys.argv[1:])\n")
    category = tenant.rba().categories().create("Pythons")
    shelf = tenant.rba().categories().category(category["id"])
    number = shelf.mkParameter(name="number", description="Any", datatype="INTEGER", optional=True, default="7")
    definition = shelf.mkScript(
        name="Python hello",
        description="Hello from Python land",
        platforms=["LINUX"],
        execution_type="PYTHON",
        script_name=file.name,
        payload_file=str(file),
        parameters=[number],
    )
    assert definition["attachment"]["file"] == base64.b64encode(file.read_bytes()).decode()
    script = shelf.create(definition)
    order = job_for(resource, name="Twice", script={"jobType": "custom", "customScript": {"id": str(script["id"])}})
    never = {"startDate": "2016-04-14T10:10:10+0000", "pattern": {"type": "never"}}

    job = tenant.api.post("jobs", json={**order, "schedule": never})
    outputs_of(tenant, script["id"], 1)
    answer = tenant.api.get(f"jobs/{job['id']}/run")
    found = outputs_of(tenant, script["id"], 2)

    assert answer == ""
    assert {one["output"] for one in found} == {"hello world ['7']\n"}
    assert sorted(one["type"] for one in found) == ["ONDEMAND", "SCHEDULED"]


def test_job_is_found_changed_and_deleted(server: Server, tenant: Any, resource: dict[str, Any]) -> None:
    weekly = {"startDate": "2031-03-01T08:30:45+0000", "pattern": {"type": "weekly", "weekDays": "Monday,Friday"}}
    body = job_for(resource, name="audit", jobQueued="false", script={"jobType": "adCheckList"}, schedule=weekly)

    job = tenant.api.post("jobs", json=body)
    assert UUID(job["id"])
    assert job["schedule"]["pattern"] == {"type": "weekly", "weekDays": "Monday, Friday"}
    assert tenant.api.get(f"jobs/{job['id']}")["entities"][0]["resource"]["generalInfo"]["resourceType"] == "Linux"
    seen = server.get(f"jobs/{job['id']}", auth=(LOGIN, SECRET)).json()
    assert (seen["Description"], seen["Status"]["Type"]) == ("audit", 0)

    changed = tenant.api.post(f"jobs/{job['id']}", json={**body, "id": job["id"], "name": "another audit"})
    assert (changed["id"], changed["name"]) == (job["id"], "another audit")
    assert server.get(f"jobs/{job['id']}", auth=(LOGIN, SECRET)).json()["Description"] == "another audit"

    assert tenant.api.delete(f"jobs/{job['id']}") == ""
    with pytest.raises(RuntimeError, match=r"404.*No job found with id"):
        tenant.api.get(f"jobs/{job['id']}")
    assert server.get(f"jobs/{job['id']}", auth=(LOGIN, SECRET)).json()["Status"]["Type"] == 7


#: What the seed's page sends as texts, by job type, and the types that it answers.
ORDERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "adCheckList": ({}, {}),
    "networkconfigbackup": (
        {
            "configParams": {
                "versionsSaved": "ALL_VERSIONS",
                "backUpTrigger": "true",
                "startupConfigAlert": "true",
                "runtimeConfigAlert": "false",
                "startUpConfigFilesBackUp": "true",
                "runTimeConfigFilesBackUp": "true",
            }
        },
        {
            "configParams": {
                "versionsSaved": "ALL_VERSIONS",
                "backUpTrigger": True,
                "startupConfigAlert": True,
                "runtimeConfigAlert": False,
                "startUpConfigFilesBackUp": True,
                "runTimeConfigFilesBackUp": True,
            }
        },
    ),
    "appinstall": (
        {"approvalType": {"approvalType": "1", "approvalReason": "for testing", "alertRequired": "true"}},
        {"approvalType": {"approvalType": 1, "approvalReason": "for testing", "alertRequired": True}},
    ),
}


@pytest.mark.parametrize("job_type", ORDERS)
def test_texts_come_back_as_what_they_are(tenant: Any, resource: dict[str, Any], job_type: str) -> None:
    given, shown = ORDERS[job_type]
    pattern = {"type": "daily", "frequency": "recurrence", "repeatType": "Days", "repeatFrequency": "2"}
    schedule = {"startDate": "2031-04-14T10:10:10+0000", "pattern": pattern}
    script = {"jobType": job_type, **given}
    job = tenant.api.post(
        "jobs", json=job_for(resource, name=job_type, jobQueued="true", script=script, schedule=schedule)
    )
    entity = job.pop("entities")[0]["resource"]
    assert (entity["id"], entity["type"]) == (resource["id"], "DEVICE")
    assert all(isinstance(value, str) for value in entity["generalInfo"].values())
    assert job == {
        "name": job_type,
        "schedule": {
            "startDate": "2031-04-14T10:10:00+0000",
            "pattern": {"type": "daily", "frequency": "recurrence", "repeatFrequency": 2, "repeatType": "days"},
        },
        "jobQueued": True,
        "script": {"jobType": job_type, **shown},
        "id": job["id"],
    }
    found = tenant.api.get(f"jobs/{job['id']}")
    assert {name: found[name] for name in job} == job
    assert tenant.api.delete(f"jobs/{job['id']}") == ""


def test_scripts_and_categories_are_listed_changed_and_removed(tenant: Any) -> None:
    categories = tenant.rba().categories()
    made = categories.create("Bands")
    child = categories.create("Punk", made["id"])
    shelf = categories.category(child["id"])
    size = shelf.mkParameter(name="size", description="How big", datatype="INTEGER", optional=True, default="7")
    words = {"name": "Tune", "description": "x", "platforms": ["LINUX"], "execution_type": "COMMAND", "payload": "date"}
    script = shelf.create(shelf.mkScript(**words, parameters=[size]))
    parameter = {
        "name": "size",
        "description": "How big",
        "defaultValue": "7",
        "type": "OPTIONAL",
        "dataType": "INTEGER",
    }
    assert script["parameters"] == [{"id": script["parameters"][0]["id"], **parameter}]
    assert isinstance(script["id"], int)
    assert isinstance(script["parameters"][0]["id"], int)
    assert shelf.get(script["id"]) == script

    changed = shelf.update(script["id"], {"description": "another"})
    assert changed == {**script, "description": "another", "scriptVersion": "1.00"}
    assert categories.update(made["id"], {"name": "Groups"}) == {"id": made["id"], "name": "Groups"}
    (tree,) = [one for one in categories.get() if one["id"] == made["id"]]
    assert tree == {"id": made["id"], "name": "Groups", "childs": [{"id": child["id"], "name": "Punk"}]}
    with pytest.raises(RuntimeError, match=r"422.*there is a category Groups already"):  # and no minute of retries
        categories.update(categories.create("Pop")["id"], {"name": "Groups"})

    assert shelf.delete(script["id"]) == ""
    assert shelf.get() == []
    assert categories.delete(child["id"]) == ""


def test_custom_script_is_typed_and_its_outputs_are(tenant: Any, resource: dict[str, Any]) -> None:
    shelf = tenant.rba().categories().category(tenant.rba().categories().create("Echoes")["id"])
    text = shelf.mkParameter(name="text", description="What", datatype="STRING", optional=True, default="a")
    words = {"name": "Echo", "description": "", "platforms": ["LINUX"], "execution_type": "COMMAND"}
    script = shelf.create(shelf.mkScript(**{**words, "description": "x"}, payload='echo "$1"', parameters=[text]))
    given = [{"paramId": str(script["parameters"][0]["id"]), "value": 150}]
    custom = {"jobType": "custom", "customScript": {"id": str(script["id"])}, "userType": "1", "parameters": given}
    never = {"startDate": "2031-04-14T10:10:10+0000", "pattern": {"type": "never"}}
    job = tenant.api.post("jobs", json=job_for(resource, script=custom, schedule=never))
    assert job["script"] == {
        "customScript": {"id": script["id"], "name": "Echo", "description": "x", "platforms": ["LINUX"]},
        "parameters": [{"paramId": script["parameters"][0]["id"], "name": "text", "value": "150"}],
        "userType": 1,
    }
    assert tenant.api.post(f"jobs/{job['id']}/script/run", json={"reason": "because"}) == ""
    (output,) = outputs_of(tenant, script["id"], 1)
    assert (output["output"], output["type"]) == ("150\n", "ONDEMAND")
    assert output["task"] == {"id": output["task"]["id"], "name": "Job - Echo"}
    assert isinstance(output["task"]["id"], int)


def test_search_is_sent_as_it_is_written(tenant: Any, resource: dict[str, Any]) -> None:
    """The client puts the text into the address as it is: ``+`` is one."""
    never = {"startDate": "2031-03-01T08:30:45+0000", "pattern": {"type": "never"}}
    for job_type in ("adCheckList", "antivirus"):
        tenant.api.post("jobs", json=job_for(resource, name="plus", script={"jobType": job_type}, schedule=never))
    jobs = tenant.api.get("jobs/search?queryString=name:plus+type:antivirus")["results"]
    assert [one["script"] for one in jobs] == [{"jobType": "antivirus"}]
    for pattern in ("queryString=agentInstalled:true+type:DEVICE", "?queryString=type:DEVICE+agentInstalled:true"):
        for found in (tenant.resources().search(pattern), tenant.resources().minimal(pattern)):
            assert [one["id"] for one in found["results"]] == [resource["id"]]
    assert tenant.resources().minimal("queryString=agentInstalled:true+type:NONE")["results"] == []


def test_credential_sets_are_listed_without_their_secrets(api: Any, tenant: Any, resource: dict[str, Any]) -> None:
    (found,) = tenant.credential_sets().get(minimal=True)
    assert UUID(found["uniqueId"])
    assert found["name"] == "Switches"
    assert "never shown" not in str(found)
    of_resource = tenant.api.get(f"devices/{resource['id']}/credentialSets/minimal")
    assert [type(one) for one in of_resource] in ([], [dict])
    assert api.tenant("msp_12").credential_sets().get(minimal=True) == [found]


def test_pages_are_put_together_by_the_client(tenant: Any, resource: dict[str, Any]) -> None:
    never = {"startDate": "2031-03-01T08:30:45+0000", "pattern": {"type": "never"}}
    names = [f"page {number}" for number in range(5)]
    for name in names:
        tenant.api.post("jobs", json=job_for(resource, name=name, script={"jobType": "adCheckList"}, schedule=never))
    # Its own further pages repeat pageNo: the last one counts.
    found = tenant.get("jobs/search?pageNo=1&pageSize=2&isDescendingOrder=false&queryString=name:page%20")
    assert [one["name"] for one in found["results"]] == names
    assert found["totalResults"] == 5


def test_provider_reaches_its_clients(api: Any, tenant: Any, resource: dict[str, Any]) -> None:
    provider = api.tenant("msp_12")
    assert resource["id"] in [one["id"] for one in provider.resources().search()["results"]]


def test_resource_is_created(api: Any) -> None:
    tenant = api.tenant("msp_12")
    interface = {"ipAddressType": "STATIC", "ipAddress": "10.10.10.10"}
    asked = {"hostName": "testdevice-api", "resourceType": "server", "resourceNetworkInterface": [interface]}
    made = tenant.resources().create(asked)
    (found,) = tenant.resources().search("queryString=hostName:testdevice-api")["results"]
    assert (found["id"], found["ipAddress"], found["agentInstalled"]) == (made["resourceUUID"], "10.10.10.10", False)
