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
import opsramp_world
import pytest
from job_world import work_off

from dispatcher import bootstrap
from dispatcher.core.permissions import Caller, Node, Right, RoleRights
from dispatcher.services.hall import Hall
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


@dataclass
class World:
    """A dialect, and the ids of things that are there."""

    api: JsonApi
    base: str
    things: dict[str, str]

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


def rows(table: Mapping[str, list[Case]]) -> pytest.MarkDecorator:
    cases = [
        pytest.param(case, id=f"{name}-{place}") for name, found in table.items() for place, case in enumerate(found)
    ]
    return pytest.mark.parametrize("case", cases)


def check(world: World, case: Case) -> None:
    """Check that *case* is refused without any right it needs, and obeyed with exactly those."""
    enough = {**case.beside, **case.needs}
    lesser = [{}, *({**enough, node: Right(right - 1)} for node, right in case.needs.items())]
    for rights in lesser:
        assert world.ask(case, rights).status == 403, rights
    assert world.ask(case, enough).status == case.status


@rows(CCS)
def test_ccs(ccs: World, case: Case) -> None:
    check(ccs, case)


@rows(OPSRAMP)
def test_opsramp(opsramp: World, case: Case) -> None:
    check(opsramp, case)


@pytest.mark.parametrize(("dialect", "table"), [("symantec_ccs", CCS), ("opsramp", OPSRAMP)])
def test_every_operation_has_a_row(hall: Hall, dialect: str, table: Mapping[str, list[Case]]) -> None:
    assert {one.name for one in _api(hall, dialect).operations if not one.declared.is_public} == table.keys()


def test_every_dialect_has_a_table() -> None:
    assert bootstrap.DIALECTS.keys() == {"ivanti_automation", "symantec_ccs", "opsramp"}
