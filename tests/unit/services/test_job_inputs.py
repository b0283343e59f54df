"""Job inputs: runs get what a provider has for their agents, and nobody else is asked for anything."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from job_world import a_request, lease, on
from runbook_world import World, a_book, a_library, a_step
from statements import statements
from structlog.testing import capture_logs

from dispatcher.agents.protocol import RunOrder
from dispatcher.agents.translate import to_orders
from dispatcher.core.errors import InvalidValue
from dispatcher.core.inputs import Input
from dispatcher.core.jobs import Options
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import State
from dispatcher.services.hall import Hall
from dispatcher.services.job_inputs import Called, Wanted
from dispatcher.services.leasing import Ask
from dispatcher.services.run_orders import LeasedRun

PLAY, COMMAND = UUID(int=0x4_000_8_000_000_000_000_0A1), UUID(int=0x4_000_8_000_000_000_000_0A2)
LIBRARY = f"""
modules:
  - name: Play
    id: {PLAY}
    parameters: [{{name: Step}}]
    tasks: [{{type: ansible_playbook, name: t, settings: {{playbook: '[]'}}}}]
  - {{name: Command, id: {COMMAND}, tasks: [{{type: command, name: t, settings: {{command: ls}}}}]}}
"""


@dataclass
class Provider:
    """Has inputs by what they are of and the agent, and remembers what it was asked for."""

    is_per_run = False
    has: dict[Wanted, list[Input]] = field(default_factory=dict)
    names: dict[str, Called] = field(default_factory=dict)
    asked: list[set[Wanted]] = field(default_factory=list)
    fails_for: set[UUID] = field(default_factory=set)

    def inputs(self, session: object, wanted: Collection[Wanted]) -> Mapping[Wanted, Sequence[Input]]:
        self.asked.append(set(wanted))
        if any(one.agent_id in self.fails_for for one in wanted):
            raise ValueError("canary: no number")
        return {key: self.has[key] for key in wanted if key in self.has}

    def called(self, session: object, of: str, name: str) -> Called:
        if name not in self.names:
            raise InvalidValue("operation", f"there is no operation {name}")
        return self.names[name]


@pytest.fixture
def provider(hall: Hall) -> Provider:
    provider = Provider()
    hall.job_inputs.provide("sheets", provider)
    return provider


@pytest.fixture
def agents(hall: Hall, enrol: Callable[..., UUID], load_library: Callable[[str], None]) -> list[UUID]:
    load_library(LIBRARY)
    return [enrol("one"), enrol("two")]


def of(text: str, provider: str = "sheets") -> Options:
    return {"inputs": {"provider": provider, "of": text}}


def submit(hall: Hall, agents: Sequence[UUID], what: UUID = PLAY, options: Options | None = None) -> UUID:
    return hall.scheduling.submit(a_request(what, who=on(*agents), options=options), SYSTEM).id


def leased(hall: Hall, *agents: UUID) -> list[list[LeasedRun]]:
    """Let the agents fetch together what waits for them."""
    return [runs for runs, _ in hall.leasing.orders_of([Ask(agent, 9, []) for agent in agents])]


def test_each_run_gets_what_there_is_for_its_agent(
    hall: Hall, provider: Provider, agents: list[UUID], secrets: Any
) -> None:
    one, two = agents
    first, second = Wanted("op", one), Wanted("op", two)
    provider.has[first] = [Input("a", 1), Input("b", secrets.seal("s3cret"), is_secret=True)]
    submit(hall, agents, options=of("op"))
    [[run], [other]] = leased(hall, one, two)
    assert provider.asked == [{first, second}]
    assert (run.inputs, other.inputs) == ([Input("a", 1), Input("b", "s3cret", is_secret=True)], [])
    order, bare = to_orders([run, other])
    assert (order.inputs, bare.inputs) == (run.inputs, [])
    assert RunOrder.model_validate_json(order.model_dump_json()).inputs == run.inputs
    assert "s3cret" not in repr(run)


def test_a_run_that_is_handed_over_at_once_has_them_too(
    hall: Hall, provider: Provider, agents: list[UUID], wakeup: Any
) -> None:
    wakeup.slots.add(agents[0])
    provider.has[Wanted("op", agents[0])] = [Input("a", "b")]
    submit(hall, agents[:1], options=of("op"))
    [(_, run_id)] = wakeup.handed
    [run] = hall.leasing.lent([run_id])[agents[0]]
    assert run.inputs == [Input("a", "b")]


def test_who_has_no_use_for_inputs_is_asked_for_none(
    hall: Hall, provider: Provider, agents: list[UUID], datastore: Any
) -> None:
    counts = []
    for what, options in ((COMMAND, None), (COMMAND, of("op")), (PLAY, None)):
        submit(hall, agents[:1], what, options)
        lease(hall, agents[0], 0)
        with statements(datastore) as sent:
            assert leased(hall, agents[0])[0][-1].inputs == []
        counts.append(len(sent))
    assert provider.asked == []
    assert len(set(counts)) == 1


def test_what_cannot_be_had_fails_its_run_alone(hall: Hall, provider: Provider, agents: list[UUID]) -> None:
    one, two = agents
    provider.has[Wanted("op", one)] = [Input("b", "v1:bm9uZQ==", is_secret=True)]
    job, unknown = submit(hall, agents, options=of("op")), submit(hall, agents[:1], options=of("op", "nobody"))
    [mine, others] = leased(hall, one, two)
    assert (mine, len(others)) == ([], 1)
    states = {run.agent.name: (run.state, run.reason) for run in hall.results.collect(job, False, SYSTEM)[0].runs}
    assert states["one"] == (State.FAILED, "a stored secret cannot be decrypted with this key file")
    [result] = hall.results.collect(unknown, False, SYSTEM)
    assert [(run.state, run.reason) for run in result.runs] == [(State.FAILED, "nobody gives the inputs of nobody")]


def test_a_provider_that_fails_keeps_nobody_from_other_runs(
    hall: Hall, provider: Provider, agents: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider, "asked", None)
    job = submit(hall, agents[:1], options=of("op"))
    submit(hall, agents[:1], COMMAND)
    [[other]] = leased(hall, agents[0])
    assert other.modules[0].document["name"] == "Command"
    [result] = hall.results.collect(job, False, SYSTEM)
    assert [run.reason for run in result.runs] == ["its inputs could not be found: see the log"]


@pytest.mark.parametrize("defect", ["provider", "opening"])
def test_a_defect_fails_its_own_run_and_is_logged_without_values(
    hall: Hall, provider: Provider, agents: list[UUID], defect: str
) -> None:
    one, two = agents
    if defect == "provider":
        provider.fails_for.add(one)
    else:
        provider.has[Wanted("op", one)] = [Input("p", 5_550_123, is_secret=True)]  # never sealed
    provider.has[Wanted("op", two)] = [Input("a", 1)]
    job = submit(hall, agents, options=of("op"))
    with capture_logs() as logs:
        [mine, [other]] = leased(hall, one, two)
    assert (mine, other.inputs) == ([], [Input("a", 1)])
    states = {run.agent.name: (run.state, run.reason) for run in hall.results.collect(job, False, SYSTEM)[0].runs}
    assert states["one"] == (State.FAILED, "its inputs could not be found: see the log")
    [told] = [entry for entry in logs if entry["event"] == "inputs.failed"]
    assert told["error"] == {"provider": "ValueError", "opening": "AttributeError"}[defect]
    assert "job_inputs.py" in str(told["frames"])
    assert not any(text in str(logs) for text in ("canary", "5550123"))


@pytest.mark.parametrize(
    "inputs", ["op", {}, {"provider": "x"}, {"provider": "", "of": "x"}, {"provider": 1, "of": "x"}]
)
def test_the_option_is_checked(hall: Hall, agents: list[UUID], inputs: Any) -> None:
    with pytest.raises(InvalidValue, match="Options/inputs"):
        submit(hall, agents, options={"inputs": inputs})


@pytest.fixture
def world(hall: Hall, provider: Provider, agents: list[UUID], clock: Any, load_library: Callable[[str], None]) -> World:
    inner = a_book(a_step("x", what="module: Play"), name="Inner", key=UUID(int=7))
    steps = [
        a_step("a", what="module: Play"),
        a_step("b", "operation: second", what="runbook: Inner"),
        a_step("c", "operation: none, on_error: continue", what="module: Play"),
        a_step("d", what="runbook: Inner"),
    ]
    text = a_library(inner, a_book(*steps))
    load_library(text.replace("modules:", LIBRARY.strip(), 1))
    provider.names["second"] = Called("op-2", [agents[1]])
    for agent in agents:
        for one in ("op-1", "op-2"):
            provider.has[Wanted(one, agent)] = [Input("is", one)]
    return World(hall, clock, agents)


def test_steps_have_the_inputs_of_their_run_book_unless_they_call_others(world: World) -> None:
    def running() -> list[tuple[UUID, str]]:
        world.running()
        [held] = world.held.values()
        return [(agent, run.inputs[0].value) for agent, run in held]

    one, two = world.agents
    world.start(one, options=of("op-1"))
    assert running() == [(one, "op-1")]
    world.end("a")
    # The called run book, and its step, run on those whom its own inputs are for.
    assert running() == [(two, "op-2")]
    world.end("x")
    assert world.jobs()["c"].state is State.FAILED
    assert "there is no operation none" in world.jobs()["c"].reason
    assert running() == [(one, "op-1")]
    world.end("x")
    assert world.jobs()["R"].state is State.COMPLETED_WITH_ERRORS


def test_without_inputs_a_step_calls_none(world: World, provider: Provider) -> None:
    world.start(world.agents[0])
    world.end("a")
    world.end("x")
    world.end("c")
    world.end("x")
    assert world.jobs()["R"].state is State.COMPLETED
    assert provider.asked == []
