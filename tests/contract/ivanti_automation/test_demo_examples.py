"""The examples on the help pages name what the sample library has, and can be sent as they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from uuid import UUID

import pytest
from job_world import lease
from lxml import etree

from dispatcher.bindings.ivanti_automation.binding import build
from dispatcher.core.jobs import WhatKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import demo
from dispatcher.services.hall import Hall
from dispatcher.services.secrets import Secrets
from dispatcher.wire.http import Binding, Request

BASE = "/Dispatcher/SchedulingService"


@pytest.fixture
def agent(datastore: Datastore, ports: Ports, secrets: Secrets, enrol: Callable[..., UUID]) -> UUID:
    """A server that has just been started with the sample library, and its local agent."""
    demo.load(datastore, ports, secrets)
    return enrol("some computer")


@pytest.fixture
def binding(hall: Hall) -> Binding:
    return build(hall, log=lambda event, **details: None)


def example(binding: Binding, operation: str, kind: str) -> bytes:
    page = binding(Request("GET", f"{BASE}/help/operations/{operation}", caller=SYSTEM)).body.decode()
    [found] = re.findall(rf'<pre class="{kind}">(.*?)</pre>', page, re.DOTALL)
    return unescape(found).encode()


@pytest.mark.parametrize(("form", "media"), [("xml", "application/xml"), ("json", "application/json")])
def test_a_job_is_scheduled_as_the_page_shows_it(
    hall: Hall, agent: UUID, binding: Binding, form: str, media: str
) -> None:
    body = example(binding, "ScheduleJob", f"request-{form}")
    answer = binding(Request("POST", f"{BASE}/jobs", "", {"content-type": media}, body, caller=SYSTEM))
    assert answer.status == 200, answer.body
    [run] = lease(hall, agent, 1)
    [module] = run.modules
    assert module.document["name"] == "Say hello"
    assert {one.name: one.value1 for one in module.parameters} == {"Name": "world"}


@pytest.mark.parametrize("operation", ["ChangeAgentMembership", "ChangeTeamMembership"])
def test_an_agent_joins_the_team_as_the_page_shows_it(
    hall: Hall, agent: UUID, binding: Binding, operation: str
) -> None:
    shown = example(binding, operation, "request-json").decode()
    mine = shown.replace("6AE2E5B5-D5C8-4728-A10A-12E25BD5F995", str(agent).upper())
    assert mine != shown  # which agents there are the page cannot know
    path = f"{BASE}/{operation.removeprefix('Change').lower()}"
    headers = {"content-type": "application/json"}
    answer = binding(Request("POST", path, "", headers, mine.encode(), caller=SYSTEM))
    assert answer.status == 200, answer.body


@pytest.mark.parametrize("member", ["What", "Who"])
def test_names_and_ids_are_those_of_the_library(hall: Hall, agent: UUID, binding: Binding, member: str) -> None:
    body = etree.fromstring(example(binding, "ScheduleJob", "request-xml"))
    [shown] = body.iterfind(f"{{*}}{member}/{{*}}Job{member}")
    module = [(one.id, one.name, one.folder) for one in hall.library.whats(WhatKind.MODULE, SYSTEM)]
    teams = [(one.id, one.name, None) for one in hall.topology.who(False, True, False, False, "", SYSTEM)]
    named = UUID(shown.findtext("{*}ID")), shown.findtext("{*}Name"), shown.findtext("{*}FolderName")
    assert named in (module if member == "What" else teams)
