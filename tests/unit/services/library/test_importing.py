"""Importing makes what the files say, all or nothing, and the second time there is nothing left to do."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select

from dispatcher.core.jobs import WhatKind
from dispatcher.core.ports import Ports
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.definitions import Definition
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.modules import Module, Task
from dispatcher.datastore.parameters import Parameter
from dispatcher.datastore.projects import Project
from dispatcher.datastore.revisions import LIBRARY, TOPOLOGY, Revision
from dispatcher.datastore.runbooks import RunBook, RunBookStep
from dispatcher.datastore.settings import Alias
from dispatcher.datastore.teams import Team, TeamMember
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.library.importing import ImportReport, import_files, import_texts
from dispatcher.services.library.items import Outcome
from dispatcher.services.library.problems import LibraryErrors
from dispatcher.services.secrets import Secrets

Load = Callable[[str], ImportReport]

SAMPLE = """
modules:
  - name: Append a line
    id: 5cf59e5a-343c-4d85-a83c-8b18e4731040
    folder: Demo/Files
    description: Appends a line of text to a file on the agent.
    platforms: [LINUX]
    parameters:
      - {name: Line, type: text, value: hello, hint: What to write}
      - {name: File, type: text, value: lines.txt}
      - {name: Level, type: list, value: low, choices: [low, high], labels: [Low, High]}
    tasks:
      - {type: command, name: append, settings: {command: 'echo "$[Line]" >> "$[File]"'}, timeout_s: 60,
         on_error: stop, repeatable: false}
projects:
  - {name: Prepare a computer, modules: [{module: Append a line, parameters: {Line: "$[Line]"}}]}
runbooks:
  - name: Patch ring
    parameters: [{name: Line, type: text, value: hello}]
    steps:
      - {name: first, module: Append a line, who: [{team: Pilot}], on_error: stop, parameters: {Line: "$[Line]"}}
agents:
  - {name: PC-042, id: 709824de-8315-4cf9-ad1c-b15aaf7bf2a5, address: 10.233.19.130, mac: '00:11:22:33:44:55',
     primary_team: Pilot}
teams:
  - {name: Pilot, agents: [PC-042], rule: 'os == "linux"'}
  - {name: Workspace one, rule: 'true', aliases: {exastro_ita: {workspace: organization_1/workspace_1}}}
"""
MODULE = "modules: [{name: M, parameters: [%s], tasks: [{name: t, type: command, settings: {command: 'echo %s'}}]}]"


@pytest.fixture
def load(datastore: Datastore, ports: Ports, secrets: Secrets) -> Load:
    return lambda text: import_texts(datastore, ports, secrets, {"a.yaml": text.encode()})


def problems_of(load: Load, text: str) -> list[str]:
    with pytest.raises(LibraryErrors) as caught:
        load(text)
    return [str(problem) for problem in caught.value.problems]


def revision(datastore: Datastore, name: str) -> int:
    with datastore.read() as session:
        return session.scalars(select(Revision.value).where(Revision.name == name)).one()


def newest(datastore: Datastore, kind: WhatKind, name: str) -> Definition:
    model: type[Module] | type[Project] | type[RunBook] = {0: Module, 1: Project, 2: RunBook}[kind]
    with datastore.read() as session:
        row = session.scalars(select(model).where(model.name == name)).one()
        query = select(Definition).where(Definition.object_id == row.id, Definition.version == row.version)
        return session.scalars(query).one()


def count(datastore: Datastore, model: type) -> int:
    with datastore.read() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_the_documented_sample_is_imported(datastore: Datastore, load: Load) -> None:
    report = load(SAMPLE)
    assert report.count(Outcome.CREATED) == len(report.entries) == 6
    with datastore.read() as session:
        module = session.scalars(select(Module)).one()
        assert str(module.id) == "5cf59e5a-343c-4d85-a83c-8b18e4731040"
        assert session.scalars(select(Folder.path).where(Folder.id == module.folder_id)).one() == "Demo/Files"
        assert (module.platforms, module.enabled, module.version) == (["LINUX"], True, 1)
        (task,) = session.scalars(select(Task))
        assert (task.type, task.timeout_s, task.on_error, task.repeatable) == ("command", 60.0, "stop", False)
        level = session.scalars(select(Parameter).where(Parameter.name == "Level")).one()
        assert (level.value1, level.value2, level.value3) == ("low", "low;high", "Low;High")
        agent = session.scalars(select(Agent)).one()
        pilot = session.scalars(select(Team).where(Team.name == "Pilot")).one()
        assert (agent.address, agent.macs, agent.primary_team_id) == ("10.233.19.130", ["00:11:22:33:44:55"], pilot.id)
        assert agent.enrolled_at is None
        assert session.scalars(select(TeamMember.agent_id)).one() == agent.id
        assert session.scalars(select(RunBookStep.who)).one() == [{"team": str(pilot.id)}]
        alias = session.scalars(select(Alias)).one()
        assert (alias.dialect, alias.kind, alias.external_id) == (
            "exastro_ita", "workspace", "organization_1/workspace_1")  # fmt: skip


def test_the_sample_in_the_documentation_is_imported(load: Load) -> None:
    text = (Path(__file__).parents[4] / "docs" / "library.rst").read_text()
    block = text.partition(".. code-block:: yaml\n")[2].partition("\n``dispatcher serve --demo``")[0]
    assert load(textwrap.dedent(block)).count(Outcome.CREATED) == 5


def test_importing_twice_changes_nothing(datastore: Datastore, load: Load) -> None:
    load(SAMPLE)
    before = [revision(datastore, name) for name in (LIBRARY, TOPOLOGY)], count(datastore, Definition)
    report = load(SAMPLE)
    assert report.count(Outcome.UNCHANGED) == 6
    assert ([revision(datastore, name) for name in (LIBRARY, TOPOLOGY)], count(datastore, Definition)) == before


def test_a_change_makes_new_versions_of_all_that_contain_it(datastore: Datastore, load: Load) -> None:
    load(SAMPLE)
    library, topology = revision(datastore, LIBRARY), revision(datastore, TOPOLOGY)
    report = load(SAMPLE.replace("lines.txt", "others.txt"))
    assert [entry.name for entry in report.entries if entry.outcome is Outcome.UPDATED] == ["Append a line"]
    assert newest(datastore, WhatKind.MODULE, "Append a line").version == 2
    assert newest(datastore, WhatKind.PROJECT, "Prepare a computer").version == 2
    runbook = newest(datastore, WhatKind.RUNBOOK, "Patch ring")
    assert runbook.version == 2
    assert runbook.document["steps"][0]["what"]["parameters"][1]["value1"] == "others.txt"
    assert revision(datastore, LIBRARY) != library
    assert revision(datastore, TOPOLOGY) == topology
    assert count(datastore, Definition) == 6


def test_what_no_definition_says_makes_no_version(datastore: Datastore, load: Load) -> None:
    load(SAMPLE)
    report = load(SAMPLE.replace("Appends a line of", "Adds some"))
    assert report.count(Outcome.UPDATED) == 1
    assert newest(datastore, WhatKind.MODULE, "Append a line").version == 1


def test_topology_changes_leave_the_library_alone(datastore: Datastore, load: Load) -> None:
    load(SAMPLE)
    library, topology = revision(datastore, LIBRARY), revision(datastore, TOPOLOGY)
    load("teams: [{name: Pilot, rule: 'os == \"windows\"'}]")
    assert revision(datastore, LIBRARY) == library
    assert revision(datastore, TOPOLOGY) != topology


def test_definitions_hold_what_they_contain(datastore: Datastore, load: Load) -> None:
    load(SAMPLE)
    project = newest(datastore, WhatKind.PROJECT, "Prepare a computer").document
    module = newest(datastore, WhatKind.MODULE, "Append a line").document
    assert project["modules"] == [{"module": module, "parameters": {"Line": "$[Line]"}}]
    assert module["tasks"][0]["settings"] == {"command": 'echo "$[Line]" >> "$[File]"'}
    assert module["id"] == "5cf59e5a-343c-4d85-a83c-8b18e4731040"


def test_a_link_of_the_same_name_hands_the_parameter_up(datastore: Datastore, load: Load) -> None:
    load(SAMPLE)
    (line,) = newest(datastore, WhatKind.PROJECT, "Prepare a computer").document["parameters"]
    assert (line["name"], line["value1"], line["hint"]) == ("Line", "hello", "What to write")


def test_what_is_disabled_is_left_out(datastore: Datastore, load: Load) -> None:
    text = """
modules:
  - {name: A, tasks: [{name: x, type: command, settings: {command: a}, enabled: false}]}
  - {name: B}
projects: [{name: P, modules: [{module: A}, {module: B}]}]
"""
    load(text)
    assert newest(datastore, WhatKind.MODULE, "A").document["tasks"] == []
    load("modules: [{name: B, enabled: false}]")
    assert [part["module"]["name"] for part in newest(datastore, WhatKind.PROJECT, "P").document["modules"]] == ["A"]
    load("modules: [{name: B}]")  # not said: stays disabled
    with datastore.read() as session:
        assert session.scalars(select(Module.enabled).where(Module.name == "B")).one() is False


def test_tasks_and_parameters_keep_their_ids(datastore: Datastore, load: Load) -> None:
    def rows() -> dict[str, tuple[UUID, int]]:
        with datastore.read() as session:
            tasks = {row.name: (row.id, 0) for row in session.scalars(select(Task))}
            return tasks | {row.name: (row.id, row.number) for row in session.scalars(select(Parameter))}

    load("modules: [{name: M, parameters: [{name: P}, {name: Q}], tasks: [{name: a, type: command, "
         "settings: {command: a}}, {name: b, type: command, settings: {command: b}}]}]")  # fmt: skip
    before = rows()
    load("modules: [{name: M, parameters: [{name: Z}, {name: Q, value: 2}, {name: P}], tasks: [{name: n, type: command,"
         " settings: {command: n}}, {name: b, type: command, settings: {command: c}}, "
         "{name: a, type: command, settings: {command: a}}]}]")  # fmt: skip
    after = rows()
    assert {name: after[name] for name in before} == before
    assert set(after) == {"a", "b", "n", "P", "Q", "Z"}


def test_an_id_moves_and_renames(datastore: Datastore, load: Load) -> None:
    load(SAMPLE)
    load("modules: [{id: 5cf59e5a-343c-4d85-a83c-8b18e4731040, folder: New, name: Renamed},"
         " {folder: Demo/Files, name: Append a line}]")  # fmt: skip
    with datastore.read() as session:
        assert sorted(session.scalars(select(Module.name))) == ["Append a line", "Renamed"]


def test_names_and_folders_are_the_same_in_any_case(datastore: Datastore, load: Load) -> None:
    load("modules: [{name: Hello, folder: Demo}]")
    assert load("modules: [{name: HELLO, folder: demo}]").count(Outcome.UPDATED) == 1
    assert count(datastore, Module) == count(datastore, Folder) == 1


def test_agents_and_teams_keep_what_is_not_said(datastore: Datastore, load: Load) -> None:
    load(SAMPLE)
    assert load("agents: [{name: PC-042}]\nteams: [{name: Pilot}]").count(Outcome.UNCHANGED) == 2
    load("teams: [{name: Pilot, rule: '', agents: []}]")
    with datastore.read() as session:
        assert session.scalars(select(Team.rule).where(Team.name == "Pilot")).one() is None
        assert session.scalars(select(TeamMember)).all() == []


def test_agents_may_share_a_name_when_they_have_ids(datastore: Datastore, load: Load) -> None:
    twins = ("agents: [{name: PC, id: 709824de-8315-4cf9-ad1c-b15aaf7bf2a5},"
             " {name: PC, id: 709824de-8315-4cf9-ad1c-b15aaf7bf2a6}]")  # fmt: skip
    load(twins)
    assert load(twins).count(Outcome.UNCHANGED) == 2
    assert problems_of(load, "agents: [{name: PC}]") == [
        "a.yaml:1: agents[0].name: several agents have this name: give the id"
    ]
    assert problems_of(load, "teams: [{name: T, agents: [PC]}]") == [
        "a.yaml:1: teams[0].agents[0]: several agents are called 'PC': give folder/name or the id"
    ]


def test_secrets_are_sealed_and_kept_when_they_are_not_given(
    datastore: Datastore, load: Load, secrets: Secrets
) -> None:
    text = MODULE % ("{name: W, type: password, value: s3cret}, "
                     "{name: A, type: credentials, value: me, password: pa55}", "$[A]")  # fmt: skip
    load(text)
    document = newest(datastore, WhatKind.MODULE, "M").document
    assert "s3cret" not in str(document)
    assert "pa55" not in str(document)
    assert secrets.open(document["parameters"][0]["value1"]) == "s3cret"
    assert secrets.open(document["parameters"][1]["value2"]) == "pa55"
    assert load(text).count(Outcome.UNCHANGED) == 1
    assert load(text.replace("value: s3cret", "value: ''").replace("pa55", "''")).count(Outcome.UNCHANGED) == 1
    load(text.replace("s3cret", "other"))
    document = newest(datastore, WhatKind.MODULE, "M").document
    assert secrets.open(document["parameters"][0]["value1"]) == "other"


def test_aliases_go_from_object_to_object(datastore: Datastore, load: Load) -> None:
    text = "teams: [{name: A, aliases: {opsramp: {tenant: %s}}}, {name: B, aliases: {opsramp: {tenant: %s}}}]"
    load(text % ("one", "two"))
    assert load(text % ("two", "one")).count(Outcome.UPDATED) == 2
    assert load("teams: [{name: A}]").count(Outcome.UNCHANGED) == 1
    assert load("teams: [{name: A, aliases: {}}]").count(Outcome.UPDATED) == 1
    assert count(datastore, Alias) == 1


def test_parameters_have_aliases(datastore: Datastore, load: Load) -> None:
    text = MODULE % ("{name: P, aliases: {opsramp: {parameter: '17'}}}", "$[P]")
    load(text)
    assert load(text).count(Outcome.UNCHANGED) == 1
    with datastore.read() as session:
        assert session.scalars(select(Alias.object_id)).one() == session.scalars(select(Parameter.id)).one()


def test_several_files_are_one(datastore: Datastore, ports: Ports, secrets: Secrets, tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text("projects: [{name: P, modules: [{module: M}]}]")
    other.write_text("modules: [{name: M}]")
    assert import_files(datastore, ports, secrets, [one, other]).count(Outcome.CREATED) == 2
    with pytest.raises(LibraryErrors) as caught:
        import_files(datastore, ports, secrets, [one, tmp_path / "none.yaml"])
    assert "none.yaml: cannot be read" in caught.value.message


def test_run_books_hold_run_books_in_any_order(datastore: Datastore, load: Load) -> None:
    load("""
runbooks:
  - {name: Outer, steps: [{name: s, runbook: Inner, who: [{ask: true}], parameters: {Line: "$[Line]"}}]}
  - name: Inner
    parameters: [{name: Line, value: hello}, {name: Computer}]
    steps: [{name: s, module: M, who: [{parameter: Computer}], parameters: {Text: "$[Line]"}}]
modules: [{name: M, parameters: [{name: Text}]}]
""")
    document = newest(datastore, WhatKind.RUNBOOK, "Outer").document
    assert document["parameters"][0]["value1"] == "hello"
    assert document["steps"][0]["kind"] == WhatKind.RUNBOOK
    assert document["steps"][0]["what"]["steps"][0]["who"] == [{"parameter": "Computer"}]


SECTIONS = "resources, modules, projects, runbooks, agents, teams"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("tasks: []", [f"a.yaml:1: tasks: no such section; there are {SECTIONS}"]),
        ("modules: x", ["a.yaml:1: modules: a section is a list"]),
        ("modules:\n  - x\n", ["a.yaml:2: modules[0]: holds members, such as name:"]),
        ("modules:\n  - {folder: x}\n", ["a.yaml:2: modules[0].name: is missing"]),
        ("modules:\n  - name: M\n    colour: red\n", ["a.yaml:3: modules[0].colour: is not known here"]),
        ("modules: [{name: M, id: 7}]", ["modules[0].id: is no id, such as 5cf59e5a-343c-4d85-a83c-8b18e4731040"]),
        ("modules: [{name: M}, {name: m}]", ["modules[1].name: is given twice"]),
        ("modules: [{name: M, platforms: [BEOS]}]", ["modules[0].platforms[0]: should be 'LINUX', 'WINDOWS' or 'M"]),
        ("modules: [{name: M, tasks: [{name: t, type: dance}]}]", ["modules[0].tasks[0].type: no task type 'dance'"]),
        ("modules:\n  - name: M\n    tasks:\n      - {name: t, type: command, settings:\n          {kommand: x}}\n",
         ["a.yaml:4: modules[0].tasks[0].settings.command: is missing",
          "a.yaml:5: modules[0].tasks[0].settings.kommand: is not known here"]),
        (MODULE % ("", "$[Nope]"), ["modules[0].tasks[0].settings: $[Nope] is not declared"]),
        (MODULE % ("{name: P}", "''$[P]''"), ["modules[0].tasks[0].settings: line 1: "]),
        (MODULE % ("{name: P, type: list, choices: [a, b], value: c}", "x"),
         ["modules[0].parameters[0].value: 'c' is none of a, b"]),
        (MODULE % ("{name: P, type: list, choices: [a, b]}", "x"),
         ["modules[0].parameters[0].value: '' is none of a, b"]),
        (MODULE % ("{name: P, type: multiselect, choices: [a, b], value: [a, c]}", "x"),
         ["modules[0].parameters[0].value: 'c' is none of a, b"]),
        (MODULE % ("{name: P, type: list, choices: [a;b]}", "x"), ["modules[0].parameters[0].choices[0]: "]),
        (MODULE % ("{name: P, type: list, value: a, choices: [a], labels: [A, B]}", "x"),
         ["modules[0].parameters[0].labels: 2 labels for 1 choices"]),
        (MODULE % ("{name: P, choices: [a]}", "x"),
         ["modules[0].parameters[0].choices: a parameter of type text has no choices"]),
        (MODULE % ("{name: P, password: x}", "x"),
         ["modules[0].parameters[0].password: a parameter of type text has no password"]),
        (MODULE % ("{name: 'P[1]'}", "x"), ["modules[0].parameters[0].name: "]),
        (MODULE % ("{name: P}, {name: p}", "x"), ["modules[0].parameters[1].name: another parameter is called 'p'"]),
        ("modules: [{name: M, tasks: [{name: t, type: command, settings: {command: x}, timeout_s: 0}]}]",
         ["modules[0].tasks[0].timeout_s: should be greater than 0"]),
        ("modules: [{name: M, tasks: [{name: t, type: command, settings: {command: x}, on_error: ignore}]}]",
         ["modules[0].tasks[0].on_error: should be 'stop' or 'continue'"]),
        ("projects: [{name: P, modules: [{module: X}]}]", ["projects[0].modules[0].module: no module is called 'X'"]),
        ("modules: [{name: M}]\nprojects: [{name: P, modules: [{module: M, parameters: {Q: x}}]}]",
         ["a.yaml:2: projects[0].modules[0].parameters.Q: there is no parameter 'Q'"]),
        ("modules: [{name: M, parameters: [{name: Q}]}]\n"
         "projects: [{name: P, modules: [{module: M, parameters: {Q: '$[R]'}}]}]",
         ["a.yaml:2: projects[0].modules[0].parameters.Q: $[R] is not declared"]),
        ("modules: [{name: M, parameters: [{name: Q, type: list, choices: [a], value: a}]}]\n"
         "projects: [{name: P, modules: [{module: M, parameters: {Q: b}}]}]",
         ["a.yaml:2: projects[0].modules[0].parameters.Q: 'b' is none of a"]),
        ("runbooks: [{name: R, steps: [{name: s, who: [{ask: true}]}]}]",
         ["runbooks[0].steps[0]: a step has one of module, project and runbook"]),
        ("modules: [{name: M}]\nrunbooks: [{name: R, steps: [{name: s, module: M}]}]",
         ["a.yaml:2: runbooks[0].steps[0].who: names nobody"]),
        ("modules: [{name: M}]\nrunbooks: [{name: R, steps: [{name: s, module: M, who: [{ask: true, team: T}]}]}]\n"
         "teams: [{name: T}]",
         ["a.yaml:2: runbooks[0].steps[0].who[0]: has one of"]),
        ("modules: [{name: M}]\nrunbooks: [{name: R, steps: [{name: s, module: M, who: [{parameter: X}]}]}]",
         ["a.yaml:2: runbooks[0].steps[0].who[0].parameter: there is no parameter 'X'"]),
        ("runbooks: [{name: R, steps: [{name: s, runbook: R, who: [{ask: true}]}]}]",
         ["a.yaml:1: runbooks[0]: the run book contains itself"]),
        ("teams: [{name: T, rule: 'os = 1'}]", ["teams[0].rule: column 4: "]),
        ("teams: [{name: T, agents: [X]}]", ["teams[0].agents[0]: no agent is called 'X'"]),
        ("agents: [{name: A, mac: '00:11'}]", ["agents[0].mac: is no MAC address, such as 00:11:22:33:44:55"]),
        ("agents: [{name: A, launch_window: 'Mon 08:00-08:10'}]",
         ["agents[0].launch_window: '08:10' is no half-hour from 00:00 to 24:00"]),
        ("agents: [{name: A, primary_team: X}]", ["agents[0].primary_team: no team is called 'X'"]),
        ("teams: [{name: T, aliases: {opsramp: {script: x}}}]",
         ["teams[0].aliases.opsramp.script: teams have no such alias"]),
        ("teams: [{name: A, aliases: {opsramp: {tenant: x}}}, {name: B, aliases: {opsramp: {tenant: x}}}]",
         ["teams[1].aliases.opsramp.tenant: 'x' is the alias of something else"]),
    ],
)  # fmt: skip
def test_problems_are_told_with_their_place(datastore: Datastore, load: Load, text: str, problems: list[str]) -> None:
    found = problems_of(load, text)
    assert len(found) == len(problems)
    for one, expected in zip(found, problems, strict=True):
        assert one.startswith("a.yaml:")
        assert expected.removeprefix("a.yaml:") in one
    assert count(datastore, Module) + count(datastore, Team) + count(datastore, Agent) + count(datastore, Folder) == 0


def test_all_problems_are_told_at_once_and_broken_entries_make_no_others(load: Load) -> None:
    found = problems_of(
        load,
        """
modules:
  - {name: Broken, colour: red}
  - {name: M, tasks: [{name: t, type: command, settings: {command: '$[X] $[Y]'}}]}
projects:
  - {name: P, modules: [{module: Broken}, {module: M}, {module: None}]}
teams:
  - {name: T, rule: 'os'}
""",
    )
    assert [line.split(": ")[0] for line in found] == [f"a.yaml:{line}" for line in (3, 4, 4, 6, 8)]
    assert "no module is called 'None'" in found[3]


def test_names_in_broken_entries_are_told_with_everything_else(load: Load) -> None:
    found = problems_of(
        load,
        """
resources:
  - {name: Known, colour: red}
modules:
  - name: M
    tasks:
      - {name: t, type: download, settings: {resource: Gone, target: x, colour: red}}
      - {name: u, type: download, settings: {resource: Known, target: x}}
      - {name: v, type: download, settings: {resource: '$[Which]', target: x}, timeout_s: 0}
projects:
  - {name: P, colour: red, modules: [{module: No module}, {module: M}, x]}
runbooks:
  - name: R
    steps:
      - {name: a, module: No module, who: [{agent: No agent}, {team: T}], timeout_s: soon}
      - {name: b, project: No project, who: [{team: No team}]}
      - {name: c, runbook: R, who: everybody}
agents:
  - {name: A, mac: x, primary_team: No team}
teams:
  - {name: T, rule: 'os', agents: [A, No agent]}
""",
    )
    names = {line.rpartition(": ")[0].removeprefix("a.yaml:"): line for line in found if " is called " in line}
    assert list(names) == [
        "7: modules[0].tasks[0].settings.resource",
        "11: projects[0].modules[0].module",
        "15: runbooks[0].steps[0].module",
        "15: runbooks[0].steps[0].who[0].agent",
        "16: runbooks[0].steps[1].project",
        "16: runbooks[0].steps[1].who[0].team",
        "19: agents[0].primary_team",
        "21: teams[0].agents[1]",
    ]
    assert len(found) > len(names)


def test_a_hundred_problems_are_told_and_the_others_counted(load: Load) -> None:
    with pytest.raises(LibraryErrors) as caught:
        load("modules:\n" + "  - {folder: x}\n" * 150)
    assert (len(caught.value.problems), caught.value.untold) == (100, 50)
    assert caught.value.message.endswith("\nand 50 more")


def test_a_name_that_is_taken_is_refused(load: Load) -> None:
    load(SAMPLE)
    found = problems_of(load, "modules: [{name: Append a line, folder: Demo/Files, "
                              "id: 00000000-0000-7000-8000-000000000001}]")  # fmt: skip
    assert "module 5cf59e5a-343c-4d85-a83c-8b18e4731040 has this name already" in found[0]


def test_a_task_id_that_is_taken_is_refused(load: Load) -> None:
    task = "{name: t, id: 00000000-0000-7000-8000-000000000001, type: command, settings: {command: x}}"
    load(f"modules: [{{name: M, tasks: [{task}]}}]")
    assert "tasks[0].id: another task has this id" in problems_of(load, f"modules: [{{name: N, tasks: [{task}]}}]")[0]


def test_a_module_is_found_by_path_when_its_name_is_not_enough(datastore: Datastore, load: Load) -> None:
    modules = "modules: [{name: M, folder: A, platforms: [LINUX]}, {name: M, folder: B, platforms: [MACOS]}]\n"
    load(modules + "projects: [{name: P, modules: [{module: B/M}]}]")
    (linked,) = newest(datastore, WhatKind.PROJECT, "P").document["modules"]
    assert linked["module"]["platforms"] == ["MACOS"]
    assert "several modules are called 'M'" in problems_of(load, "projects: [{name: P, modules: [{module: M}]}]")[0]


@pytest.mark.parametrize("backwards", [False, True])
def test_run_books_are_not_nested_without_end(load: Load, backwards: bool) -> None:
    def chain(length: int) -> str:
        steps = "steps: [{{name: s, {what}, who: [{{ask: true}}]}}]"
        books = [f"  - {{name: R0, {steps.format(what='module: M')}}}"]
        books += [f"  - {{name: R{n}, {steps.format(what=f'runbook: R{n - 1}')}}}" for n in range(1, length)]
        return "modules: [{name: M}]\nrunbooks:\n" + "\n".join(books[::-1] if backwards else books)

    assert load(chain(10)).count(Outcome.CREATED) == 11
    assert "nested deeper than 10" in problems_of(load, chain(11))[0]
    assert "nested deeper than 10" in problems_of(load, chain(300))[0]


def test_definitions_do_not_explode(load: Load) -> None:
    def book(number: int) -> str:
        inner = "module: M" if number == 0 else f"runbook: R{number - 1}"
        steps = ", ".join(f"{{name: s{step}, {inner}, who: [{{ask: true}}]}}" for step in range(10))
        return f"  - {{name: R{number}, steps: [{steps}]}}"

    text = "modules: [{name: M}]\nrunbooks:\n" + "\n".join(book(number) for number in range(8))
    assert "holds more than 2000 modules" in problems_of(load, text)[0]
