"""The library shows callers what they may see, and the scheduler always the newest version."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from statements import statements

from dispatcher.core.errors import Forbidden, WhatNotFound
from dispatcher.core.jobs import ParameterSet, WhatKind
from dispatcher.core.permissions import ANONYMOUS, Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore import revisions
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.library.catalogue import Library, LibraryEntry
from dispatcher.services.library.importing import import_texts
from dispatcher.services.secrets import Secrets

Load = Callable[[str], object]
NOBODY = Caller("nobody")
UNKNOWN = UUID("00000000-0000-7000-8000-00000000ffff")

SAMPLE = """
modules:
  - name: beta
    folder: Demo/Files
    description: second
    parameters:
      - {name: Used, value: a}
      - {name: Unused, value: b}
      - {name: In script, value: c}
      - {name: Account, type: credentials, value: me, password: secret}
      - {name: Word, type: password, value: secret}
      - {name: Fixed, value: d, input: false}
      - {name: Result, value: none, input: false, output: true}
    tasks:
      - {name: a, type: command, settings: {command: 'echo $[Word] $[Used] $[Fixed]'}}
      - {name: b, type: script, settings: {language: python, text: 'PARAM_In_0x20_script PARAM_Account_PASSWORD'}}
      - {name: c, type: command, enabled: false, settings: {command: 'echo $[Unused]'}}
  - {name: Alpha}
  - {name: Gone, enabled: false}
projects:
  - name: P
    parameters: [{name: Linked}, {name: Idle}]
    modules: [{module: beta, parameters: {Used: 'x $[Linked]'}}]
runbooks:
  - name: R
    parameters: [{name: Linked}, {name: Idle}, {name: Computer}]
    steps: [{name: s, project: P, who: [{parameter: Computer}], parameters: {Linked: '$[Linked]'}}]
"""


@pytest.fixture
def load(datastore: Datastore, ports: Ports, secrets: Secrets) -> Load:
    return lambda text: import_texts(datastore, ports, secrets, {"a.yaml": text.encode()})


@pytest.fixture
def library(datastore: Datastore, ports: Ports, secrets: Secrets) -> Library:
    return Library(datastore, secrets)


def what_id(library: Library, kind: WhatKind, name: str) -> UUID:
    return next(what.id for what in library.whats(kind, ANONYMOUS) if what.name == name)


def names(found: ParameterSet) -> list[str]:
    return [parameter.name for parameter in found.parameters]


def test_enabled_objects_are_listed_by_name(library: Library, load: Load) -> None:
    load(SAMPLE)
    whats = library.whats(WhatKind.MODULE, ANONYMOUS)
    assert [(what.name, what.folder, what.description) for what in whats] == [
        ("Alpha", "", ""),
        ("beta", "Demo/Files", "second"),
    ]
    assert {what.kind for what in whats} == {WhatKind.MODULE}
    assert [what.name for what in library.whats(WhatKind.RUNBOOK, ANONYMOUS)] == ["R"]


def test_lists_are_empty_without_the_right(library: Library, load: Load) -> None:
    load(SAMPLE)
    assert library.whats(WhatKind.MODULE, NOBODY) == []
    reader = Caller("reader", {Node.PROJECTS: Right.READ})
    assert library.whats(WhatKind.MODULE, reader) == []
    assert [what.name for what in library.whats(WhatKind.PROJECT, reader)] == ["P"]


def test_a_caller_cannot_change_the_list_of_others(library: Library, load: Load) -> None:
    load(SAMPLE)
    library.whats(WhatKind.MODULE, ANONYMOUS).clear()
    assert len(library.whats(WhatKind.MODULE, ANONYMOUS)) == 2


def test_inputs_are_what_tasks_use_in_declared_order(library: Library, load: Load) -> None:
    load(SAMPLE)
    found = library.inputs(WhatKind.MODULE, what_id(library, WhatKind.MODULE, "beta"), ANONYMOUS)
    assert names(found) == ["Used", "In script", "Account", "Word"]
    assert found.what.name == "beta"
    assert found.job_id is None


def test_secrets_are_masked(library: Library, load: Load) -> None:
    load(SAMPLE)
    found = library.inputs(WhatKind.MODULE, what_id(library, WhatKind.MODULE, "beta"), ANONYMOUS)
    values = {parameter.name: (parameter.value1, parameter.value2) for parameter in found.parameters}
    assert values["Account"] == ("me", "")
    assert values["Word"] == ("", "")


def test_inputs_of_projects_and_run_books_are_what_links_and_steps_use(library: Library, load: Load) -> None:
    load(SAMPLE)
    project = library.inputs(WhatKind.PROJECT, what_id(library, WhatKind.PROJECT, "P"), ANONYMOUS)
    assert names(project) == ["Linked"]
    runbook = library.inputs(WhatKind.RUNBOOK, what_id(library, WhatKind.RUNBOOK, "R"), ANONYMOUS)
    assert names(runbook) == ["Linked", "Computer"]


def test_outputs(library: Library, load: Load) -> None:
    load(SAMPLE)
    found = library.outputs(WhatKind.MODULE, what_id(library, WhatKind.MODULE, "beta"), ANONYMOUS)
    assert [(parameter.name, parameter.value1) for parameter in found.parameters] == [("Result", "none")]
    assert names(library.outputs(WhatKind.MODULE, what_id(library, WhatKind.MODULE, "Alpha"), ANONYMOUS)) == []


@pytest.mark.parametrize("ask", [Library.inputs, Library.outputs])
def test_unknown_ids_wrong_kinds_and_missing_rights(
    library: Library, load: Load, ask: Callable[[Library, WhatKind, UUID, Caller], ParameterSet]
) -> None:
    load(SAMPLE)
    module = what_id(library, WhatKind.MODULE, "beta")
    with pytest.raises(WhatNotFound):
        ask(library, WhatKind.MODULE, UNKNOWN, ANONYMOUS)
    with pytest.raises(WhatNotFound):
        ask(library, WhatKind.PROJECT, module, ANONYMOUS)
    with pytest.raises(Forbidden):
        ask(library, WhatKind.MODULE, module, NOBODY)


def _definition(library: Library, datastore: Datastore, kind: WhatKind, key: UUID) -> LibraryEntry | None:
    with datastore.read() as session:
        return library.definition(session, kind, key)


def test_a_definition_is_the_newest_with_secrets_open(library: Library, load: Load, datastore: Datastore) -> None:
    load(SAMPLE)
    key = what_id(library, WhatKind.MODULE, "beta")
    entry = _definition(library, datastore, WhatKind.MODULE, key)
    assert entry is not None
    assert (entry.kind, entry.id, entry.name, entry.enabled) == (WhatKind.MODULE, key, "beta", True)
    assert [(one.name, one.value1) for one in entry.parameters][:2] == [("Used", "a"), ("Unused", "b")]
    assert (entry.parameters[3].value2, entry.parameters[4].value1) == ("secret", "secret")
    load(SAMPLE.replace("value: a", "value: z"))
    newer = _definition(library, datastore, WhatKind.MODULE, key)
    assert newer is not None
    assert newer.parameters[0].value1 == "z"
    assert newer.definition_id != entry.definition_id
    assert _definition(library, datastore, WhatKind.PROJECT, key) is None
    assert _definition(library, datastore, WhatKind.MODULE, UNKNOWN) is None


def test_disabling_is_seen_although_it_makes_no_version(library: Library, load: Load, datastore: Datastore) -> None:
    load("modules: [{name: M}]")
    key = what_id(library, WhatKind.MODULE, "M")
    before = _definition(library, datastore, WhatKind.MODULE, key)
    load("modules: [{name: M, enabled: false}]")
    after = _definition(library, datastore, WhatKind.MODULE, key)
    assert before is not None
    assert after is not None
    assert (before.enabled, after.enabled) == (True, False)
    assert before.definition_id == after.definition_id
    assert library.whats(WhatKind.MODULE, ANONYMOUS) == []


def test_a_definition_that_is_kept_costs_one_query_or_none(library: Library, load: Load, datastore: Datastore) -> None:
    load(SAMPLE)
    key = what_id(library, WhatKind.MODULE, "beta")
    entry = _definition(library, datastore, WhatKind.MODULE, key)
    with statements(datastore) as sent:
        assert _definition(library, datastore, WhatKind.MODULE, key) is entry
    assert [text.split()[0] for text in sent] == ["BEGIN", "SELECT"]
    with datastore.read() as session:
        assert revisions.current(session)
        with statements(datastore) as sent:
            assert library.definition(session, WhatKind.MODULE, key) is entry
    assert sent == []


class _RollBackError(Exception):
    pass


def test_what_is_rolled_back_is_never_kept(
    library: Library, load: Load, datastore: Datastore, ports: Ports, secrets: Secrets
) -> None:
    load("modules: [{name: M, parameters: [{name: P, value: old}]}]")
    key = what_id(library, WhatKind.MODULE, "M")

    def change_and_look() -> str:
        with datastore.begin() as session:
            text = b"modules: [{name: M, parameters: [{name: P, value: lost}]}]"
            import_texts(datastore, ports, secrets, {"b.yaml": text})
            entry = library.definition(session, WhatKind.MODULE, key)
            assert entry is not None
            raise _RollBackError(entry.parameters[0].value1)

    with pytest.raises(_RollBackError, match="lost"):
        change_and_look()
    load("modules: [{name: M, parameters: [{name: P, value: new}]}]")
    entry = _definition(library, datastore, WhatKind.MODULE, key)
    assert entry is not None
    assert entry.parameters[0].value1 == "new"


def test_many_threads_see_every_change(library: Library, load: Load, datastore: Datastore) -> None:
    load("modules: [{name: M, parameters: [{name: P, value: 0}]}]")
    key = what_id(library, WhatKind.MODULE, "M")

    def look(_: int) -> int:
        entry = _definition(library, datastore, WhatKind.MODULE, key)
        assert entry is not None
        return int(entry.parameters[0].value1)

    with ThreadPoolExecutor(4) as pool:
        for value in range(1, 6):
            load(f"modules: [{{name: M, parameters: [{{name: P, value: {value}}}]}}]")
            assert set(pool.map(look, range(40))) == {value}
