"""The permission matrix of the JSON dialects: every operation with exactly the rights that it needs, and with one less.

The tables are the policy. An operation without a row fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import ccs_world
import exastro_world
import ies_world
import opsramp_world
import pytest
from job_world import work_off

from dispatcher import bootstrap
from dispatcher.core.permissions import Caller, Node, Right, RoleRights
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import builtin
from dispatcher.services.hall import Hall
from dispatcher.services.secrets import Secrets
from dispatcher.web.app import Limits
from dispatcher.wire.http import Request, Response
from dispatcher.wire.json_api.endpoint import JsonApi
from dispatcher.wire.quotas import Quotas

READ, MODIFY = Right.READ, Right.MODIFY
Rights = Mapping[Node, Right]
EVERYTHING: Rights = dict.fromkeys(Node, MODIFY)


@dataclass(frozen=True)
class Case:
    """A request, the rights without each of which it is refused, and those it needs besides to find what it names.

    In ``path`` and ``body`` words in braces stand for things that are there.
    """

    verb: str
    path: str
    needs: Rights
    body: str = ""
    beside: Rights = field(default_factory=dict)
    status: int = 200


#: What the vendor's page asks for, contract 2.4, as docs/dialects/symantec-ccs.rst has it.
_LOOK = {Node.SCHEDULING: READ, Node.MODULES: READ, Node.TEAMS: READ}
_MAKE = {**_LOOK, Node.SCHEDULING: MODIFY, Node.RESULTS: READ}
_NEW_JOB = (
    '{"JobDetails": {"JobName": "new", "AssetsResolutionInfo": [{"Id": "<group>"}], "Standards": ["<standard>"]},'
    ' "JobType": "CollectionJob"}'
)
CCS = {
    "create_job": [Case("POST", "jobs", _MAKE, _NEW_JOB)],
    "update_job": [Case("PATCH", "jobs", _MAKE, '{"JobID": "<job>", "JobDetails": {"JobName": "x"}}')],
    "delete_job": [
        Case("DELETE", "jobs?jobid=<job>", {**_LOOK, Node.SCHEDULING: MODIFY}, status=204),
        Case("DELETE", "jobs?jobid=<job>&DeleteJob=False", {Node.SCHEDULING: MODIFY}, status=204),
    ],
    "operate": [
        Case("POST", "jobs/<job>", _MAKE, '{"Operation": "execute"}'),
        Case("POST", "jobs/<run>", _MAKE, '{"Operation": "abort"}', status=204),
    ],
    "search_jobs": [Case("GET", "jobs", _LOOK), Case("GET", "jobs?jobname=old", _LOOK)],
    "get_job": [Case("GET", "jobs/<job>", _LOOK)],
    "latest_runs": [Case("GET", "jobs/<job>/jobruns", _LOOK)],
    "search_assets": [Case("GET", "Assets", {Node.AGENTS: READ}), Case("GET", "Assets", {Node.TEAMS: READ})],
    "get_asset": [Case("GET", "Assets/<agent>", {Node.AGENTS: READ})],
    "search_groups": [Case("GET", "AssetGroup", {Node.TEAMS: READ})],
    "get_group": [Case("GET", "AssetGroup/<group>", {Node.TEAMS: READ})],
    "get_members": [Case("GET", "AssetGroup/<group>/Assets", {Node.TEAMS: READ})],
    "search_standards": [Case("GET", "Standards", {Node.MODULES: READ})],
    "get_result": [
        Case(
            "POST",
            "Results",
            {Node.RESULTS: READ},
            '{"AssetID": "<agent>", "StandardID": "<standard>", "JobRunID": "<done>"}',
            {Node.AGENTS: READ, Node.MODULES: READ},
        )
    ],
}

#: Of a tenant one must be able to read the team; of jobs also what they run, and on whom, as in the other dialects.
_TENANT = {Node.TEAMS: READ}
_ORDER = {**_TENANT, Node.SCHEDULING: MODIFY, Node.MODULES: READ, Node.AGENTS: READ}
_WRITE = {**_TENANT, Node.MODULES: MODIFY}
_JOB = (
    '{"name": "new", "entities": [{"resource": {"id": "<resource>", "type": "DEVICE"}}], "script": {"jobType":'
    ' "adCheckList"}, "schedule": {"startDate": "2031-03-01T08:30:45+0000", "pattern": {"type": "never"}}}'
)
_INSTALLATION = (
    '{"name": "wait", "entities": [{"resource": {"id": "<resource>", "type": "DEVICE"}}], "script": {"jobType":'
    ' "appinstall", "approvalType": {"approvalType": "0", "approvalReason": "why"}},'
    ' "schedule": {"startDate": "2031-03-01T08:30:45+0000", "pattern": {"type": "never"}}}'
)
_SCRIPT = '{"name": "hello", "executionType": "COMMAND", "command": "echo hello", "platforms": ["LINUX"]}'
OPSRAMP = {
    "create_job": [Case("POST", "jobs", _ORDER, _JOB)],
    "get_job_types": [Case("GET", "jobs/types", _TENANT)],
    "search_jobs": [Case("GET", "jobs/search", {**_TENANT, Node.SCHEDULING: READ})],
    "get_job": [Case("GET", "jobs/<job>", {**_TENANT, Node.SCHEDULING: READ})],
    "update_job": [Case("POST", "jobs/<job>", _ORDER, _JOB)],
    "delete_job": [Case("DELETE", "jobs/<job>", _ORDER)],
    "run_job": [Case("POST", "jobs/<job>/run", _ORDER)],
    "approve_job": [Case("POST", "jobs/<waiting>/approve", _ORDER)],
    "search_resources": [Case("GET", "resources/search", _TENANT)],
    "get_minimal_resources": [Case("GET", "resources/minimal", _TENANT)],
    "get_resource": [Case("GET", "resources/<resource>", _TENANT, beside={Node.AGENTS: READ})],
    "create_resource": [
        Case(
            "POST",
            "resources",
            {Node.TEAMS: MODIFY, Node.AGENTS: MODIFY},
            '{"hostName": "new", "resourceType": "DEVICE", "ipAddress": "10.0.0.9"}',
        )
    ],
    "get_credential_sets": [Case("GET", "credentialSets/minimal", _TENANT)],
    "get_device_credential_sets": [
        Case("GET", "devices/<resource>/credentialSets/minimal", _TENANT, beside={Node.AGENTS: READ})
    ],
    "get_categories": [Case("GET", "rba/categories", {**_TENANT, Node.MODULES: READ})],
    "create_category": [Case("POST", "rba/categories", _WRITE, '{"name": "new"}')],
    "update_category": [Case("PUT", "rba/categories", _WRITE, '{"id": <category>, "name": "other"}')],
    "delete_category": [Case("DELETE", "rba/categories/<empty>", _WRITE)],
    "get_scripts": [Case("GET", "rba/categories/<category>/scripts", {**_TENANT, Node.MODULES: READ})],
    "create_script": [Case("POST", "rba/categories/<category>/scripts", _WRITE, _SCRIPT.replace("hello", "new"))],
    "get_script": [Case("GET", "rba/categories/<category>/scripts/<script>", {**_TENANT, Node.MODULES: READ})],
    "update_script": [Case("POST", "rba/categories/<category>/scripts/<script>", _WRITE, _SCRIPT)],
    "delete_script": [Case("DELETE", "rba/categories/<category>/scripts/<script>", _WRITE)],
    "get_outputs": [
        Case("GET", "rba/scripts/<script>/paginatedOutputs", {**_TENANT, Node.RESULTS: READ, Node.MODULES: READ})
    ],
}

#: A workspace may be entered by whoever may read its team; what is in a menu decides about that.
_ENTER = {Node.TEAMS: READ}
_LOOK_IN = {**_ENTER, Node.SCHEDULING: READ}
_CHANGE = {**_ENTER, Node.SCHEDULING: MODIFY}
#: What a conductor runs, and on whom.
_RUN = {Node.RUNBOOKS: READ, Node.MODULES: READ, Node.AGENTS: READ}
_OPERATION = '{"parameter": {"operation_name": "new", "scheduled_date_for_execution": "2031/06/01 02:00"}}'
_MENU = "menu/operation_list"
_ORDERED = '{"conductor_class_name": "nightly", "operation_name": "op-1"}'
_SHOWN = "menu/conductor_confirmation/conductor"
EXASTRO = {
    "get_menu_info": [
        Case("GET", f"{_MENU}/info/", _LOOK_IN),
        Case("GET", "menu/device_list/info/", {**_ENTER, Node.AGENTS: READ}),
        Case("GET", "menu/playbook_files/info/", {**_ENTER, Node.MODULES: READ}),
        Case("GET", "menu/conductor_class_list/info/", {**_ENTER, Node.RUNBOOKS: READ}),
        Case("GET", "menu/role_menu_link_list/info/", {**_ENTER, Node.SECURITY: READ}),
        Case("GET", "menu/hostgroup_management/info/", _ENTER),
        Case("GET", "menu/menu_list/info/", _ENTER),
    ],
    "get_columns": [Case("GET", f"{_MENU}/info/column/", _LOOK_IN), Case("GET", f"{_MENU}/column/", _LOOK_IN)],
    "get_pulldown": [Case("GET", f"{_MENU}/info/pulldown/", _LOOK_IN)],
    "get_candidates": [Case("GET", f"{_MENU}/info/search/candidates/operation_name/", _LOOK_IN)],
    "get_records": [
        Case("GET", f"{_MENU}/filter/", _LOOK_IN),
        Case("GET", "menu/conductor_list/filter/", _LOOK_IN),
        Case("GET", "menu/role_menu_link_list/filter/", {**_ENTER, Node.SECURITY: READ}),
    ],
    "find_records": [Case("POST", f"{_MENU}/filter/", _LOOK_IN, "{}")],
    "count_all": [Case("GET", f"{_MENU}/filter/count/", _LOOK_IN)],
    "count_records": [Case("POST", f"{_MENU}/filter/count/", _LOOK_IN, "{}")],
    "get_journal": [Case("GET", f"{_MENU}/filter/journal/<operation>/", _LOOK_IN)],
    "change_records": [Case("POST", f"{_MENU}/maintenance/all/", _CHANGE, f"[{_OPERATION}]")],
    "register_record": [Case("POST", f"{_MENU}/maintenance/", _CHANGE, _OPERATION)],
    "change_record": [
        Case(
            "PATCH",
            f"{_MENU}/maintenance/<operation>/",
            _CHANGE,
            '{"parameter": {"remarks": "x", "last_update_date_time": "<changed>"}}',
        )
    ],
    "post_apply": [Case("POST", "apply/", _CHANGE, _ORDERED, beside=_RUN)],
    "execute_conductor": [Case("POST", "menu/conductor_class_edit/conductor/execute/", _CHANGE, _ORDERED, beside=_RUN)],
    "get_run": [Case("GET", f"{_SHOWN}/<booked>/", _LOOK_IN)],
    "get_run_info": [Case("GET", f"{_SHOWN}/info/<booked>/", _LOOK_IN)],
    "cancel_run": [Case("PATCH", f"{_SHOWN}/<booked>/cancel/", _CHANGE, beside=_RUN)],
    "scram_run": [Case("PATCH", f"{_SHOWN}/<paused>/scram/", _CHANGE, beside=_RUN)],
    "release_run": [Case("PATCH", f"{_SHOWN}/<paused>/node/<pause>/relese/", _CHANGE, beside=_RUN)],
    "get_version": [Case("GET", "version/", _ENTER)],
    "get_user_menus": [Case("GET", "user/menus/", _ENTER)],
}

#: Lists have what the caller may read: who may read nothing gets an empty one (see below).
_IES_JOB = (
    '{"Name": "new", "JobType": %d, "StartTime": "2031-05-01T06:00:00Z", "Agent": "pc-1",'
    ' "DiscoveryTargets": {"SingleIpTargets": [{"Ip": "127.0.0.4"}]}}'
)
_IES_DEPLOYMENT = '{"CustomPatchListId": 1, "GroupIds": [1009], "StartTime": "2031-05-01T06:00:00Z"}'
_IES_PATCHES = '{"Name": "April", "Patches": [{"Name": "x", "Command": "true"}]}'
_IES_SUBMIT = {Node.SCHEDULING: MODIFY, Node.MODULES: READ, Node.AGENTS: READ}
_IES_DEPLOY = {Node.SCHEDULING: MODIFY, Node.PROJECTS: READ, Node.TEAMS: READ}


def _enveloped(text: str) -> str:
    return json.dumps({"value": text})


IES = {
    "create_job": [
        Case("POST", "Jobs", _IES_SUBMIT, _enveloped(_IES_JOB % 1), status=201),
        Case("POST", "Jobs", {**_IES_SUBMIT, Node.AGENTS: MODIFY}, _enveloped(_IES_JOB % 3), status=201),
    ],
    "list_jobs": [Case("GET", "Jobs", {Node.SCHEDULING: READ})],
    "get_job": [Case("GET", "Jobs(<job>)", {Node.SCHEDULING: READ})],
    "create_deployment": [
        Case(
            "POST",
            "DeploymentGroups",
            _IES_DEPLOY,
            _enveloped(_IES_DEPLOYMENT),
            beside={Node.MODULES: READ, Node.AGENTS: READ},
            status=201,
        )
    ],
    "list_deployments": [Case("GET", "DeploymentGroups", {Node.SCHEDULING: READ})],
    "get_deployment": [Case("GET", "DeploymentGroups(<deployment>)", {Node.SCHEDULING: READ})],
    "create_patch_list": [
        Case(
            "POST",
            "CustomPatchLists",
            {Node.PROJECTS: MODIFY, Node.MODULES: MODIFY},
            _enveloped(_IES_PATCHES),
            status=201,
        )
    ],
    "get_patch_list": [Case("GET", "CustomPatchLists(1)", {Node.PROJECTS: READ})],
    "get_group": [Case("GET", "Groups(1009)", {Node.TEAMS: READ})],
    "list_members": [Case("GET", "Groups(1009)/Endpoints", {Node.TEAMS: READ}, beside={Node.AGENTS: READ})],
    "list_policies": [Case("GET", "Policies", {Node.TEAMS: READ})],
    "list_patch_lists": [Case("GET", "CustomPatchLists", {}, beside={Node.PROJECTS: READ})],
    "list_groups": [Case("GET", "Groups", {}, beside={Node.TEAMS: READ})],
    "list_modules": [Case("GET", "Modules", {})],
    "list_endpoints": [Case("GET", "Endpoints", {}, beside={Node.AGENTS: READ})],
    "get_endpoint": [Case("GET", "Endpoints(<agent>)", {Node.AGENTS: READ})],
    "list_endpoint_modules": [Case("GET", "Endpoints(<agent>)/EndpointModules", {Node.AGENTS: READ})],
}


@dataclass
class World:
    """A dialect, and the ids of things that are there."""

    api: JsonApi
    base: str
    things: dict[str, str]
    refused: tuple[int, ...] = (403,)  #: the statuses of answers to those who lack a right

    def ask(self, case: Case, rights: Rights) -> Response:
        """Answer *case* to somebody who has these *rights*."""
        path, body = case.path, case.body
        for name, value in self.things.items():
            path, body = path.replace(f"<{name}>", value), body.replace(f"<{name}>", value)
        path, _, query = f"{self.base}/{path}".partition("?")
        caller = Caller.of("ann", [RoleRights("role", {(node, None): right for node, right in rights.items()})])
        request = Request(case.verb, path, query, {"content-type": "application/json"}, body.encode(), caller=caller)
        return self.api(request)

    def told(self, verb: str, path: str, body: str = "") -> Any:
        """Return what somebody gets who may do everything."""
        answer = self.ask(Case(verb, path, {}, body), EVERYTHING)
        assert answer.status in (200, 204), answer.body
        return json.loads(answer.body) if answer.body else None


def _api(hall: Hall, dialect: str) -> JsonApi:
    [api] = bootstrap.DIALECTS[dialect](hall, Quotas(), Limits())
    assert isinstance(api, JsonApi)
    return api


@pytest.fixture
def ccs(hall: Hall, load_library: Callable[[str], None], enrol: Callable[..., UUID], clock: Any) -> World:
    load_library(ccs_world.LIBRARY)
    agent = enrol("db-01")
    things = {"agent": str(agent), "group": ccs_world.GROUP, "standard": ccs_world.STANDARD}
    world = World(_api(hall, "symantec_ccs"), "/ccs/api/v1", things)
    things["job"] = world.told("POST", "jobs", _NEW_JOB.replace("new", "old"))["JobID"]
    things["done"] = world.told("POST", "jobs/<job>", '{"Operation": "execute"}')["JobRunID"]
    work_off(hall, agent, clock())
    things["run"] = world.told("POST", "jobs/<job>", '{"Operation": "execute"}')["JobRunID"]
    return world


@pytest.fixture
def opsramp(hall: Hall, load_library: Callable[[str], None]) -> World:
    load_library(opsramp_world.LIBRARY)
    world = World(_api(hall, "opsramp"), "/api/v2/tenants/client_93", {"resource": opsramp_world.FIRST})
    world.things["job"] = world.told("POST", "jobs", _JOB)["id"]
    world.things["waiting"] = world.told("POST", "jobs", _INSTALLATION)["id"]
    world.told("POST", "jobs/<waiting>/run")
    world.things["empty"] = str(world.told("POST", "rba/categories", '{"name": "empty"}')["id"])
    world.things["category"] = str(world.told("POST", "rba/categories", '{"name": "full"}')["id"])
    world.things["script"] = str(world.told("POST", "rba/categories/<category>/scripts", _SCRIPT)["id"])
    return world


@pytest.fixture
def exastro(hall: Hall, load_library: Callable[[str], None]) -> World:
    load_library(exastro_world.LIBRARY_OF_RIGHTS)
    base = "/api/org9/workspaces/ws2/ita"
    world = World(_api(hall, "exastro_ita"), base, {}, refused=(401, 403))
    made = world.told("POST", f"{_MENU}/maintenance/", _OPERATION.replace("new", "op-1"))["data"]["IdList"]
    [record] = world.told("GET", f"{_MENU}/filter/")["data"]
    order = '{"conductor_class_name": "%s", "operation_name": "op-1", "schedule_date": "%s"}'
    booked = world.told("POST", "apply/", order % ("nightly", "2031/06/01 02:00"))["data"]
    paused = world.told("POST", "apply/", order % ("waiting", ""))["data"]
    world.things = {
        "operation": made[0],
        "changed": record["parameter"]["last_update_date_time"],
        "booked": booked["conductor_instance_id"],
        "paused": paused["conductor_instance_id"],
    }
    nodes = world.told("GET", f"{_SHOWN}/<paused>/")["data"]["node"].values()
    world.things["pause"] = next(one["node_instance_id"] for one in nodes if one["node_type"] == "pause")
    return world


@pytest.fixture
def ies(hall: Hall, datastore: Datastore, ports: Ports, secrets: Secrets, load_library: Callable[[str], None]) -> World:
    builtin.install(datastore, ports, secrets)
    load_library(ies_world.LIBRARY)
    world = World(_api(hall, "ivanti_endpoint_security"), "/api/v2", {"agent": ies_world.AGENT})
    for name, path, body in (("job", "Jobs", _IES_JOB % 1), ("deployment", "DeploymentGroups", _IES_DEPLOYMENT)):
        made = world.ask(Case("POST", path, {}, _enveloped(body)), EVERYTHING)
        world.things[name] = str(json.loads(made.body)["Id"])
    return world


def rows(table: Mapping[str, list[Case]]) -> pytest.MarkDecorator:
    cases = [
        pytest.param(case, id=f"{name}-{place}") for name, found in table.items() for place, case in enumerate(found)
    ]
    return pytest.mark.parametrize("case", cases)


def check(world: World, case: Case) -> None:
    """Check that *case* is refused without any right it needs, and obeyed with exactly those."""
    enough = {**case.beside, **case.needs}
    lesser = [
        *([{}] if case.needs else []),
        *({**enough, node: Right(right - 1)} for node, right in case.needs.items()),
    ]
    for rights in lesser:
        assert world.ask(case, rights).status in world.refused, rights
    assert world.ask(case, enough).status == case.status


@rows(CCS)
def test_ccs(ccs: World, case: Case) -> None:
    check(ccs, case)


@rows(OPSRAMP)
def test_opsramp(opsramp: World, case: Case) -> None:
    check(opsramp, case)


@rows(EXASTRO)
def test_exastro(exastro: World, case: Case) -> None:
    check(exastro, case)


@rows(IES)
def test_ies(ies: World, case: Case) -> None:
    check(ies, case)


@pytest.mark.parametrize("path", ["Endpoints", "Groups", "CustomPatchLists"])
def test_who_may_read_nothing_gets_empty_lists_of_ies(ies: World, path: str) -> None:
    assert json.loads(ies.ask(Case("GET", path, {}), {}).body)["value"] == []
    assert json.loads(ies.ask(Case("GET", path, {}), EVERYTHING).body)["value"] != []


TABLES = [("ivanti_endpoint_security", IES), ("symantec_ccs", CCS), ("opsramp", OPSRAMP), ("exastro_ita", EXASTRO)]


@pytest.mark.parametrize(("dialect", "table"), TABLES)
def test_every_operation_has_a_row(hall: Hall, dialect: str, table: Mapping[str, list[Case]]) -> None:
    assert {one.name for one in _api(hall, dialect).operations if not one.declared.is_public} == table.keys()


def test_every_dialect_has_a_table() -> None:
    assert bootstrap.DIALECTS.keys() == {"ivanti_automation", *(dialect for dialect, _ in TABLES)}
