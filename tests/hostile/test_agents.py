"""Agents that mean harm: results said twice, work of others, guessed secrets, and messages that are none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from hostile_server import Loop, applications
from hostile_world import LIBRARY, PATCH, rows

from dispatcher.agents import protocol
from dispatcher.core.jobs import JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import State
from dispatcher.services.hall import Hall
from dispatcher.web.app import Limits

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CALLS = ("enrol", "poll", "report", "resource")
everywhere = pytest.mark.parametrize("call", CALLS)


class Agent:
    """An agent that says what it likes."""

    def __init__(self, loop: Loop, hall: Hall, name: str) -> None:
        self.loop = loop
        token = hall.tokens.create_enrol_token(SYSTEM, once=True)
        answer = self.say("enrol", protocol.Enrol(token=token, name=name), "")
        identity = protocol.Identity.model_validate_json(answer[1])
        self.id, self.secret = identity.agent_id, identity.secret

    def say(self, call: str, message: protocol.Message | bytes, authorization: str | None = None) -> tuple[int, bytes]:
        body = message if isinstance(message, bytes) else protocol.dump(message)
        if authorization is None:
            authorization = protocol.credentials(self.id, self.secret)
        headers = [("Authorization", authorization), ("Content-Type", "application/json")]
        status, _, content = self.loop.ask("agents", "POST", f"{protocol.PATH}/{call}", headers, body)
        return status, content

    def poll(self, *holding: protocol.Held) -> protocol.Orders:
        status, content = self.say("poll", protocol.Poll(free=1, wait_s=0, holding=list(holding)))
        assert status == 200, content
        return protocol.Orders.model_validate_json(content)

    def report(self, *events: Any, holding: tuple[protocol.Held, ...] = ()) -> protocol.Receipt:
        status, content = self.say("report", protocol.Report(events=list(events), holding=list(holding)))
        assert status == 200, content
        return protocol.Receipt.model_validate_json(content)


@pytest.fixture
def loop(hall: Hall, clock: Any, load_library: Callable[[str], None]) -> Iterator[Loop]:
    load_library(LIBRARY)
    opened = Loop(applications(hall, clock, Limits()))
    yield opened
    opened.close()


@pytest.fixture
def stored(datastore: Any) -> Callable[[], dict[str, int]]:
    return partial(rows, datastore)


def submit(hall: Hall, agent: Agent) -> UUID:
    what, who = WhatChoice(UUID(PATCH), WhatKind.MODULE), WhoChoice([agent.id], WhoKind.AGENT)
    return hall.scheduling.submit(JobRequest(what=(what,), who=(who,), when=When()), SYSTEM).id


def whole_run(run_id: UUID, fence: int) -> list[Any]:
    ids: dict[str, Any] = {"run_id": run_id, "fence": fence}
    return [
        protocol.RunStarted(**ids, at=NOW),
        protocol.TaskStarted(**ids, position=0, at=NOW),
        protocol.Output(**ids, position=0, offset=0, data=b"once\n"),
        protocol.TaskFinished(**ids, position=0, at=NOW, state="completed", exit_code=0),
        protocol.RunFinished(**ids, at=NOW, state="completed"),
    ]


def test_results_that_are_said_again_change_nothing(loop: Loop, hall: Hall, stored: Any) -> None:
    agent = Agent(loop, hall, "one")
    job = submit(hall, agent)
    (run,) = agent.poll().runs
    events = whole_run(run.run_id, run.fence)
    agent.report(*events)
    before, told = stored(), hall.jobs.get(job, SYSTEM)

    agent.report(*events)
    lie = protocol.RunFinished(run_id=run.run_id, fence=run.fence, at=NOW, state="failed", reason="replayed")
    agent.report(*events[:-1], lie)
    agent.report(*reversed(events))

    assert told.state is State.COMPLETED
    assert hall.jobs.get(job, SYSTEM) == told
    assert stored() == before


def test_run_of_another_agent_is_none_of_its_business(loop: Loop, hall: Hall, stored: Any) -> None:
    owner, thief = Agent(loop, hall, "owner"), Agent(loop, hall, "thief")
    job = submit(hall, owner)
    (run,) = owner.poll().runs
    before, held = stored(), protocol.Held(run_id=run.run_id, fence=run.fence)

    for fence in (run.fence, run.fence + 1, 0, -1, 2**62):
        receipt = thief.report(*whole_run(run.run_id, fence), holding=(held,))
        assert receipt.lost == [run.run_id]
        assert thief.poll(held).runs == []

    assert stored() == before
    assert hall.jobs.get(job, SYSTEM).state is State.ACTIVE
    owner.report(*whole_run(run.run_id, run.fence))
    assert hall.jobs.get(job, SYSTEM).state is State.COMPLETED


def test_run_that_is_none_is_lost(loop: Loop, hall: Hall, stored: Any) -> None:
    agent, before = Agent(loop, hall, "one"), None
    before = stored()
    invented = uuid4()

    receipt = agent.report(*whole_run(invented, 1), holding=(protocol.Held(run_id=invented, fence=1),))

    assert receipt.lost == [invented]
    assert stored() == before


@everywhere
def test_guessed_secrets_and_tokens_open_nothing(loop: Loop, hall: Hall, call: str, stored: Any) -> None:
    agent, other = Agent(loop, hall, "one"), Agent(loop, hall, "two")
    before = stored()
    for authorization in (
        "",
        "Agent",
        f"Agent {agent.id}",
        f"Agent {agent.id}:",
        f"Agent {agent.id}:{agent.secret[:-1]}",
        f"Agent {agent.id}:{agent.secret}x",
        f"Agent {agent.id}:{other.secret}",
        f"Agent {uuid4()}:{agent.secret}",
        f"Basic {agent.secret}",
        f"Agent {agent.id}:' OR 1=1 --",
        "Agent " + "x" * 10_000,
        *(f"Agent {agent.id}:{number}" for number in range(20)),
    ):
        message: protocol.Message = protocol.Enrol(token=authorization[:200], name="three")
        if call != "enrol":
            message = {"poll": protocol.Poll(free=1, wait_s=0), "report": protocol.Report()}.get(
                call, protocol.FindResource(name="x")
            )
        status, content = agent.say(call, message, authorization)
        assert status == 401, authorization
        assert protocol.Refusal.model_validate_json(content).error == "security.not_authenticated"
    assert stored() == before
    # It is locked out by none of this: a guess among 2**256 need not be slowed down.
    assert agent.poll().runs == []


BROKEN = {
    "nothing": b"",
    "no JSON": b"{",
    "XML": b"<a/>",
    "a list": b"[]",
    "depth": b'{"a":' * 100_000,
    "arrays": b"[" * 100_000,
    "number": b'{"free":' + b"9" * 100_000 + b"}",
    "packed": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    "not UTF-8": b'{"name":"\xff","token":"x","free":"\xff","events":"\xff"}',
    "half a pair": b'{"name":"\\ud800","token":"x","free":"\\ud800","events":"\\ud800"}',
    "members of others": b'{"__class__":"os.system"}',
    "many events": json.dumps({"events": [{"kind": "x"}] * 10_001, "name": "", "free": -1}).encode(),
    "much held": json.dumps({"holding": [{"run_id": str(uuid4()), "fence": 1}] * 1_001, "name": ""}).encode(),
}


@everywhere
def test_what_is_no_message(loop: Loop, hall: Hall, call: str, stored: Any) -> None:
    agent = Agent(loop, hall, "one")
    before = stored()
    for name, body in BROKEN.items():
        status, content = agent.say(call, body)
        if name == "members of others" and call == "report":
            continue  # what is not known is ignored, and nothing else is needed
        assert status == 400, name
        assert len(protocol.Refusal.model_validate_json(content).message) < 1_000
    assert stored() == before


@everywhere
def test_of_equal_names_the_last_wins(loop: Loop, hall: Hall, call: str, stored: Any) -> None:
    agent = Agent(loop, hall, "one")
    before = stored()
    good = {"enrol": '"token":"t","name":"n"', "poll": '"free":0,"wait_s":0', "report": '"events":[]'}
    last = {"poll": '"free":-1', "report": '"events":7'}
    members = (good.get(call, '"name":"x"'), last.get(call, '"name":7'))
    body = "{" + ",".join(members) + "}"

    assert agent.say(call, body.encode())[0] == 400
    assert stored() == before


@pytest.mark.parametrize(
    "moment", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "1e300", "99999999999999"]
)
def test_moment_that_no_clock_shows(loop: Loop, hall: Hall, moment: str) -> None:
    agent = Agent(loop, hall, "one")
    job = submit(hall, agent)
    (run,) = agent.poll().runs
    for event in whole_run(run.run_id, run.fence):
        said = json.loads(protocol.dump(protocol.Report(events=[event])))
        if "at" in said["events"][0]:
            said["events"][0]["at"] = moment
        assert agent.say("report", json.dumps(said).encode())[0] in (200, 400), event.kind
    facts = {"free": 0, "wait_s": 0, "facts": {"console_user": "a", "console_user_at": moment}}
    assert agent.say("poll", json.dumps(facts).encode())[0] in (200, 400)
    assert hall.jobs.get(job, SYSTEM).id == job


@pytest.mark.parametrize("name", ["..", "../../etc/passwd", "..%2f..%2fetc", "%00", "x" * 64, "g" * 64, "' OR 1=1 --"])
def test_content_of_no_such_name(loop: Loop, hall: Hall, name: str) -> None:
    agent = Agent(loop, hall, "one")
    for verb in ("GET", "POST"):
        headers = [("Authorization", protocol.credentials(agent.id, agent.secret)), ("Range", "bytes=0-99")]
        status, _, content = loop.ask("agents", verb, f"{protocol.PATH}/content/{name}", headers, b"")
        assert status == 404
        assert b"root:" not in content
    asked = protocol.FindResource(name=name)
    assert agent.say("resource", asked)[0] in (400, 404)
