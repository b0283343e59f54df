"""Uploads: resources are made, changed and removed one at a time, and nobody who needs one is left without it."""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from dispatcher.core.contents import Content as MeasuredContent
from dispatcher.core.errors import Conflict, Forbidden, InvalidValue
from dispatcher.core.jobs import JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right, everything
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.resources import Content, ContentChunk, Resource
from dispatcher.services.hall import Hall
from dispatcher.services.library.exporting import export
from dispatcher.services.resources import KEPT_FOR, QuotaReached
from dispatcher.services.uploads import ResourceNotFound, Upload

API = Caller("api", everything(Right.MODIFY))
UNKNOWN = UUID(int=99)
FETCH = UUID("00000000-0000-4000-8000-000000000001")
NOT_ANY_MORE = {"type: download": "type: command", "{resource: %s, target: installed}": "{command: 'true'}"}
LIBRARY = """
agents: [{name: PC-042}]
modules:
  - name: Fetch
    id: 00000000-0000-4000-8000-000000000001
    tasks: [{name: fetch, type: download, settings: {resource: %s, target: installed}}]
runbooks:
  - {name: Ring, steps: [{name: first, module: Fetch, who: [{agent: PC-042}]}]}
"""


def without_download() -> str:
    text = LIBRARY
    for before, after in NOT_ANY_MORE.items():
        text = text.replace(before, after)
    return text


def content(data: bytes) -> MeasuredContent:
    return MeasuredContent(io.BytesIO(data), len(data), hashlib.sha256(data).digest())


def store(hall: Hall, data: bytes = b"data", caller: Caller = API, **upload: Any) -> UUID:
    return hall.uploads.store(Upload(**upload), content(data), caller)


def read(hall: Hall, name: str) -> bytes:
    found = hall.resources.find(name)
    return hall.resources.read(found.sha256, 0, found.size)


def row(datastore: Any, resource_id: UUID) -> Resource:
    with datastore.read() as session:
        return session.scalars(select(Resource).where(Resource.id == resource_id)).one()


def count(datastore: Any, model: Any) -> int:
    with datastore.read() as session:
        return session.scalar(select(func.count()).select_from(model))


def test_new_resource_can_be_used_at_once_by_name_path_and_id(hall: Hall, datastore: Any, clock: Any) -> None:
    assert count(datastore, Resource) == 0
    key = store(hall, b"first", file_name="tool.exe", folder="A/B", description="Installs", parse_variables=True)

    for name in ("tool.exe", "a/b/TOOL.exe", str(key)):
        assert read(hall, name) == b"first"
    stored = row(datastore, key)
    assert (stored.name, stored.file_name, stored.description) == ("tool.exe", "tool.exe", "Installs")
    assert (stored.parse_variables, stored.skip_environment_variables) == (True, False)
    assert (stored.updated_by, stored.updated_at) == ("api", clock.moment)
    assert "parse_variables: true" in export(datastore)


def test_export_of_what_was_uploaded_can_be_imported_again(hall: Hall, datastore: Any, load_library: Any) -> None:
    store(hall, b"first", file_name="tool.exe", folder="A/B", skip_environment_variables=True)
    exported = export(datastore)
    load_library(exported)
    assert export(datastore) == exported


def test_folders_are_the_same_in_any_case_and_only_made_when_missing(hall: Hall, datastore: Any) -> None:
    store(hall, file_name="one", folder="Tools/Old")
    store(hall, file_name="two", folder="tools/OLD")
    key = store(hall, file_name="three")
    assert count(datastore, Folder) == 1
    with datastore.read() as session:
        folder = session.scalars(select(Folder)).one()
    hall.uploads.store(Upload(resource_id=key, folder_id=folder.id), None, API)
    assert hall.resources.find("Tools/Old/three")
    hall.uploads.store(Upload(resource_id=key, description="stays there"), None, API)
    assert hall.resources.find("Tools/Old/three")
    hall.uploads.store(Upload(resource_id=key, folder=""), None, API)
    assert row(datastore, key).folder_id is None
    with pytest.raises(InvalidValue, match="FolderGUID: there is no folder"):
        store(hall, file_name="four", folder_id=UNKNOWN)


def test_edit_without_a_file_changes_what_is_given_and_keeps_the_content(hall: Hall, datastore: Any) -> None:
    key = store(hall, b"first", file_name="tool.exe", description="before", parse_variables=True)
    hall.uploads.store(Upload(resource_id=key, skip_environment_variables=True), content(b"ignored"), API)
    stored = row(datastore, key)
    assert (stored.description, stored.parse_variables, stored.skip_environment_variables) == ("before", True, True)
    assert read(hall, "tool.exe") == b"first"
    assert count(datastore, Content) == 1


def test_edit_with_a_file_replaces_the_content_and_keeps_the_id(hall: Hall, clock: Any, datastore: Any) -> None:
    key = store(hall, b"first", file_name="tool.exe")
    clock.turn(2 * KEPT_FOR)
    assert store(hall, b"second", resource_id=key, file_name="tool-2.exe") == key
    assert read(hall, "tool-2.exe") == b"second"
    assert row(datastore, key).name == "tool-2.exe"
    assert hall.resources.clean() == 0, "who fetches the first one can end that"
    clock.turn(KEPT_FOR + timedelta(seconds=1))
    assert hall.resources.clean() == 1


def test_name_of_its_own_does_not_follow_the_file(hall: Hall, datastore: Any, load_library: Any, tmp_path: Any) -> None:
    key = store(hall, file_name="tool.exe")
    load_library(export(datastore).replace("name: tool.exe", "name: Tool", 1))
    store(hall, resource_id=key, file_name="tool-2.exe")
    assert (row(datastore, key).name, row(datastore, key).file_name) == ("Tool", "tool-2.exe")


@pytest.mark.parametrize(
    ("upload", "data"),
    [
        (Upload(), b"data"),
        (Upload(description="no file"), b"data"),
        (Upload(file_name="new"), b""),
        (Upload(file_name="new"), None),
        (Upload(resource_id=UUID(int=1), file_name="tool.exe"), b""),
    ],
)
def test_file_and_content_belong_together(hall: Hall, datastore: Any, upload: Upload, data: bytes | None) -> None:
    key = store(hall, b"first", file_name="tool.exe")
    if upload.resource_id:
        upload = Upload(resource_id=key, file_name=upload.file_name)
    with pytest.raises(InvalidValue, match="Filename"):
        hall.uploads.store(upload, None if data is None else content(data), API)
    assert count(datastore, Resource) == 1
    assert read(hall, "tool.exe") == b"first"


def test_name_that_is_taken_needs_overwrite(hall: Hall, datastore: Any) -> None:
    key = store(hall, b"first", file_name="tool.exe", folder="A", description="kept")
    for upload in (Upload(file_name="Tool.exe", folder="a"), Upload(file_name="tool.exe", folder="A")):
        with pytest.raises(Conflict, match="is there already"):
            hall.uploads.admit(upload, API)
        with pytest.raises(Conflict, match="is there already"):
            hall.uploads.store(upload, content(b"second"), API)
    assert store(hall, b"third", file_name="tool.exe", folder="A", overwrite=True) == key
    assert read(hall, "tool.exe") == b"third"
    assert row(datastore, key).description == "kept"
    other = store(hall, b"other", file_name="tool.exe", overwrite=True)
    assert other != key
    with pytest.raises(Conflict, match="is there already"):
        store(hall, resource_id=other, file_name="tool.exe", folder="A")


def test_only_who_may_modify_resources_does(hall: Hall, datastore: Any) -> None:
    key = store(hall, file_name="tool.exe")
    for rights in ({}, {Node.RESOURCES: Right.READ}, {**everything(Right.MODIFY), Node.RESOURCES: Right.DENY}):
        caller = Caller("bob", rights)
        for ask in (
            lambda caller=caller: hall.uploads.admit(Upload(file_name="x"), caller),
            lambda caller=caller: store(hall, caller=caller, file_name="x"),
            lambda caller=caller: hall.uploads.delete(key, caller),
            lambda caller=caller: hall.uploads.delete(UNKNOWN, caller),
        ):
            with pytest.raises(Forbidden):
                ask()
    assert count(datastore, Content) == count(datastore, Resource) == 1


def test_unknown_resource_is_not_found(hall: Hall) -> None:
    for ask in (
        lambda: hall.uploads.admit(Upload(resource_id=UNKNOWN), API),
        lambda: store(hall, resource_id=UNKNOWN, file_name="x"),
        lambda: hall.uploads.delete(UNKNOWN, API),
    ):
        with pytest.raises(ResourceNotFound):
            ask()


@pytest.mark.parametrize("text", ["tool.exe", "A/tool.exe", "'{0}'"])
def test_resource_that_a_module_needs_cannot_be_deleted(
    hall: Hall, datastore: Any, load_library: Any, text: str
) -> None:
    key = store(hall, file_name="tool.exe", folder="A")
    load_library(LIBRARY % text.format(key))
    with pytest.raises(Conflict, match="needed by module Fetch"):
        hall.uploads.delete(key, API)
    load_library(without_download())
    hall.uploads.delete(key, API)
    assert count(datastore, Resource) == 0
    with pytest.raises(InvalidValue):
        hall.resources.find("tool.exe")


@pytest.mark.parametrize("name", ["Fetch", "Ring"])
def test_resource_that_an_open_job_needs_cannot_be_deleted(
    hall: Hall, load_library: Any, enrol: Any, name: str
) -> None:
    key = store(hall, file_name="tool.exe")
    load_library(LIBRARY % "tool.exe")
    kind = WhatKind.MODULE if name == "Fetch" else WhatKind.RUNBOOK
    (what,) = (one.id for one in hall.library.whats(kind, SYSTEM))
    who = [WhoChoice(["PC-042"], WhoKind.AGENT)] if name == "Fetch" else []
    job = hall.scheduling.submit(JobRequest([WhatChoice(what, kind)], who, When()), API)
    load_library(without_download())
    with pytest.raises(Conflict, match="needed by job "):
        hall.uploads.delete(key, API)
    hall.aborting.abort(job.id, API)
    hall.uploads.delete(key, API)


def test_no_upload_changes_what_a_task_means(hall: Hall, load_library: Any) -> None:
    key = store(hall, b"first", file_name="tool.exe", folder="A")
    load_library(LIBRARY % "A/tool.exe")
    with pytest.raises(Conflict, match=r"calls 'A/tool.exe'"):
        hall.uploads.store(Upload(resource_id=key, folder="C"), None, API)
    moved = store(hall, file_name="tool.exe", folder="B/Old")
    hall.uploads.store(Upload(resource_id=moved, folder="B"), None, API)
    store(hall, resource_id=moved, file_name="other.exe")
    load_library(LIBRARY % "tool.exe")
    for ask in (
        lambda: hall.uploads.admit(Upload(file_name="tool.exe", folder="B"), API),
        lambda: store(hall, file_name="tool.exe", folder="B"),
    ):
        with pytest.raises(Conflict, match=r"module Fetch needs a resource that it calls 'tool.exe'"):
            ask()
    store(hall, resource_id=moved, file_name="Tool.exe")
    assert hall.resources.find("B/other.exe").file_name == "Tool.exe"
    hall.uploads.store(Upload(resource_id=key, folder="C"), None, API)
    store(hall, b"second", resource_id=key, file_name="tool-2.exe")
    assert read(hall, "tool.exe") == b"second"
    assert hall.resources.find("C/tool.exe").file_name == "tool-2.exe"


def test_deleted_content_stays_a_day_for_those_who_fetch_it(hall: Hall, datastore: Any, clock: Any) -> None:
    key = store(hall, file_name="tool.exe")
    sha256 = hall.resources.find("tool.exe").sha256
    clock.turn(2 * KEPT_FOR)
    hall.uploads.delete(key, API)
    assert hall.resources.clean() == 0
    assert hall.resources.read(sha256, 0, 10) == b"data"
    clock.turn(KEPT_FOR + timedelta(seconds=1))
    assert hall.resources.clean() == 1
    assert (count(datastore, Content), count(datastore, ContentChunk)) == (0, 0)


def test_quota_is_of_each_login_and_of_all_that_is_kept(hall: Hall, datastore: Any, clock: Any) -> None:
    hall.settings.set("resources.login_quota_bytes", "10", SYSTEM)
    assert hall.uploads.admit(Upload(file_name="one"), API) == 10
    key = store(hall, b"123456", file_name="one")
    assert hall.uploads.admit(Upload(file_name="two"), API) == 10, "it may be stored already"
    with pytest.raises(QuotaReached):
        store(hall, b"12345", file_name="two")
    assert count(datastore, Content) == 1
    store(hall, b"123456", file_name="same")  # costs nothing
    hall.uploads.delete(key, API)
    with pytest.raises(QuotaReached):
        store(hall, b"12345", file_name="two")
    assert count(datastore, Content) == 1
    store(hall, b"1234567890", Caller("bob", everything(Right.MODIFY)), file_name="bobs")
    hall.settings.set("resources.login_quota_bytes", "0", SYSTEM)
    assert hall.uploads.admit(Upload(file_name="two"), API) is None
    store(hall, b"x" * 20, file_name="two")


def test_content_without_its_resource_is_removed_later(hall: Hall, datastore: Any, clock: Any) -> None:
    store(hall, file_name="tool.exe")
    with pytest.raises(Conflict):
        hall.uploads._store(Upload(file_name="tool.exe"), content(b"other"), API)  # taken while the content came
    hall.resources.put(content(b"other"), "api")
    clock.turn(KEPT_FOR + timedelta(seconds=1))
    assert hall.resources.clean() == 1
    assert read(hall, "tool.exe") == b"data"
