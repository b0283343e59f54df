"""Workspace folders: what was made in a workspace stays its own when the workspace gets other names."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from exastro_world import a_scope
from sqlalchemy import select

from dispatcher.core.permissions import SYSTEM, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.exastro_ita import ItaWorkspace
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.logins import Grant
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.conductors import Conductors
from dispatcher.services.exastro_ita.playbooks import Playbooks
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.library.problems import LibraryErrors
from dispatcher.services.roles import Roles
from dispatcher.services.secrets import Secrets

WS = "00000000-0000-4000-8000-0000000000a1"
RENAMED = f"workspaces: [{{name: new, id: {WS}, organization: org8, team: Ring 1}}]"
LIBRARY = f"""
teams: [{{name: Ring 1}}]
workspaces:
  - {{name: ws2, id: {WS}, organization: org9, team: Ring 1}}
  - {{name: ws22, organization: org9, team: Ring 1}}
modules:
  - {{name: own, folder: Exastro/org9/ws2, tasks: TASKS}}
  - {{name: below, folder: exastro/ORG9/ws2/More, tasks: TASKS}}
  - {{name: others, folder: Exastro/org9/ws22, tasks: TASKS}}
  - {{name: there, folder: Exastro/org8/new, tasks: TASKS}}
runbooks:
  - {{name: book, folder: Exastro/org9/ws2, steps: [{{name: s, module: Exastro/org9/ws2/own, who: [{{ask: true}}]}}]}}
""".replace("TASKS", "[{type: ansible_playbook, name: a, settings: {playbook: '[]'}}]")


@pytest.fixture
def seen(datastore: Datastore, ports: Ports, secrets: Secrets) -> Callable[[str], set[str]]:
    """Return the names of the playbooks and conductors that the workspace *name* sees."""

    def names(name: str) -> set[str]:
        library = (datastore, ports, secrets)
        with datastore.read() as session:
            row = session.scalars(select(ItaWorkspace).where(ItaWorkspace.name == name)).one()
            scope = a_scope(session, Workspace(row.id, row.organization, row.name, row.team_id))
            sources = Playbooks(*library), Conductors(*library)
            return {str(one.values[source.name]) for source in sources for one in source.read(scope)}

    return names


def test_what_was_made_in_a_workspace_goes_along_with_its_names(
    seen: Callable[[str], set[str]], load_library: Callable[[str], None]
) -> None:
    load_library(LIBRARY)
    assert (seen("ws2"), seen("ws22")) == ({"own", "below", "book", "there"}, {"others", "there"})
    load_library(RENAMED)
    assert (seen("new"), seen("ws22")) == ({"own", "below", "book", "there"}, {"others"})
    load_library("workspaces: [{name: ws2, organization: org9, team: Ring 1}]")
    assert seen("ws2") == set()
    load_library(RENAMED.replace("new", "NEW"))
    assert (seen("NEW"), seen("ws22")) == ({"own", "below", "book", "there"}, {"others"})


def test_rights_on_the_folder_go_along(datastore: Datastore, ports: Ports, load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)
    roles = Roles(datastore, ports)
    roles.add("Ops", SYSTEM)
    roles.grant("Ops", Right.DENY, "Library/Modules/Exastro/org9/ws2/", SYSTEM)
    load_library(RENAMED)
    with datastore.read() as session:
        query = select(Folder.path, Grant.right).join(Grant, Grant.target == Folder.id).order_by(Folder.path)
        found = session.execute(query).tuples().all()
    assert [*found] == [("Exastro/org8/new", Right.DENY), ("Exastro/org9/ws2", Right.DENY)]


def test_a_name_that_is_taken_where_it_would_go_is_told(
    seen: Callable[[str], set[str]], load_library: Callable[[str], None]
) -> None:
    load_library(LIBRARY.replace("name: there", "name: OWN"))
    with pytest.raises(LibraryErrors) as caught:
        load_library(RENAMED)
    assert [str(one) for one in caught.value.problems] == [
        "library.yaml:1: workspaces[0].name: module 'Exastro/org9/ws2/own' would go to 'Exastro/org8/new', "
        "where one has this name"
    ]
    assert seen("ws2") == {"own", "below", "book", "OWN"}
