"""Grant targets are found by every name that people have for them, and told by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from statements import statements

from dispatcher.core.errors import InvalidValue
from dispatcher.core.permissions import Node, Thing
from dispatcher.core.ports import Ports
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.logins import WHOLE_NODE
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.grant_targets import TargetNames, find

COPY, PC = UUID("00000000-0000-4000-8000-000000000001"), UUID("00000000-0000-4000-8000-000000000002")
LIBRARY = f"""
modules: [{{name: Copy, id: {COPY}, folder: Demo/Files}}]
agents: [{{name: PC-1, id: {PC}, primary_team: Ring}}]
teams: [{{name: Ring, folder: Rings, agents: [PC-1]}}]
"""


@pytest.fixture
def session(datastore: Datastore, load_library: Callable[[str], None]) -> Iterator[Session]:
    load_library(LIBRARY)
    with datastore.begin() as session:
        yield session


@pytest.mark.parametrize("text", ["Library/Modules/Demo/Files/Copy", "library/modules/COPY", f" {COPY} "])
def test_an_object_is_found_by_path_name_and_id(session: Session, text: str) -> None:
    found = find(session, text)
    assert (found.key, found.text) == (COPY, "Library/Modules/Demo/Files/Copy")
    assert found.thing == Thing(Node.MODULES, COPY, "Demo/Files")


def test_an_agent_comes_with_its_primary_team(session: Session) -> None:
    thing = find(session, "Topology/Agents/pc-1").thing
    assert thing is not None
    assert thing.team is not None
    assert thing.team.folder == "Rings"


@pytest.mark.parametrize("text", ["Jobs/Results", "jobs/results/"])
def test_a_whole_node(session: Session, ports: Ports, text: str) -> None:
    found = find(session, text)
    assert (found.node, found.text, found.thing) == (Node.RESULTS, "Jobs/Results", None)
    assert found.stored_key(session, ports) == WHOLE_NODE


def test_a_folder_of_folders_gets_a_row_when_a_right_is_stored(session: Session, ports: Ports) -> None:
    found = find(session, "Library/Modules/DEMO/")
    assert (found.key, found.text) == (None, "Library/Modules/Demo/")
    key = found.stored_key(session, ports)
    assert session.scalars(select(Folder.path).where(Folder.id == key)).one() == "Demo"
    assert find(session, "Library/Modules/Demo/").stored_key(session, ports) == key


@pytest.mark.parametrize("text", ["", "Copy", "Library/Modules/Dem/", "Jobs/Results/x", str(UUID(int=9))])
def test_what_is_not_there_is_refused(session: Session, text: str) -> None:
    with pytest.raises(InvalidValue, match=r"^object: "):
        find(session, text)


def test_names_of_targets_read_each_node_once(session: Session, datastore: Datastore) -> None:
    names = TargetNames(session)
    with statements(datastore) as seen:
        assert names.of(Node.MODULES, WHOLE_NODE) == "Library/Modules"
        assert names.of(Node.MODULES, UUID(int=9), "Demo") == "Library/Modules/Demo/"
        assert seen == []
        for _ in range(3):
            assert names.of(Node.MODULES, COPY) == "Library/Modules/Demo/Files/Copy"
            assert names.of(Node.MODULES, UUID(int=9)) == f"Library/Modules/{UUID(int=9)}"
            assert names.of(Node.AGENTS, PC) == "Topology/Agents/PC-1"
    assert len(seen) == 2
