"""An export is stable, and imported into an empty datastore it gives the same library again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from dispatcher.core.ports import Ports
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.modules import Module, Task
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.library.exporting import export
from dispatcher.services.library.importing import import_texts
from dispatcher.services.library.items import Outcome
from dispatcher.services.secrets import Secrets

Opening = Callable[[], Any]

SAMPLE = """
teams:
  - {name: Zeta, folder: T, description: all, rule: 'true', enabled: false, aliases: {opsramp: {tenant: [a, b]}},
     launch_window: 'mon-fri 8:00-18:00 utc'}
  - {name: Pilot, agents: [PC, PD, 00000000-0000-7000-8000-0000000000a2]}
agents:
  - {name: PC, id: 00000000-0000-7000-8000-0000000000a1, primary_team: T/Zeta, licensed: false, macs: [001122334455],
     launch_window: 'Sat,Sun 00:00-24:00'}
  - {name: Twin, id: 00000000-0000-7000-8000-0000000000a2}
  - {name: Twin, id: 00000000-0000-7000-8000-0000000000a3, aliases: {symantec_ccs: {asset: x}}}
  - {name: PD, id: 00000000-0000-7000-8000-0000000000a4}
modules:
  - name: M
    folder: A
    parameters:
      - {name: L, type: multiselect, value: [a, b], choices: [a, b, c], labels: [A, B, C], hint: h, description: d}
      - {name: W, type: password, value: secret}
      - {name: C, type: credentials, value: user, password: secret}
      - {name: O, type: multiline, value: "one\\ntwo \\n\\n", input: false, output: true}
    tasks:
      - {name: t, type: command, timeout_s: 1.5, on_error: continue, repeatable: true, enabled: false,
         settings: {environment: {B: 'yes', A: '1'}, command: 'echo $[L]', success_codes: [0, 3]}}
  - {name: M, folder: B, description: 'no'}
projects:
  - {name: P, parameters: [{name: X}], modules: [{module: A/M, parameters: {L: 'a', O: '$[X]'}}, {module: B/M}]}
runbooks:
  - name: R
    parameters: [{name: Who}]
    steps:
      - {name: one, project: P, who: [{agent: PC}, {agent: 00000000-0000-7000-8000-0000000000a3}, {team: Zeta}],
         on_error: continue, parameters: {X: x}}
      - {name: two, runbook: Q, who: [{ask: true}, {parameter: Who}]}
  - {name: Q, steps: [{name: one, module: B/M, who: [{ask: true}]}]}
"""


@pytest.fixture
def an_empty_datastore(empty_database: bytes) -> Opening:
    @contextmanager
    def opening() -> Iterator[Datastore]:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "test.db"
            path.write_bytes(empty_database)
            datastore = Datastore(parse_url(f"sqlite:///{path}"))
            try:
                yield datastore
            finally:
                datastore.close()

    return opening


def assert_round_trip(datastore: Datastore, ports: Ports, secrets: Secrets, opening: Opening) -> str:
    text = export(datastore)
    assert import_texts(datastore, ports, secrets, {"a.yaml": text.encode()}).count(Outcome.UPDATED) == 0
    with opening() as other:
        report = import_texts(other, ports, secrets, {"a.yaml": text.encode()})
        assert report.count(Outcome.CREATED) == len(report.entries)
        assert export(other) == text
    return text


def test_export_and_import_give_the_same_library(
    datastore: Datastore, ports: Ports, secrets: Secrets, an_empty_datastore: Opening
) -> None:
    import_texts(datastore, ports, secrets, {"a.yaml": SAMPLE.encode()})
    text = assert_round_trip(datastore, ports, secrets, an_empty_datastore)
    data = yaml.safe_load(text)
    assert list(data) == ["modules", "projects", "runbooks", "agents", "teams"]
    assert [module["folder"] for module in data["modules"]] == ["A", "B"]
    assert [linked["module"] for linked in data["projects"][0]["modules"]] == ["A/M", "B/M"]
    assert data["runbooks"][1]["steps"][0]["who"] == [
        {"agent": "PC"},
        {"agent": "00000000-0000-7000-8000-0000000000a3"},
        {"team": "Zeta"},
    ]
    task = data["modules"][0]["tasks"][0]
    with datastore.read() as session:
        assert session.scalars(select(Task.id)).one() == UUID(task["id"])
        assert {str(key) for key in session.scalars(select(Module.id))} == {row["id"] for row in data["modules"]}


def test_secrets_are_left_out(datastore: Datastore, ports: Ports, secrets: Secrets) -> None:
    import_texts(datastore, ports, secrets, {"a.yaml": SAMPLE.encode()})
    text = export(datastore)
    assert "secret" not in text
    parameters = yaml.safe_load(text)["modules"][0]["parameters"]
    assert parameters[1] == {"name": "W", "type": "password"}
    assert parameters[2] == {"name": "C", "type": "credentials", "value": "user"}


def test_members_of_settings_have_one_order_also_in_lists(datastore: Datastore, ports: Ports, secrets: Secrets) -> None:
    save = "[{regex: 'a', parameter: A}, {parameter: B, default: '1', line: 2}]"
    task = f"{{name: t, type: http_request, settings: {{url: 'http://x', save: {save}}}}}"
    import_texts(datastore, ports, secrets, {"a.yaml": f"modules: [{{name: M, tasks: [{task}]}}]".encode()})
    settings = yaml.safe_load(export(datastore))["modules"][0]["tasks"][0]["settings"]
    assert [list(one) for one in settings["save"]] == [["parameter", "regex"], ["default", "line", "parameter"]]


def test_an_empty_library_is_an_empty_file(datastore: Datastore) -> None:
    assert export(datastore) == ""


_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_TEXTS = st.text(_CHARACTERS, max_size=30) | st.sampled_from(
    ["no", "~", "0x1", "- a", "a: b", " lead", "trail ", "\n", "a\n b\n", "\n\n x", "\ta", "a\r\nb", "#", "'\"", "\x85"]
)
_NAMES = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=12).filter(
    lambda text: text.strip() == text
)
_FOLDERS = st.lists(_NAMES.filter(lambda text: "/" not in text), max_size=2).map("/".join)
_MODULES = st.fixed_dictionaries(
    {"name": _NAMES, "folder": _FOLDERS, "description": _TEXTS},
    optional={
        "platforms": st.lists(st.sampled_from(["LINUX", "MACOS"]), unique=True),
        "parameters": st.lists(
            st.fixed_dictionaries(
                {"name": _NAMES.filter(lambda text: not set(text) & set("[]")), "value": _TEXTS, "hint": _TEXTS},
                optional={"type": st.sampled_from(["text", "multiline", "credentials"]), "output": st.just("true")},
            ),
            max_size=3,
            unique_by=lambda parameter: parameter["name"].casefold(),
        ),
        "tasks": st.lists(
            st.fixed_dictionaries(
                {
                    "name": _NAMES,
                    "type": st.just("script"),
                    "settings": st.fixed_dictionaries(
                        {"language": st.just("python"), "text": _TEXTS.filter(bool)},
                        optional={"environment": st.dictionaries(st.sampled_from(["B", "A", "C"]), st.just("x"))},
                    ),
                },
                optional={"timeout_s": st.floats(0.001, 1e9), "on_error": st.just("continue")},
            ),
            max_size=3,
        ),
    },
)


def _unique_place(module: dict[str, Any]) -> str:
    return f"{module['folder']}/{module['name']}".casefold()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_MODULES, max_size=3, unique_by=_unique_place))
def test_any_library_comes_back(
    ports: Ports, secrets: Secrets, an_empty_datastore: Opening, modules: list[dict[str, Any]]
) -> None:
    text = yaml.safe_dump({"modules": modules}, allow_unicode=False)
    with an_empty_datastore() as datastore:
        import_texts(datastore, ports, secrets, {"a.yaml": text.encode()})
        exported = yaml.safe_load(assert_round_trip(datastore, ports, secrets, an_empty_datastore)) or {}
    by_place = {_unique_place(module): module for module in modules}
    for module in exported.get("modules", []):
        before = by_place[_unique_place({"folder": "", **module})]
        assert module.get("description", "") == before["description"]
        values = [parameter.get("value", "") for parameter in module.get("parameters", [])]
        assert values == [parameter["value"] for parameter in before.get("parameters", [])]
        texts = [task["settings"]["text"] for task in module.get("tasks", [])]
        assert texts == [task["settings"]["text"] for task in before.get("tasks", [])]
