"""Selections are kept of what is named, never of what anybody may do, and only until something of it changes."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.core.errors import DispatcherError, InvalidValue
from dispatcher.core.jobs import JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM, Caller, Node, Place, Right, RoleRights
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.library.catalogue import Library
from dispatcher.services.secrets import Secrets
from dispatcher.services.selections import Selections
from dispatcher.services.topology import Topology

MODULE, BOOK, ONE, RING, GONE = (UUID(int=(7 << 76) | (2 << 62) | number) for number in range(1, 6))
LIBRARY = f"""
modules: [{{name: List, id: {MODULE}, folder: Demo/Files}}]
runbooks: [{{name: All, id: {BOOK}, steps: [{{name: list, module: List, who: [{{ask: true}}]}}]}}]
agents: [{{name: PC-1, id: {ONE}, primary_team: Ring}}]
teams: [{{name: Ring, id: {RING}, folder: Rings/First}}]
"""
_NODES = [Node.MODULES, Node.RUNBOOKS, Node.AGENTS, Node.TEAMS]
_BELOW: list[Place] = [(Node.MODULES, MODULE), (Node.MODULES, "demo"), (Node.AGENTS, ONE), (Node.TEAMS, "rings")]
_GRANTS = st.dictionaries(st.sampled_from([*((node, None) for node in _NODES), *_BELOW]), st.sampled_from(Right))


def a_request(*who: WhoChoice, what: UUID = MODULE, kind: WhatKind = WhatKind.MODULE) -> JobRequest:
    return JobRequest([WhatChoice(what, kind)], [*who], When())


PC_1, TEAM = WhoChoice([ONE], WhoKind.AGENT), WhoChoice(["Ring"], WhoKind.TEAM)
REQUESTS = [
    *(a_request(who) for who in (PC_1, TEAM, WhoChoice(["pc-1"], WhoKind.AGENT), WhoChoice(["PC-2"], WhoKind.AGENT))),
    a_request(TEAM, PC_1),
    a_request(PC_1, what=BOOK, kind=WhatKind.RUNBOOK),
    a_request(PC_1, what=GONE),
]


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


@pytest.fixture
def new(datastore: Datastore, ports: Ports, secrets: Secrets) -> Callable[[], Selections]:
    return lambda: Selections(Library(datastore, secrets), Topology(datastore, ports))


def found(selections: Selections, datastore: Datastore, request: JobRequest, caller: Caller) -> object:
    """Return what the selection says, or what is wrong with it."""
    with datastore.begin() as session:
        try:
            selection = selections.find(session, request, caller)
        except DispatcherError as error:
            return type(error), error.message
    return [entry.id for entry in selection.entries], selection.who, selection.columns


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_what_others_have_named_gives_nobody_a_right(
    new: Callable[[], Selections], datastore: Datastore, data: st.DataObject
) -> None:
    roles = [RoleRights("R", data.draw(_GRANTS)) for _ in range(data.draw(st.integers(0, 2)))]
    bob = Caller.of("bob", roles, data.draw(st.booleans()))
    kept = new()
    for request in REQUESTS:
        found(kept, datastore, request, SYSTEM)
    for request in REQUESTS:
        assert found(kept, datastore, request, bob) == found(new(), datastore, request, bob)


def test_a_change_is_seen_at_once(
    new: Callable[[], Selections], datastore: Datastore, load_library: Callable[[str], None]
) -> None:
    kept = new()
    for text in (
        f"modules: [{{name: Lists, id: {MODULE}}}]",
        f"agents: [{{name: PC-7, id: {ONE}}}]",
        f"agents: [{{name: PC-8, id: {ONE}}}, {{name: PC-1, id: {GONE}}}]",
        f"modules: [{{name: Lists, id: {MODULE}, enabled: false}}]",
    ):
        for request in REQUESTS:
            found(kept, datastore, request, SYSTEM)
        load_library(text)
        for request in REQUESTS:
            assert found(kept, datastore, request, SYSTEM) == found(new(), datastore, request, SYSTEM)


def test_what_is_disabled_is_for_the_job_that_has_it_alone(
    new: Callable[[], Selections], datastore: Datastore, load_library: Callable[[str], None]
) -> None:
    kept = new()
    load_library(f"modules: [{{name: List, id: {MODULE}, enabled: false}}]")
    with datastore.begin() as session:
        assert kept.find(session, a_request(PC_1), SYSTEM, {MODULE}).entries
        with pytest.raises(InvalidValue, match="no module"):
            kept.find(session, a_request(PC_1), SYSTEM)


def test_what_clients_can_make_longer_at_will_is_not_kept(new: Callable[[], Selections], datastore: Datastore) -> None:
    kept = new()
    request = a_request(WhoChoice([ONE, "PC-1" + " " * 1_000], WhoKind.AGENT))
    with datastore.begin() as session:
        assert kept.find(session, request, SYSTEM) is not kept.find(session, request, SYSTEM)
        assert kept.find(session, a_request(PC_1), SYSTEM) is kept.find(session, a_request(PC_1), SYSTEM)
        many = a_request(*[PC_1] * 50)
        assert kept.find(session, many, SYSTEM) is not kept.find(session, many, SYSTEM)
