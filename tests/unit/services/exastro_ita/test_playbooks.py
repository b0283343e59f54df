"""Playbooks: modules as records; what is uploaded is read back byte for byte."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import yaml
from exastro_world import World, a_scope, a_workspace, a_world, changing, registering, updating
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from dispatcher.core.permissions import Caller, Right, everything
from dispatcher.datastore.exastro_ita import ITA_DETAILS
from dispatcher.services.exastro_ita.columns_of.playbooks import playbook_files
from dispatcher.services.exastro_ita.files import named
from dispatcher.services.exastro_ita.messages import Message
from dispatcher.services.exastro_ita.playbooks import FILE, Playbooks
from dispatcher.services.exastro_ita.records import Action, Change, Found, Record
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.library.exporting import export

LIBRARY = """
modules:
  - {name: Plain, tasks: [{type: command, name: t, settings: {command: ls}}]}
  - {name: Two, tasks: [{type: ansible_playbook, name: a, settings: {playbook: '[]'}},
                        {type: command, name: b, settings: {command: ls}}]}
  - {name: Patch, id: 00000000-0000-4000-8000-0000000000a1, parameters: [{name: T}],
     tasks: [{type: ansible_playbook, name: 'run it: now', timeout_s: 60,
              settings: {resource: '$[T]', entry: a.yml, variables: {t: '$[T]'}}}]}
"""
PATCH = UUID("00000000-0000-4000-8000-0000000000a1")
TEXT = b"- hosts: all\r\n  tasks: []\n"


@pytest.fixture
def source(datastore: Any, ports: Any, secrets: Any) -> Playbooks:
    return Playbooks(datastore, ports, secrets)


@pytest.fixture
def workspace(datastore: Any) -> Workspace:
    return a_workspace(datastore)


class Uploader:
    """Does what maintenance does, one record at a time."""

    def __init__(self, datastore: Any, source: Playbooks, workspace: Workspace) -> None:
        self.datastore, self.source, self.workspace = datastore, source, workspace

    def do(self, action: Action, key: UUID | None = None, data: bytes | None = None, **values: Any) -> Found:
        self.key = key or uuid4()
        if data is not None:
            values[FILE] = named(values.pop("file", "site.yml"), data)
        with changing(self.datastore, self.workspace, Caller("anna", everything(Right.MODIFY))) as scope:
            before = self.source.lock(scope, [self.key]).get(self.key)
            files = {} if data is None else {FILE: data}
            return self.source.write(scope, [Change(7, action, self.key, values, before, files)])

    def register(self, name: str, data: bytes = TEXT, **values: Any) -> UUID:
        assert self.do(Action.REGISTER, data=data, playbook_name=name, **values) == {}
        return self.key

    def seen(self) -> dict[UUID, Record]:
        with self.datastore.read() as session:
            return {one.id: one for one in self.source.read(a_scope(session, self.workspace))}

    def content(self, key: UUID) -> bytes | None:
        with self.datastore.read() as session:
            return self.source.contents(a_scope(session, self.workspace), FILE, [key]).get(key)


@pytest.fixture
def uploader(datastore: Any, source: Playbooks, workspace: Workspace) -> Uploader:
    return Uploader(datastore, source, workspace)


def test_an_uploaded_playbook_is_a_module_in_the_folder_of_the_workspace(uploader: Uploader, datastore: Any) -> None:
    key = uploader.register("deploy", remarks="for all", file="main.yaml")
    record = uploader.seen()[key]
    file = {"name": "main.yaml", "sha256": hashlib.sha256(TEXT).hexdigest(), "size": len(TEXT)}
    assert record.values == {"playbook_name": "deploy", "remarks": "for all", FILE: file}
    assert (record.changed_by, uploader.content(key)) == ("anna", TEXT)
    [module] = yaml.safe_load(export(datastore))["modules"]
    assert (module["folder"], module["description"], module["id"]) == ("Exastro/org9/ws2", "for all", str(key))
    [task] = module["tasks"]
    assert (task["type"], task["name"], task["settings"]) == (
        "ansible_playbook",
        "main.yaml",
        {"playbook": TEXT.decode()},
    )


_LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_LINES.map(lambda text: f"# {text.replace(chr(13), '').replace(chr(10), '')}\n[]\n"))
def test_what_is_uploaded_is_read_back_or_refused(uploader: Uploader, text: str) -> None:
    found = uploader.do(Action.REGISTER, data=text.encode(), playbook_name=str(uuid4()))
    if found:
        [message] = found[7][FILE]
        assert message.id == "MSG-10905"
    else:
        assert uploader.content(uploader.key) == text.encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"- {", "MSG-10905"),
        (b"a: \xff", "MSG-10638"),
        (b"\xef\xbb\xbf[]", "MSG-10640"),
        (b"[" * 100_000, "MSG-10905"),
        (b"# " + b"x" * 1_000_001, "MSG-00010"),
        (b"a\0", "MSG-10905"),
        (b"", "MSG-00030"),
    ],
)
def test_what_is_no_playbook_is_refused(uploader: Uploader, data: bytes, message: str) -> None:
    assert uploader.do(Action.REGISTER, data=data, playbook_name="x")[7][FILE][0].id == message
    assert uploader.seen() == {}


@pytest.mark.parametrize(("text", "message"), [(" ", "MSG-00030"), ("a\x07b", "MSG-00009")])
def test_names_that_the_library_does_not_take_are_refused_as_the_vendor_says(
    uploader: Uploader, text: str, message: str
) -> None:
    for column, values in (("playbook_name", {"playbook_name": text}), (FILE, {"playbook_name": "x", "file": text})):
        [(refused, [found])] = uploader.do(Action.REGISTER, data=TEXT, **values)[7].items()
        assert (refused, found.id) == (column, message)
    assert uploader.seen() == {}


def test_modules_of_the_library_with_a_playbook_are_seen(
    uploader: Uploader, load_library: Callable[[str], None], datastore: Any
) -> None:
    load_library(LIBRARY)
    assert [(one.id, one.values["playbook_name"], one.values[FILE]) for one in uploader.seen().values()] == [
        (PATCH, "Patch", None)
    ]
    assert uploader.do(Action.UPDATE, PATCH, TEXT) == {}
    assert (uploader.content(PATCH), uploader.seen()[PATCH].values[FILE]["name"]) == (TEXT, "site.yml")
    [task] = next(one["tasks"] for one in yaml.safe_load(export(datastore))["modules"] if one["name"] == "Patch")
    # The rest of it stays.
    assert (task["timeout_s"], task["settings"]) == (60, {"playbook": TEXT.decode(), "variables": {"t": "$[T]"}})
    load_library(LIBRARY.replace("resource: '$[T]', entry: a.yml", "playbook: '[1]'"))
    assert (uploader.content(PATCH), uploader.seen()[PATCH].values[FILE]["name"]) == (b"[1]", "run it_ now.yml")


def test_a_discarded_playbook_leaves_its_name_to_another_one(uploader: Uploader, load_library: Any) -> None:
    first = uploader.register("deploy")
    assert uploader.do(Action.DISCARD, first, remarks="old") == {}
    second = uploader.register("Deploy")
    shown = {key: (one.values["playbook_name"], one.is_discarded) for key, one in uploader.seen().items()}
    assert shown == {first: ("deploy", True), second: ("Deploy", False)}
    assert uploader.seen()[first].values["remarks"] == "old"
    assert uploader.do(Action.RESTORE, first)[7]["playbook_name"][0] == Message("MSG-00025", (str(first), "deploy"))


def test_restored_a_playbook_has_its_own_name_again(uploader: Uploader, datastore: Any) -> None:
    first = uploader.register("deploy")
    uploader.do(Action.DISCARD, first)
    second = uploader.register("deploy")
    assert uploader.do(Action.DELETE, second) == {}
    assert uploader.do(Action.RESTORE, first) == {}
    [record] = uploader.seen().values()
    assert (record.values["playbook_name"], record.is_discarded) == ("deploy", False)
    assert "discarded" not in export(datastore)


def test_one_request_may_discard_and_register_the_same_name(uploader: Uploader) -> None:
    first, second = uploader.register("deploy"), uuid4()
    with changing(uploader.datastore, uploader.workspace) as scope:
        before = uploader.source.lock(scope, [first])[first]
        values = {"playbook_name": "deploy", FILE: named("b.yml", b"[]")}
        register = Change(0, Action.REGISTER, second, values, None, {FILE: b"[]"})
        assert uploader.source.write(scope, [register, Change(1, Action.DISCARD, first, {}, before)]) == {}
    assert [one.is_discarded for one in uploader.seen().values()] == [True, False]


def test_a_playbook_in_use_stays(uploader: Uploader, load_library: Callable[[str], None], datastore: Any) -> None:
    used, free = uploader.register("deploy"), uploader.register("other")
    load_library(f"runbooks: [{{name: nightly, steps: [{{name: s, module: {used}, who: [{{ask: true}}]}}]}}]")
    assert uploader.do(Action.DELETE, used) == {7: {"playbook_name": [Message("playbook-in-use", ("nightly",))]}}
    assert uploader.do(Action.DELETE, free) == {}
    assert list(uploader.seen()) == [used]
    assert "other" not in export(datastore)


def test_of_a_deleted_playbook_no_name_is_kept(uploader: Uploader, datastore: Any) -> None:
    first = uploader.register("deploy")
    uploader.do(Action.DISCARD, first)
    uploader.register("deploy")
    assert uploader.do(Action.DELETE, first) == {}
    with datastore.read() as session:
        assert session.scalars(select(ITA_DETAILS.c.object_id)).all() == []


@pytest.fixture
def world(hall: Any, source: Playbooks, workspace: Workspace) -> World:
    return a_world(hall, workspace, playbook_files(source))


def uploading(name: str, data: bytes = TEXT, **more: Any) -> dict[str, Any]:
    file = {FILE: base64.b64encode(data).decode()}
    return registering(playbook_name=name, playbook_file="site.yml", **more) | {"file": file}


def test_clients_see_whole_lives_of_playbooks(world: World, clock: Any) -> None:
    [key] = world.change(uploading("deploy", remarks="x")).ids
    [found] = world.find({"playbook_name": {"NORMAL": "dep"}})
    assert found["file"] == {FILE: base64.b64encode(TEXT).decode()}
    assert (found["parameter"][FILE], found["parameter"]["remarks"], found["parameter"]["discard"]) == (
        "site.yml",
        "x",
        "0",
    )
    for kind in ("Update", "Discard", "Restore", "Discard"):
        clock.turn(timedelta(seconds=1))
        world.change(updating(world.known(key), kind, **({"playbook_name": "roll"} if kind == "Update" else {})))
    [new] = world.change(uploading("roll", b"[]")).ids
    names = [(one["playbook_name"], one["discard"]) for one in world.parameters()]
    assert names == [("roll", "1"), ("roll", "0")]
    faults = world.faults(updating(world.known(key), "Restore"))
    assert [message.id for messages in faults[0].values() for message in messages] == ["MSG-00025"]
    world.change(updating(world.known(new), "Delete"), updating(world.known(key), "Restore"))
    [left] = world.find()
    assert (left["parameter"]["playbook_name"], left["file"][FILE]) == ("roll", base64.b64encode(TEXT).decode())


def test_several_changes_of_one_playbook_add_up(world: World) -> None:
    [key] = world.change(uploading("a")).ids
    known = {"item_no": str(key)}
    first = updating(known, playbook_file="b.yml") | {"file": {FILE: base64.b64encode(b"[]").decode()}}
    with changing(world.maintenance._datastore, world.workspace) as scope:
        changes = [first, updating(known, remarks="r"), updating(known, "Discard"), updating(known, "Restore")]
        world.maintenance.change_within(scope, world.menus["playbook_files"], changes)
    [found] = world.find()
    assert found["file"][FILE] == base64.b64encode(b"[]").decode()
    shown = found["parameter"]
    assert (shown[FILE], shown["remarks"], shown["discard"]) == ("b.yml", "r", "0")


def test_what_is_wrong_with_some_is_said_of_each(world: World) -> None:
    faults = world.faults(
        uploading("a"), uploading("b", b"- {"), uploading("a"), registering(playbook_name="c", playbook_file="")
    )
    assert {index: [one.id for some in found.values() for one in some] for index, found in faults.items()} == {
        1: ["MSG-10905"],
        2: ["MSG-00025"],
        3: ["MSG-00030"],
    }
    assert world.find() == []


def test_files_of_the_library_are_read_by_clients(world: World, load_library: Callable[[str], None]) -> None:
    load_library("modules: [{name: P, tasks: [{type: ansible_playbook, name: p.yml, settings: {playbook: '[]'}}]}]")
    [found] = world.find()
    assert (found["parameter"][FILE], found["file"][FILE]) == ("p.yml", base64.b64encode(b"[]").decode())
