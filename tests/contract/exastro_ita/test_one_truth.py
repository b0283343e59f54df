"""One truth, several views: what is made here is there for the other dialects and the library, and back."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import ccs_world
import opsramp_world
import pytest
import yaml
from exastro_client import HOST, Ita
from exastro_world import hosts_of

from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.hall import Hall
from dispatcher.services.library.exporting import export
from dispatcher.web.app import WebApp

PLAYBOOK = b"- debug: {msg: '{{ motd }}'}\n"
LIBRARY = """
menus:
  - {name: sheet_a, columns: [{name: motd}]}
modules:
  - {name: Say, id: 00000000-0000-4000-8000-0000000000d1, tasks: [{type: command, name: s, settings: {command: ls}}]}
runbooks:
  - name: Nightly
    id: 00000000-0000-4000-8000-0000000000d2
    steps: [{name: one, module: Say, who: [{ask: true}]}]
"""
NIGHTLY = "00000000-0000-4000-8000-0000000000d2"
OPERATION = {"operation_name": "op-1", "scheduled_date_for_execution": "2031/06/01 02:00"}
ROW = {"host_name": "h1", "operation_name_select": "2031/06/01 02:00_op-1", "motd": "hello"}
REGULAR = {
    "conductor_name": "Nightly",
    "operation_name": "op-1",
    "start_date": "2026/03/01 12:30:00",
    "period": "週",
    "interval": "2",
    "day_of_week": '["月曜日", "日曜日"]',
    "time": "02:00:00",
}


@pytest.fixture
def ita(ita: Ita, load_library: Callable[[str], None]) -> Ita:
    load_library(LIBRARY)
    return ita


def register(ita: Ita, menu: str, parameter: dict[str, Any], **file: str) -> str:
    change = {"type": "Register", "parameter": parameter, "file": file}
    return str(ita.post(f"menu/{menu}/maintenance/all/", [change])["IdList"][0])


def records(ita: Ita, menu: str, **terms: Any) -> list[dict[str, Any]]:
    return [record["parameter"] for record in ita.post(f"menu/{menu}/filter/", terms)]


def change(ita: Ita, menu: str, kind: str, parameter: dict[str, Any]) -> None:
    ita.post(f"menu/{menu}/maintenance/all/", [{"type": kind, "parameter": parameter}])


def service(ita: Ita, path: str) -> Any:
    """Return what the SchedulingService says at *path*."""
    answer = ita.call("GET", f"{HOST}/Dispatcher/SchedulingService/{path}", Accept="application/json")
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(found: list[dict[str, Any]]) -> set[str]:
    """Return the ids of what the SchedulingService lists."""
    return {str(one["ID"]).strip("{}").lower() for one in found}


def library(datastore: Datastore, section: str, name: str) -> dict[str, Any]:
    """Return the member *name* of a section, as it is exported."""
    found = {one["name"]: one for one in yaml.safe_load(export(datastore)).get(section, ())}
    return dict(found.get(name, {}))


def test_a_playbook_is_a_module(
    ita: Ita, web: WebApp, datastore: Datastore, load_library: Callable[[str], None]
) -> None:
    parameter = {"playbook_name": "Greet", "playbook_file": "greet.yml"}
    key = register(ita, "playbook_files", parameter, playbook_file=b64encode(PLAYBOOK).decode())
    assert key in ids(service(ita, "what/modules"))
    standards = ccs_world.Client(web).call("GET", "/Standards").json()["standardDataList"]
    assert key in {one["Id"] for one in standards}
    exported = library(datastore, "modules", "Greet")
    assert (exported["id"], exported["folder"]) == (key, "Exastro/org9/ws2")
    [task] = exported["tasks"]
    assert (task["type"], task["settings"]["playbook"].encode()) == ("ansible_playbook", PLAYBOOK)

    # The other way round: imported with another text, it is another file here, with a new date.
    [before] = records(ita, "playbook_files")
    task["settings"]["playbook"] = "- debug: {msg: bye}\n"
    load_library(yaml.safe_dump({"modules": [exported]}))
    [after] = ita.post("menu/playbook_files/filter/", {})
    assert b64decode(after["file"]["playbook_file"]) == b"- debug: {msg: bye}\n"
    assert after["parameter"]["item_no"] == before["item_no"] == key

    change(ita, "playbook_files", "Discard", {**after["parameter"], "discard": "1"})
    assert key not in ids(service(ita, "what/modules"))
    assert library(datastore, "modules", "Greet")["enabled"] is False


def test_a_device_is_an_agent(ita: Ita, hall: Hall, datastore: Datastore) -> None:
    device = {"host_name": "web-9", "ip_address": "10.0.0.9", "connection_type": "machine", "login_password": "s3cret"}
    key = register(ita, "device_list", device)
    assert key in ids(service(ita, "who?agents=True&teams=False"))
    tenant = opsramp_world.a_client(hall)
    tenant.tenant = "ws2"
    found = {one["id"]: one for one in tenant.get("resources/search")["results"]}
    assert found[key]["name"] == "web-9"
    exported = library(datastore, "agents", "web-9")
    assert exported["address"] == "10.0.0.9"
    assert "s3cret" not in export(datastore)

    # The other way round: a resource that OpsRamp makes is a device here.
    body = {"hostName": "db-7", "resourceType": "DEVICE", "ipAddress": "10.0.0.7"}
    made = tenant.post("resources", body)
    [record] = records(ita, "device_list", host_name={"LIST": ["db-7"]})
    assert record["managed_system_item_number"] == made["resourceUUID"]
    assert record["ip_address"] == "10.0.0.7"


def test_a_conductor_run_is_a_job(ita: Ita, hall: Hall) -> None:
    register(ita, "operation_list", OPERATION)
    register(ita, "sheet_a", ROW)
    order = {"conductor_class_name": "Nightly", "operation_name": "op-1"}
    run = ita.post("apply/", order)["conductor_instance_id"]
    job = service(ita, f"jobs/{run}")
    assert (job["Description"], job["Status"]["Type"]) == ("Nightly", 1)
    assert [who["Name"] for who in job["Who"]] == ["h1"]
    # What is aborted there was stopped here.
    hall.aborting.abort(UUID(run), SYSTEM)
    state = ita.get(f"menu/conductor_confirmation/conductor/{run}/")["conductor"]
    assert (state["status_id"], state["operation_name"]) == ("9", "op-1")
    # A run book that another dialect runs is no conductor run: it has no operation.
    assert len(records(ita, "conductor_list")) == 1


def test_a_regular_execution_is_a_recurring_job(
    ita: Ita, web: WebApp, hall: Hall, clock: Any, datastore: Datastore, workspace: Workspace
) -> None:
    register(ita, "operation_list", OPERATION)
    register(ita, "sheet_a", ROW)
    key = register(ita, "conductor_regularly_execution", REGULAR)
    [record] = records(ita, "conductor_regularly_execution")
    names = ("status", "next_execution_date", "period", "day_of_week")
    # The first of March 2026 is a Sunday, whose weeks begin with it: 02:00 is over, Monday is next.
    assert [record[name] for name in names] == [
        "稼働中",
        "2026/03/02 02:00:00",
        "週",
        '["月曜日", "日曜日"]',
    ]
    listed = service(ita, "jobs?pagesize=50")
    assert key in str(listed).lower(), listed
    ccs = ccs_world.Client(web)
    job = ccs.call("GET", f"/Jobs/{key}").json()
    assert (job["JobID"], job["JobName"]) == (key, "Nightly")

    # Executed by CCS, or when it is due, it is a conductor run here, of the operation and on its host.
    assert ccs.operate(key, "execute").status_code == 200
    ccs_world.turn(hall, clock, timedelta(hours=14))
    runs = records(ita, "conductor_list")
    assert [(one["operation_name"], one["conductor_instance_name"]) for one in runs] == [("op-1", "Nightly")] * 2
    h1 = str(hosts_of(datastore, workspace)["h1"])
    for run in runs:
        assert ids(service(ita, f"jobs/{run['conductor_instance_id']}")["Who"]) == {h1}

    # Ended by another dialect it is gone here.
    assert service(ita, f"jobs/{key}")["Status"]["Type"] == 0
    hall.aborting.end(UUID(key), SYSTEM)
    assert records(ita, "conductor_regularly_execution") == []
