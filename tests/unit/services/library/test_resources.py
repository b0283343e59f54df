"""Library resources: files beside the library file, or contents that are stored already."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from dispatcher.services.hall import Hall
from dispatcher.services.library.exporting import export
from dispatcher.services.library.importing import ImportReport, import_files
from dispatcher.services.library.items import Outcome
from dispatcher.services.library.problems import LibraryErrors

DATA = b"#!/bin/sh\necho hello\n"
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def load(datastore: Any, ports: Any, secrets: Any, tmp_path: Path) -> Any:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "hello.sh").write_bytes(DATA)

    def load(text: str) -> ImportReport:
        file = tmp_path / "library.yaml"
        file.write_text(text)
        return import_files(datastore, ports, secrets, [file])

    return load


def problems(load: Any, text: str) -> str:
    with pytest.raises(LibraryErrors) as caught:
        load(text)
    return caught.value.message


def test_file_is_stored_with_its_resource(load: Any, hall: Hall) -> None:
    text = "resources: [{name: Hello, folder: Tools, description: Greets, file: files/hello.sh}]"

    (entry,) = load(text).entries
    assert entry.outcome is Outcome.CREATED
    found = hall.resources.find("Tools/Hello")
    assert (found.sha256, found.size, found.file_name) == (SHA256, len(DATA), "hello.sh")
    assert hall.resources.read(SHA256, 0, 1000) == DATA
    assert load(text).entries[0].outcome is Outcome.UNCHANGED


def test_changed_file_changes_the_resource(load: Any, hall: Hall, tmp_path: Path) -> None:
    text = "resources: [{name: Hello, file: files/hello.sh}]"
    load(text)
    assert hall.resources.find("Hello").sha256 == SHA256
    (tmp_path / "files" / "hello.sh").write_bytes(b"other")
    assert load(text).entries[0].outcome is Outcome.UPDATED
    assert hall.resources.find("Hello").size == 5


def test_export_can_be_imported_where_the_content_is(load: Any, datastore: Any) -> None:
    load("resources: [{name: Hello, folder: Tools, file: files/hello.sh, file_name: greet.sh}]")
    text = export(datastore)
    (entry,) = yaml.safe_load(text)["resources"]
    assert (entry["sha256"], entry["size"], entry["file_name"]) == (SHA256, len(DATA), "greet.sh")
    assert load(text).entries[0].outcome is Outcome.UNCHANGED
    assert load(text.replace("Hello", "Again").replace(entry["id"], "")).entries[0].outcome is Outcome.CREATED


def test_content_stays_when_only_the_description_is_given(load: Any, hall: Hall) -> None:
    load("resources: [{name: Hello, file: files/hello.sh}]")
    load("resources: [{name: hello, description: new}]")
    assert hall.resources.find("Hello").file_name == "hello.sh"


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{name: A}", "resources[0].file: needs a file"),
        (f"{{name: A, sha256: {SHA256}}}", "resources[0].sha256: this content is not stored"),
        ("{name: A, sha256: abc}", "resources[0].sha256: "),
        ("{name: A, file: none.sh}", "resources[0].file: there is no such file"),
        ("{name: A, file: ../outside}", "resources[0].file: must be below"),
        ("{name: A, file: /etc/hostname}", "resources[0].file: must be below"),
        ("{name: A, file: link}", "resources[0].file: must be below"),
        ("{name: A, file: files}", "resources[0].file: there is no such file"),
        (f"{{name: A, file: {'x' * 300}}}", "resources[0].file: cannot be read: File name too long"),
        ('{name: A, file: "a\\0b"}', "resources[0].file: "),
        (f"{{name: A, file: files/hello.sh, sha256: {'0' * 64}}}", "resources[0].sha256: is not that of the file"),
        ("{name: A, file: files/hello.sh, file_name: ../x}", "resources[0].file_name: is no name of a file"),
        ("{name: A, file: files/hello.sh, file_name: ..}", "resources[0].file_name: is no name of a file"),
        ("{name: A, file: files/hello.sh, file_name: con.txt}", "resources[0].file_name: is no name of a file"),
        (f"{{name: CON, sha256: {SHA256}}}", "resources[0].file_name: is needed: the name of the resource is no name"),
        ("{name: A, file: files/hello.sh, aliases: {x: {y: z}}}", "resources[0].aliases: "),
        ("{name: A, file: files/hello.sh, enabled: false}", "resources[0].enabled: is not known here"),
    ],
)
def test_problems_are_told_at_their_place(load: Any, tmp_path: Path, entry: str, problem: str) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    assert problem in problems(load, f"resources: [{entry}]")


def test_nothing_is_stored_of_a_library_with_problems(load: Any, datastore: Any, hall: Hall) -> None:
    problems(load, "resources: [{name: A, file: files/hello.sh}, {name: B}, {title: C}]")
    assert export(datastore) == ""


def test_task_needs_a_resource_that_is_there(load: Any) -> None:
    task = "{name: get, type: download, settings: {resource: %s, target: x}}"
    resources = "resources: [{name: Hello, file: files/hello.sh}]\n"
    module = "modules: [{name: M, parameters: [{name: R}], tasks: [%s]}]"

    said = problems(load, resources + module % (task % "Helo"))
    assert "modules[0].tasks[0].settings.resource: no resource is called 'Helo'" in said
    load(resources + module % (task % "hello"))
    load(resources + module % (task % "'$[R]'"))
