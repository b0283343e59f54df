"""Exastro: harm in records, conditions, forms and files. Each is refused in the dialect's words, or is a value."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cheap_passwords import cheap_passwords
from hostile_world import LIBRARY, VALUES, rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from work import assert_linear

from dispatcher.bindings.exastro_ita import binding
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import NoWakeup, Ports
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.columns import Kind
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.suite import build_exastro_ita
from dispatcher.services.hall import build_hall
from dispatcher.services.library.importing import import_texts
from dispatcher.services.secrets import Secrets
from dispatcher.wire.http import Request
from dispatcher.wire.json_api.endpoint import JsonApi
from dispatcher.wire.quotas import Quotas

BASE = "/api/org1/workspaces/ws1/ita"
SHEET = """
teams: [{name: Pilot, agents: [PC-042]}]
workspaces: [{name: ws1, organization: org1, team: Pilot}]
menus:
  - name: sheet_a
    columns:
      - {name: a_text, pattern: '^(a+)+$'}
      - {name: lines, kind: lines}
      - {name: whole, kind: integer, min: -5, max: 5}
      - {name: broken, kind: number}
      - {name: day, kind: date}
      - {name: moment, kind: moment}
      - {name: one_of, kind: choice, choices: [x, y]}
      - {name: secret, kind: password, max_bytes: 8}
      - {name: file, kind: file}
      - {name: link, kind: link}
      - {name: alone, unique: true}
"""
JSON, FORM = "application/json", "multipart/form-data; boundary=B"


class World:
    """The dialect over a datastore of its own, and what it logs."""

    def __init__(self, path: Path) -> None:
        self.datastore = Datastore(parse_url(f"sqlite:///{path}"))
        self.logged: list[Any] = []
        ports = Ports(lambda: datetime(2026, 3, 1, tzinfo=UTC), time.monotonic, uuid4, NoWakeup())
        secrets = Secrets(b"k" * 32)
        import_texts(self.datastore, ports, secrets, {"library.yaml": (LIBRARY + SHEET).encode()})
        hall = build_hall(self.datastore, ports, secrets, lease=timedelta(seconds=30), passwords=cheap_passwords())
        with self.datastore.read() as session:
            self.menus = {menu.name: menu for menu in build_exastro_ita(hall).catalogue.menus(session)}
        self.api: JsonApi = binding.build(
            hall, log=lambda event, **details: self.logged.append((event, details)), quotas=Quotas()
        )

    def ask(self, path: str, body: Any, content_type: str = JSON, verb: str = "POST") -> tuple[int, str]:
        """Return the status and the text of the answer. Nothing is a defect, and nothing is left of what is refused."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        before = rows(self.datastore)
        headers = {"content-type": content_type}
        answer = self.api(Request(verb, BASE + path, "", headers, content, caller=SYSTEM, address="127.0.0.1"))
        assert self.logged == [], (path, content[:300])
        assert answer.status in (200, 400, 401, 403, 404, 409, 413, 499), (path, content[:300], answer.body)
        told = json.loads(answer.body)
        assert answer.status == 200 or int(told["result"][:3]) == answer.status
        if answer.status != 200:
            assert rows(self.datastore) == before, (path, content[:300])
        return answer.status, answer.body.decode()


@pytest.fixture(scope="module")
def only_world(empty_database: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    path = tmp_path_factory.mktemp("hostile") / "exastro.db"
    path.write_bytes(empty_database)
    world = World(path)
    yield world
    world.datastore.close()


@pytest.fixture
def world(only_world: World) -> World:
    only_world.logged.clear()
    return only_world


def _sample(menu: Menu) -> dict[str, Any]:
    """Return a record that has something in every column."""
    values: dict[Kind, Any] = {
        Kind.INTEGER: 1,
        Kind.NUMBER: 1.5,
        Kind.DATE: "2031/06/01",
        Kind.MOMENT: "2031/06/01 02:00",
    }
    choices = {"host_name": "PC-042", "connection_type": "machine"}
    return {one.name: choices.get(one.name, values.get(one.kind, "a")) for one in menu.columns if one.input == "1"}


MENUS = [
    *("device_list", "operation_list", "playbook_files", "conductor_class_list", "conductor_regularly_execution"),
    *("hostgroup_management", "hostgroup_parent_child_link_list", "host_link_list", "role_menu_link_list", "sheet_a"),
]


@pytest.mark.parametrize("menu", MENUS)
def test_any_value_in_any_column(world: World, menu: str) -> None:
    """Many records in one request, each with one value in the place of another; then each of them alone."""
    sample = _sample(world.menus[menu])
    for column in [*sample, "nobody's", ""]:
        records = [{"type": "Register", "parameter": {**sample, column: value}} for value in VALUES]
        status, _ = world.ask(f"/menu/{menu}/maintenance/all/", records)
        assert status == 499
    for value in VALUES:
        world.ask(f"/menu/{menu}/maintenance/all/", [{"type": "Register", "parameter": dict.fromkeys(sample, value)}])


@pytest.mark.parametrize("menu", MENUS)
def test_any_key_and_moment(world: World, menu: str) -> None:
    """Of records that are not there, and of types, keys and moments that are none."""
    key = world.menus[menu].key.name
    given = {key: str(uuid4()), "last_update_date_time": "2031/06/01 02:00:00.000000", "discard": "0"}
    for action in ("Update", "Discard", "Restore", "Delete"):
        records: list[Any] = [
            {"type": action, "parameter": {**given, name: value}} for name in given for value in VALUES
        ]
        records += [{"type": value, "parameter": given} for value in VALUES]
        records += [{"type": action, "parameter": given, "file": {"remarks": value}} for value in VALUES]
        assert world.ask(f"/menu/{menu}/maintenance/all/", records)[0] in (400, 401, 499)
        for record in records[:: len(VALUES) // 2]:
            assert world.ask(f"/menu/{menu}/maintenance/all/", [record])[0] in (400, 401, 499)


@pytest.mark.parametrize("value", [None, "", 0, {}, [], "x" * 100_000, "\r\n"], ids=lambda value: repr(value)[:9])
def test_any_value_in_a_record_that_is_there(world: World, value: Any) -> None:
    """Column by column; whatever is taken, the record can be read, and the agent has a name after it."""
    for column in _sample(world.menus["device_list"]):
        _, text = world.ask("/menu/device_list/filter/", {})
        (found,) = json.loads(text)["data"]
        shown = {name: one for name, one in found["parameter"].items() if one is not None}
        assert shown["host_name"]
        for kind in ("Update", "Discard", "Restore"):
            sent = {"type": kind, "parameter": {**shown, column: value}, "file": {column: value}}
            world.ask("/menu/device_list/maintenance/all/", [sent])


@pytest.mark.parametrize("menu", ["sheet_a", "device_list", "conductor_list", "menu_list"])
def test_any_condition(world: World, menu: str) -> None:
    names = [column.name for column in world.menus[menu].columns] if menu in world.menus else ["menu_name_rest"]
    for value in VALUES:
        for condition in (
            value,
            {"NORMAL": value},
            {"LIST": value},
            {"LIST": [value]},
            {"RANGE": value},
            {"RANGE": {"START": value, "END": value}},
        ):
            world.ask(f"/menu/{menu}/filter/", dict.fromkeys(names, condition))
        world.ask(f"/menu/{menu}/filter/count/", {names[0]: {str(value): value}})
    for name in names:
        for condition in ({"RANGE": {"START": "9999/12/31 23:59:59"}}, {"NORMAL": "%_\\["}, {"LIST": ["a"] * 500}):
            assert world.ask(f"/menu/{menu}/filter/", {name: condition})[0] in (200, 499)


def test_secrets_are_in_no_refusal(world: World) -> None:
    """Whatever is wrong with them, or with the record that they are in."""
    for secret in ("canary" * 99, "canary\x01", "canary\n", ["canary"], {"canary": 1}):
        for menu, column in (("device_list", "login_password"), ("device_list", "passphrase"), ("sheet_a", "secret")):
            record = {"type": "Register", "parameter": {**_sample(world.menus[menu]), column: secret}}
            status, text = world.ask(f"/menu/{menu}/maintenance/all/", [record])
            assert status == 499
            assert "canary" not in text


def part(name: str, content: bytes, file: str | None = None) -> bytes:
    named = f'; filename="{file}"' if file is not None else ""
    return f'--B\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content + b"\r\n"


RECORD = {"type": "Register", "parameter": {"a_text": "a", "file": "x.txt"}}
MESSAGE = part("json_parameters", json.dumps([RECORD]).encode())
NAMES = ("1e9.file", "-1.file", "\N{ARABIC-INDIC DIGIT ZERO}.file", "0.", ".file", "")
FORMS = {
    "nothing": b"",
    "no end": MESSAGE,
    "only an end": b"--B--",
    "no message": part("0.file", b"x", "x.txt") + b"--B--",
    "message as a file": part("json_parameters", b"[]", "x.json") + b"--B--",
    "many parts": MESSAGE + part("0.file", b"", "x") * 20_000 + b"--B--",
    "names of parts": b"".join(part(name, b"x", "x") for name in NAMES),
    "large index": MESSAGE + part("9" * 5_000 + ".file", b"x", "x") + b"--B--",
    "long header": MESSAGE + part("0." + "f" * 1_000_000, b"x", "x") + b"--B--",
    "boundaries": b"--B\r\n" * 100_000,
    "almost boundaries": b"\r\n--A" * 200_000,
    "path": MESSAGE + part("0.file", b"x", "../../../etc/passwd") + b"--B--",
    "json twice": MESSAGE + part("json_parameters", b"{") + b"--B--",
    "deep": part("json_parameters", b"[" * 100_000) + b"--B--",
    "lone surrogate": part("json_parameters", b'[{"parameter":{"a_text":"\\ud800"}}]') + b"--B--",
    "not utf-8": part("json_parameters", b"[\xff]") + b"--B--",
}


@pytest.mark.parametrize("shape", FORMS)
@pytest.mark.parametrize("kind", [FORM, "multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed"])
def test_forms_of_any_shape(world: World, shape: str, kind: str) -> None:
    assert world.ask("/menu/sheet_a/maintenance/all/", FORMS[shape], kind)[0] in (400, 413, 499)


@pytest.mark.parametrize(
    "text", ["===", "Y", "Y=Y=", "é", "\ud800", "A" * 1_000_001, "YQ==\n", " ", None, 1, [], {}], ids=repr
)
def test_files_that_are_no_base64(world: World, text: Any) -> None:
    """None of them is a defect; what is left of them is a record, or nothing."""
    record = {**RECORD, "file": {"file": text}}
    world.ask("/menu/sheet_a/maintenance/all/", [record])


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a\0b", "a\r\nb", "..", "", "x" * 300, "a/b", "a\\b", "con"]
)
def test_names_of_files(world: World, name: str) -> None:
    content = base64.b64encode(b"x").decode()
    record = {"type": "Register", "parameter": {"file": name}, "file": {"file": content}}
    assert world.ask("/menu/sheet_a/maintenance/all/", [record])[0] in (400, 499)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_in_a_form(world: World, noise: bytes) -> None:
    world.ask("/menu/sheet_a/maintenance/all/", MESSAGE + part("0.file", noise, "x") + noise + b"--B--", FORM)


WORK: dict[str, Callable[[int], tuple[str, bytes, str]]] = {
    "records": lambda size: ("/menu/sheet_a/maintenance/all/", _records(size), JSON),
    "one pattern": lambda size: ("/menu/sheet_a/maintenance/all/", _text(size), JSON),
    "one file": lambda size: ("/menu/sheet_a/maintenance/all/", _file(size), JSON),
    "parts": lambda size: ("/menu/sheet_a/maintenance/all/", FORMS["no end"] + b"\r\n--A" * (size // 5), FORM),
    "filter": lambda size: ("/menu/sheet_a/filter/", _filter(size), JSON),
    "faults": lambda size: ("/menu/device_list/maintenance/all/", _devices(size), JSON),
}


def _records(size: int) -> bytes:
    return json.dumps([{"type": "Register", "parameter": {"alone": str(one)}} for one in range(size // 60)]).encode()


def _devices(size: int) -> bytes:
    parameter = {"host_name": "12", "connection_type": "machine"}
    return json.dumps([{"type": "Register", "parameter": parameter}] * (size // 80)).encode()


def _text(size: int) -> bytes:
    return json.dumps([{"type": "Register", "parameter": {"a_text": "a" * size + "!"}}]).encode()


def _file(size: int) -> bytes:
    return json.dumps(
        [{"type": "Register", "parameter": {"file": "x"}, "file": {"file": "YWFh" * (size // 4)}}]
    ).encode()


def _filter(size: int) -> bytes:
    return json.dumps({"a_text": {"LIST": ["a" * 20] * (size // 24)}}).encode()


@pytest.mark.parametrize("kind", WORK)
def test_work_grows_no_faster_than_the_message(world: World, kind: str) -> None:
    def work(size: int) -> None:
        path, body, content_type = WORK[kind](size)
        status, _ = world.ask(path, body, content_type)
        assert status in (200, 400, 499)

    assert_linear(work, 200_000)
