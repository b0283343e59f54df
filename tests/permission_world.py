"""A world of things that logins may or may not touch, and every operation of both services asked for about them."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from lxml import etree

from dispatcher.bindings.ivanti_automation import resource_service
from dispatcher.bindings.ivanti_automation.binding import IvantiAutomation
from dispatcher.bindings.ivanti_automation.resource_operations import ResourceService
from dispatcher.bindings.ivanti_automation.soap import SchedulingService
from dispatcher.core.contents import Content
from dispatcher.core.jobs import JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM, Caller
from dispatcher.core.schedules import RecurrenceRequest
from dispatcher.services.hall import Hall
from dispatcher.services.uploads import Upload
from dispatcher.wire.http import Request, Response
from dispatcher.wire.operations import operations_of

_BASE = "/Dispatcher/SchedulingService"
_DONE = "55D1E5FD-CD92-481E-ABDB-62ED86288D1F"
_RAN_ON = "6AE2E5B5-D5C8-4728-A10A-12E25BD5F995"
_RING = UUID("0a8b2c4d-0000-4000-8000-00000000b00c")
#: Beside what the fixtures of tests/contract/ivanti_automation make.
_LIBRARY = """
agents:
  - {name: PC-042, id: 6ae2e5b5-d5c8-4728-a10a-12e25bd5f995, primary_team: Ring 1}
  - {name: PC-043}
teams:
  - {name: Ring 1, id: 6ae2e5b5-d5c8-4728-a10a-12e25bd5f9aa, folder: Rings, agents: [PC-042, PC-043]}
  - {name: Ring 2, agents: [PC-043]}
projects:
  - {name: All, modules: [{module: Patch}]}
modules:
  - {name: Get, tasks: [{name: get, type: download, settings: {resource: setup.exe, target: there}},
                        {name: too, type: download, settings: {resource: spare.exe, target: here}}]}
runbooks:
  - name: By parameter
    parameters: [{name: RunBookWho, value: 6ae2e5b5-d5c8-4728-a10a-12e25bd5f995}]
    steps: [{name: first, module: Patch, who: [{parameter: RunBookWho}]}]
"""
#: They take no argument that would have to be there.
_LISTS = ("GetJobs", "GetModules", "GetProjects", "GetRunBooks", "GetWho", "GetTeamsReport")


@dataclass(frozen=True)
class Scene:
    """The things that requests are about, by the names that the policy has for them.

    ``by_parameter``: whom it is for only a parameter says.
    """

    what: str
    kind: WhatKind
    who: str
    agent: str
    team: str
    resource: str
    by_parameter: bool = False

    def named(self, need: str) -> str:
        return str(getattr(self, need, need))


SCENES = (
    Scene("Patch", WhatKind.MODULE, "PC-042", "PC-042", "Ring 1", "setup.exe"),
    Scene("Restart", WhatKind.MODULE, "PC-043", "PC-043", "Ring 2", "spare.exe"),
    Scene("All", WhatKind.PROJECT, "Ring 1", "PC-042", "Ring 2", "setup.exe"),
    Scene("Patch ring", WhatKind.RUNBOOK, "Ring 2", "PC-043", "Ring 1", "spare.exe"),
    Scene("By parameter", WhatKind.RUNBOOK, "PC-042", "PC-042", "Ring 1", "spare.exe", by_parameter=True),
)


@dataclass(frozen=True)
class Things:
    """The ids of things by name, and the ids of the jobs of each scene by what is special in them."""

    ids: dict[str, str]
    jobs: dict[tuple[Scene, str], str]


def fill(hall: Hall, load_library: Callable[[str], None]) -> Things:
    """Store everything that the scenes are about."""
    ids = {}
    for name, folder in (("setup.exe", "Tools"), ("spare.exe", "")):
        content = Content(io.BytesIO(b"data"), 4, hashlib.sha256(b"data").digest())
        ids[name] = str(hall.uploads.store(Upload(file_name=name, folder=folder), content, SYSTEM))
    load_library(_LIBRARY)
    ids |= {what.name: str(what.id) for kind in WhatKind for what in hall.library.whats(kind, SYSTEM)}
    ids |= {who.name: str(who.id) for who in hall.topology.who(True, True, False, False, "", SYSTEM)}
    jobs = {}
    for scene in SCENES:
        what, who = [WhatChoice(UUID(ids[scene.what]), scene.kind)], [WhoChoice([scene.who], kind_of(scene.who))]
        who = [] if scene.by_parameter else who
        ended = hall.scheduling.submit(JobRequest(what, who, When()), SYSTEM).id
        hall.aborting.abort(ended, SYSTEM)
        recurring = When(recurrence=RecurrenceRequest("DTSTART:20300101T060000Z\nRRULE:FREQ=DAILY"))
        jobs[scene, "ended"] = str(ended)
        jobs[scene, "recurring"] = str(hall.scheduling.submit(JobRequest(what, who, recurring), SYSTEM).id)
        ring = JobRequest([WhatChoice(_RING, WhatKind.RUNBOOK)], who, When())
        jobs[scene, "runbook"] = str(hall.scheduling.submit(ring, SYSTEM).id)
    return Things(ids, jobs)


@dataclass(frozen=True)
class World(Things):
    """The things, the services over them, and what answers for these."""

    hall: Hall
    binding: IvantiAutomation
    door: resource_service.ResourceDoor


def open_world(hall: Hall, binding: IvantiAutomation, things: Things, now: datetime) -> World:
    """Return the world over a datastore that was filled with *things*, with all agents online."""
    # Agents that are online are not removed (409): so each request finds everything as the one before did.
    hall.enrolment.note_contacts({UUID(things.ids[name]): now for name in ("PC-042", "PC-043")}, {})
    door = resource_service.build(hall, log=lambda *_, **__: None)
    return World(things.ids, things.jobs, hall, binding, door)


def kind_of(who: str) -> WhoKind:
    return WhoKind.TEAM if who.startswith("Ring") else WhoKind.AGENT


# --- the requests --------------------------------------------------------------------------------------------------


def arguments(world: World, scene: Scene, operation: str) -> dict[str, Any]:
    """Return the arguments of an operation of the SchedulingService, by their names in SOAP; lists by their items."""
    job = "runbook" if operation == "GetRunBookJob" else "ended"
    if operation in ("PauseJob", "ResumeJob", "GetOccurrences"):
        job = "recurring"
    agent, team = world.ids[scene.agent], world.ids[scene.team]
    kind = {WhatKind.MODULE: "Module", WhatKind.PROJECT: "Project", WhatKind.RUNBOOK: "RunBook"}[scene.kind]
    what = {"JobWhat": {"ID": world.ids[scene.what], "Type": kind}}
    one = {"ID": world.ids[scene.who], "Type": kind_of(scene.who).name.capitalize()}
    who = {} if scene.by_parameter else {"Who": {"JobWho": one}}
    return {
        "ScheduleJob": {"job": {"What": what, "When": {"Immediate": "true"}} | who},
        "UpdateJobStatus": {"jobId": world.jobs[scene, job], "status": {"Type": "Aborting"}},
        "ChangeAgentMembership": {"membership": {"AddTeams": {"string": team}, "AgentID": agent}},
        "ChangeTeamMembership": {"membership": {"AddAgents": {"string": agent}, "TeamID": team}},
        "RemoveAgent": {"removal": {"ID": agent}},
        "GetInputParameters": {"whatType": kind, "whatId": world.ids[scene.what]},
        "GetOutputParameters": {"whatType": kind, "whatId": world.ids[scene.what]},
        "GetTaskOutput": {"jobId": _DONE, "agentId": _RAN_ON},
        "GetJobUsageReport": {"start": "20251009000000", "stop": "20251009235959"},
    }.get(operation, {} if operation in _LISTS else {"jobId": world.jobs[scene, job]})


def soap(world: World, scene: Scene, operation: str, caller: Caller) -> Response:
    def written(values: dict[str, Any]) -> str:
        return "".join(
            f"<{name}>{written(value) if isinstance(value, dict) else value}</{name}>" for name, value in values.items()
        )

    body = f'<{operation} xmlns="http://tempuri.org/">{written(arguments(world, scene, operation))}</{operation}>'
    envelope = f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{body}</s:Body></s:Envelope>'
    headers = {"content-type": "text/xml; charset=utf-8"}
    return world.binding(Request("POST", f"{_BASE}/soap", "", headers, envelope.encode(), caller=caller))


def rest(world: World, scene: Scene, operation: str, caller: Caller) -> Response:
    route, given = operations_of(SchedulingService)[operation].route, arguments(world, scene, operation)
    parts = {variable: given.get(argument, "") for variable, argument in route.arguments.items()}
    path, _, query = re.sub(r"\{(\w+)\}", lambda match: parts[match[1]], route.template).partition("?")
    headers = {"content-type": "application/json", "accept": "application/json"}
    body = b"" if route.body is None else json.dumps(_as_json(given[route.body])).encode()
    return world.binding(Request(route.verb, f"{_BASE}/{path}", query, headers, body, caller=caller))


def _as_json(values: Any) -> Any:
    """Return arguments as JSON has them: enums are numbers, lists have no names for their items."""
    if not isinstance(values, dict):
        return {"Module": 0, "Project": 1, "RunBook": 2, "Agent": 0, "Team": 1, "Aborting": 2}.get(values, values)
    if len(values) == 1 and (item := next(iter(values))) in ("JobWhat", "JobWho", "string"):
        return [_as_json(values[item])]
    return {name: _as_json(value) for name, value in values.items()}


def resource(world: World, scene: Scene, operation: str, caller: Caller) -> Response:
    headers = {"id": world.ids[scene.resource]}
    request = Request("POST", f"/Dispatcher/ResourceService/{operation}", "", headers, caller=caller)
    admitted = world.door.admit(request) if world.door.is_upload(request) else None
    return admitted if isinstance(admitted, Response) else world.door(request)


def faces(operation: str) -> dict[str, Any]:
    """Return the ways in which *operation* is asked for."""
    if operation in operations_of(ResourceService):
        return {"REST": resource}
    return {"REST": rest, "SOAP": soap}


def is_refused(operation: str, answer: Response) -> bool:
    """Whether *answer* says that a right is missing; whatever else it says has to be what the operation does then."""
    # Agents that are online stay, and so do resources that modules need.
    done = {"RemoveAgent": (409, "agent.busy"), "DeleteResource": (409, "")}.get(operation, (200, ""))
    if answer.content_type.startswith("text/xml") and answer.status == 500:  # a fault of SOAP
        details = "//*[local-name()='ExceptionDetail']/*[local-name()='Type']/text()"
        (code,) = etree.fromstring(answer.body).xpath(details)
        assert code in ("security.forbidden", done[1]), answer.body
        return bool(code == "security.forbidden")
    assert answer.status in (403, done[0]), answer
    return answer.status == 403


def shown(answer: Response, things: tuple[str, ...]) -> set[str]:
    """Return which of *things* a list shows, by their names; jobs by that of the one that this folder's tests know."""
    assert answer.status == 200, answer
    text = answer.body.decode()
    if things != ("Jobs/Scheduling",):
        return {name for name in things if f'"Name":"{name}"' in text or f">{name}</" in text}
    is_shown = _DONE in text.upper()
    # The total of a page is that of what may be seen.
    assert ('"TotalCount":0,' in text + "," or ":TotalCount>0<" in text) <= (not is_shown), text
    return set(things) if is_shown else set()
