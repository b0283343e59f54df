"""Workspaces and sheets come from library files, all errors with their places, and go into an export again."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest
from exastro_world import a_record, a_workspace, an_operation, registering, updating
from sqlalchemy import select

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.exastro_ita import ItaFile, ItaMenu, ItaRecord, ItaUnique, ItaWorkspace
from dispatcher.datastore.teams import Team
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.columns_of.ordinary import ending
from dispatcher.services.exastro_ita.sheets import RESERVED
from dispatcher.services.exastro_ita.suite import build_exastro_ita
from dispatcher.services.hall import Hall
from dispatcher.services.library.exporting import export
from dispatcher.services.library.importing import ImportReport, import_texts
from dispatcher.services.library.items import Outcome
from dispatcher.services.library.problems import LibraryErrors
from dispatcher.services.secrets import Secrets

Load = Callable[[str], ImportReport]

SHEETS = """
teams:
  - {name: Ring 1}
  - {name: Ring 2}
workspaces:
  - {name: ws2, organization: org9, team: Ring 1}
  - {name: ws2, organization: org8, team: Ring 2}
menus:
  - name: sheet_a
    title: {ja: シートA, en: Sheet A}
    columns:
      - {name: column_1, title: {ja: 項目1}, max_bytes: 8, required: true, pattern: '[a-z]*'}
      - {name: column_2, kind: file, groups: [Files, {ja: 奥, en: Inner}]}
      - {name: size, kind: integer, min: 0, max: 65535, initial: 80}
      - {name: colour, kind: choice, choices: [red, green], initial: green, unique: true}
      - {name: book, kind: choice, choices: conductors}
      - {name: other, kind: choice, choices: {menu: sheet_b, column: label}}
      - {name: secret, kind: password}
  - {name: sheet_b, type: 3, columns: [{name: label}]}
"""

#: All that can be wrong, a thing or two in each line.
WRONG = """\
workspaces:
  - {name: a/b, organization: org9, team: Nobody}
  - {name: ws2, organization: org9, team: Nobody}
menus:
  - {name: device_list}
  - name: s
    type: 2
    columns:
      - {name: remarks}
      - {name: x, pattern: '(?=a)'}
      - {name: x, kind: integer, min: 2, max: 1.5}
      - {name: n, kind: number, max_bytes: 3, min: 0}
      - {name: c, kind: choice}
      - {name: d, kind: choice, choices: [a, a], initial: b}
      - {name: day, kind: date, initial: 2031-01-01}
      - {name: t, max: 0}
      - {name: f, kind: file, unique: true, initial: x}
  - {name: 'ü', columns: [{name: e, kind: number, min: nan, colour: red}]}
"""


@pytest.fixture
def load(datastore: Datastore, ports: Ports, secrets: Secrets) -> Load:
    return lambda text: import_texts(datastore, ports, secrets, {"a.yaml": textwrap.dedent(text).encode()})


def problems_of(load: Load, text: str) -> list[str]:
    with pytest.raises(LibraryErrors) as caught:
        load(text)
    return [str(problem).removeprefix("a.yaml:") for problem in caught.value.problems]


def test_a_file_is_stored_once_and_exported_as_it_was(load: Load, datastore: Datastore) -> None:
    assert {entry.outcome for entry in load(SHEETS).entries} == {Outcome.CREATED}
    assert {entry.outcome for entry in load(SHEETS).entries} == {Outcome.UNCHANGED}
    exported = export(datastore)
    assert {entry.outcome for entry in load(exported).entries} == {Outcome.UNCHANGED}

    with datastore.read() as session:
        query = select(ItaWorkspace.organization, Team.name).join(Team, Team.id == ItaWorkspace.team_id)
        assert dict(session.execute(query).tuples().all()) == {"org9": "Ring 1", "org8": "Ring 2"}
        stored = session.scalars(select(ItaMenu).where(ItaMenu.name == "sheet_a")).one()
    assert stored.definition["columns"][0]["title"] == {"ja": "項目1"}
    assert "max_bytes: 8" in exported


def test_an_export_makes_the_same_in_another_datastore(load: Load, datastore: Datastore, ports: Ports) -> None:
    load(SHEETS)
    before = export(datastore)
    with datastore.begin() as session:
        for row in session.scalars(select(ItaMenu)).all():
            session.delete(row)

    load(before)

    assert export(datastore) == before


def test_all_that_is_wrong_is_told_with_its_place(load: Load) -> None:
    found = problems_of(load, WRONG)

    assert found == [
        "2: workspaces[0].name: String should match pattern '^[0-9A-Za-z_-][0-9A-Za-z_.-]*$'",
        "2: workspaces[0].team: no team is called 'Nobody'",
        "3: workspaces[1].team: no team is called 'Nobody'",
        "5: menus[0].name: a menu that is always there has this name",
        "7: menus[1].type: is one of 1, 3, 4",
        "9: menus[1].columns[0].name: every sheet has a column of this name",
        "10: menus[1].columns[1].pattern: is no regular expression of RE2: invalid perl operator: (?=",
        "11: menus[1].columns[2].max: is a whole number",
        "11: menus[1].columns[2].max: is less than min",
        "11: menus[1].columns[2].name: is given twice",
        "12: menus[1].columns[3].max_bytes: a column of kind number has no such member",
        "13: menus[1].columns[4].choices: is missing",
        "14: menus[1].columns[5].choices: a choice is given twice",
        "14: menus[1].columns[5].initial: is none of the choices",
        "15: menus[1].columns[6].initial: is no value that the column takes",
        "16: menus[1].columns[7].max: a column of kind text has no such member",
        "17: menus[1].columns[8].initial: a column of kind file has no such member",
        "17: menus[1].columns[8].unique: a column of kind file has no such member",
        "18: menus[2].columns[0].colour: is not known here",
        "18: menus[2].columns[0].min: should be a finite number",
        "18: menus[2].name: String should match pattern '^[0-9A-Za-z_][0-9A-Za-z_-]*$'",
    ]


def test_choices_come_from_columns_that_are_there(load: Load) -> None:
    text = """\
    menus:
      - name: s
        columns:
          - {name: a, kind: choice, choices: {menu: none, column: x}}
          - {name: b, kind: choice, choices: {menu: s, column: x}}
          - {name: c, kind: choice, choices: {menu: device_list, column: host_name}}
          - {name: d, kind: choice, choices: nothing}
    """
    [problem] = problems_of(load, text)
    assert problem.startswith(
        "7: menus[0].columns[3].choices: is a list of texts, a column such as {menu: m, column: c}"
    )
    assert problems_of(load, text.replace("choices: nothing", "choices: devices")) == [
        "4: menus[0].columns[0].choices.menu: no menu is called 'none'",
        "5: menus[0].columns[1].choices.column: the menu s has no column 'x' of its own",
    ]


def test_records_stay_when_a_definition_changes(load: Load, datastore: Datastore) -> None:
    load("menus: [{name: s, columns: [{name: a, unique: true}, {name: b}]}]")
    workspace = a_workspace(datastore)
    kept = a_record(datastore, workspace, "s", a="1", b="x")
    a_record(datastore, workspace, "s", a="2", b="x", is_discarded=True)

    load("menus: [{name: s, columns: [{name: b, unique: true}]}]")

    with datastore.read() as session:
        assert session.get_one(ItaRecord, kept).values == {"a": "1", "b": "x"}
        unique = session.execute(select(ItaUnique.column, ItaUnique.record_id)).tuples().all()
    assert [*unique] == [("b", kept)]


def test_values_of_a_column_that_is_gone_go_when_their_record_is_changed(
    load: Load, datastore: Datastore, hall: Hall
) -> None:
    """The file of one, too, and only in that record; what a column has that comes back is shown again."""
    load("menus: [{name: s, columns: [{name: a}, {name: b}, {name: f, kind: file}]}]")
    workspace, ita = a_workspace(datastore), build_exastro_ita(hall)
    an_operation(datastore, workspace)
    place = {"host_name": "h1", "operation_name_select": "2031/06/01 02:00_op-1", "a": "1", "b": "x", "f": "name"}
    sent = [registering(**{**place, "host_name": host}) | {"file": {"f": "YWJj"}} for host in ("h1", "h2")]
    changed, left = ita.maintenance.change(workspace, "s", sent, SYSTEM).ids
    load("menus: [{name: s, columns: [{name: b}]}]")
    found = ita.records.filter(workspace, "s", {"uuid": {"LIST": [str(changed)]}}, SYSTEM)[0]["parameter"]
    known = {name: found[name] for name in ("uuid", "last_update_date_time")}
    ita.maintenance.change(workspace, "s", [updating(known, b="y")], SYSTEM)

    with datastore.read() as session:
        assert session.get_one(ItaRecord, changed).values.keys() == {"host_name", "operation_name_select", "b"}
        assert session.get(ItaFile, (changed, "f")) is None
        assert session.get(ItaFile, (left, "f")) is not None
    load("menus: [{name: s, columns: [{name: a}, {name: b}]}]")
    shown = [one["parameter"] for one in ita.records.filter(workspace, "s", {}, SYSTEM)]
    assert [(one["a"], one["b"]) for one in shown] == [(None, "y"), ("1", "x")]


def test_a_column_with_values_keeps_its_kind_and_a_repeated_one_is_not_made_unique(
    load: Load, datastore: Datastore
) -> None:
    load("menus: [{name: s, columns: [{name: a}, {name: b}]}]")
    workspace = a_workspace(datastore)
    for _ in range(2):
        a_record(datastore, workspace, "s", a="1")

    assert problems_of(load, "menus: [{name: s, columns: [{name: a, kind: integer}]}]") == [
        "1: menus[0].columns[0]: has values of another kind in records: give the column another name"
    ]
    assert problems_of(load, "menus: [{name: s, columns: [{name: b}, {name: a, unique: true}]}]") == [
        "1: menus[0].columns[1]: cannot be unique: records have the same values"
    ]
    load("menus: [{name: s, columns: [{name: a}, {name: b, kind: integer}]}]")


def test_a_menu_with_its_id_takes_its_records_to_another_name(load: Load, datastore: Datastore) -> None:
    menu_id = load("menus: [{name: s, columns: [{name: a}]}]").entries[0].id
    workspace = a_workspace(datastore)
    key = a_record(datastore, workspace, "s", a="1")

    load(f"menus: [{{id: {menu_id}, name: t, columns: [{{name: a}}]}}]")

    with datastore.read() as session:
        assert session.get_one(ItaRecord, key).menu == "t"


def test_the_names_that_every_sheet_has_are_reserved() -> None:
    assert {column.name for column in ending()} < RESERVED
