"""What the audit tells of an import: every object that it makes or changes, member by member, and no secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.audit import Audit
from dispatcher.services.library.problems import LibraryErrors

FIRST = """
modules:
  - name: Copy
    id: 00000000-0000-4000-8000-000000000001
    folder: Demo
    parameters: [{name: Line, type: text, value: hello}, {name: Password, type: password, value: s3cret}]
    tasks: [{type: command, name: copy, settings: {command: 'echo "$[Line]"'}}]
projects: [{name: P, modules: [{module: Copy, parameters: {Password: 0pen}}]}]
runbooks: [{name: R, steps: [{name: go, project: P, who: [{ask: true}]}]}]
agents: [{name: one}, {name: two}]
teams: [{name: T, agents: [one]}, {name: U}]
"""


@pytest.fixture
def told(datastore: Datastore, load_library: Callable[[str], None]) -> Callable[[str], dict[str, tuple[Any, Any]]]:
    """Import a library, and return the old and new values of each entry that this made, by its action and name."""

    def told(text: str) -> dict[str, tuple[Any, Any]]:
        before = len(Audit(datastore).list(SYSTEM, limit=1_000))
        load_library(text)
        found = Audit(datastore).list(SYSTEM, limit=1_000)
        entries = found[: len(found) - before][::-1]
        assert {entry.login for entry in entries} <= {"system"}
        return {f"{entry.action} {entry.subject.name}": (entry.old, entry.new) for entry in entries}

    return told


def test_what_is_made_has_no_old_values(told: Any) -> None:
    made = told(FIRST)
    kinds = ["module", "project", "runbook", "agent", "agent", "team", "team"]
    assert [entry.partition(".")[0] for entry in made] == kinds
    assert made["module.created Copy"] == (None, {"name": "Copy", "folder": "Demo", "version": 1})
    assert made["agent.created one"] == (None, {"name": "one"})
    old, new = made["team.created T"]
    assert (old, new["agents"]) == (None, ["one"])


def test_importing_the_same_again_is_not_recorded(told: Any) -> None:
    told(FIRST)
    assert told(FIRST) == {}


def test_members_that_differ_are_told_and_what_contains_them_has_a_new_version(told: Any) -> None:
    told(FIRST)
    changed = told(FIRST.replace("value: hello", "value: bye").replace("echo", "printf").replace("Demo", "Other"))
    assert changed == {
        "module.changed Copy": (
            {
                "folder": "Demo",
                "version": 1,
                "parameters/Line/value": "hello",
                "tasks/copy/settings/command": 'echo "$[Line]"',
            },
            {
                "folder": "Other",
                "version": 2,
                "parameters/Line/value": "bye",
                "tasks/copy/settings/command": 'printf "$[Line]"',
            },
        ),
        "project.changed P": ({"version": 1}, {"version": 2}),
        "runbook.changed R": ({"version": 1}, {"version": 2}),
    }


def test_secrets_are_changed_and_not_shown(told: Any) -> None:
    told(FIRST)
    changed = told(FIRST.replace("s3cret", "t0ps3cret").replace("0pen", "c1osed"))
    assert changed["module.changed Copy"] == (
        {"version": 1, "parameters/Password/value": "********"},
        {"version": 2, "parameters/Password/value": "changed"},
    )
    assert changed["project.changed P"] == (
        {"version": 1, "modules/Copy/parameters/Password": "********"},
        {"version": 2, "modules/Copy/parameters/Password": "changed"},
    )


def test_what_is_disabled_has_no_new_version_and_is_told_all_the_same(told: Any) -> None:
    idle = "modules: [{name: M, tasks: [{type: command, name: t, enabled: false, settings: {command: 'true'}}]}]"
    told(idle)
    assert told(idle.replace("'true'", "'false'")) == {"module.changed M": ({}, {"disabled": "changed"})}
    old, new = told(idle.replace("enabled: false", "enabled: true"))["module.changed M"]
    assert old == {"version": 1, "tasks": []}
    assert (new["version"], new["tasks"], new["tasks/t/settings/command"]) == (2, ["t"], "true")


def test_where_much_differs_only_how_much_is_told(told: Any) -> None:
    def tasks(word: str) -> str:
        one = "{{type: command, name: t{0}, settings: {{command: '{1}'}}}}"
        return f"modules: [{{name: M, tasks: [{', '.join(one.format(number, word) for number in range(51))}]}}]"

    told(tasks("true"))
    changed = told(tasks("false"))
    assert changed == {"module.changed M": ({"version": 1}, {"version": 2, "changed members": 51})}


def test_teams_and_agents_are_told_by_name(told: Any) -> None:
    told(FIRST)
    changed = told("agents: [{name: two, primary_team: T, address: 10.0.0.2}]\nteams: [{name: T, agents: [two]}]")
    assert changed == {
        "agent.changed two": (
            {"address": "", "primary_team": None},
            {"address": "10.0.0.2", "primary_team": "T"},
        ),
        "team.changed T": ({"agents": ["one"]}, {"agents": ["two"]}),
    }
    changed = told("teams: [{name: T, rule: 'true', launch_window: 'Mon-Fri 20:00-06:00'}]")
    assert changed["team.changed T"][0] == {"rule": None, "launch_window": None}


def test_aliases_are_told(told: Any) -> None:
    told(FIRST)
    changed = told("teams: [{name: T, aliases: {opsramp: {tenant: t1}}}]")
    assert changed == {"team.changed T": ({"aliases": []}, {"aliases": ["opsramp/tenant/t1"]})}


def test_an_import_with_a_mistake_is_not_recorded(told: Any, datastore: Datastore) -> None:
    with pytest.raises(LibraryErrors):
        told(FIRST + "  - {name: V, agents: [nobody]}\n")
    assert Audit(datastore).list(SYSTEM) == []
