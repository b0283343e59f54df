"""The sample library loads, and each of its modules completes on Linux with the values it comes with."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from dispatcher.core import references, shells
from dispatcher.core.definitions import plan
from dispatcher.core.jobs import WhatKind
from dispatcher.core.parameters import ParameterType
from dispatcher.core.permissions import ANONYMOUS
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import demo
from dispatcher.services.library.catalogue import Library, LibraryEntry
from dispatcher.services.library.importing import import_texts
from dispatcher.services.library.items import Outcome
from dispatcher.services.secrets import Secrets
from dispatcher.tasks.registry import task_type
from dispatcher.tasks.types import Process, TaskEnding

SECONDS = 5


@dataclass
class Value:
    """A parameter as tasks get it."""

    name: str
    value: str
    password: str | None


@dataclass
class PlainContext:
    """Runs processes as they are, without an agent."""

    values: Mapping[str, str]
    scratch: Path
    work: Path

    def run_process(self, process: Process) -> TaskEnding:
        assert not isinstance(process.command_line, str)
        environment = {"PATH": "/usr/bin:/bin", **self.values, "DISPATCHER_OUTPUT": str(self.scratch / "output")}
        ended = subprocess.run(
            process.command_line,
            cwd=process.directory,
            env=environment,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        assert ended.returncode in process.success_codes, ended
        return TaskEnding("completed", ended.returncode, message=ended.stdout.decode())


@pytest.fixture
def library(datastore: Datastore, ports: Ports, secrets: Secrets) -> Library:
    demo.load(datastore, ports, secrets)
    return Library(datastore, secrets)


def entries(library: Library, datastore: Datastore, kind: WhatKind) -> list[LibraryEntry]:
    with datastore.read() as session:
        found = [library.definition(session, kind, what.id) for what in library.whats(kind, ANONYMOUS)]
    return [entry for entry in found if entry is not None]


def test_loading_it_again_changes_nothing(datastore: Datastore, ports: Ports, secrets: Secrets) -> None:
    first = demo.load(datastore, ports, secrets)
    assert first.count(Outcome.CREATED) == len(first.entries)
    assert first.count(Outcome.CREATED, "modules") >= 10
    again = demo.load(datastore, ports, secrets)
    assert again.count(Outcome.UNCHANGED) == len(first.entries)


def test_a_library_of_an_earlier_version_keeps_its_ids(datastore: Datastore, ports: Ports, secrets: Secrets) -> None:
    content = Path(demo.__file__).with_name("demo.yaml").read_bytes()
    before = {
        one.name: one.id for one in import_texts(datastore, ports, secrets, {"": demo._IDS.sub(b"", content)}).entries
    }
    report = demo.load(datastore, ports, secrets)
    assert report.count(Outcome.UNCHANGED) == len(report.entries)
    assert {one.name: one.id for one in report.entries} == before
    assert demo._IDS.findall(content)


def test_run_books_ask_nobody_anything(library: Library, datastore: Datastore) -> None:
    runbooks = entries(library, datastore, WhatKind.RUNBOOK)
    assert runbooks
    for runbook in runbooks:
        assert all("team" in who for step in runbook.document["steps"] for who in step["who"])


@pytest.mark.skipif(sys.platform != "linux", reason="the modules are made for Linux")
@pytest.mark.parametrize("kind", [WhatKind.MODULE, WhatKind.PROJECT])
def test_everything_completes_in_time(
    library: Library, datastore: Datastore, secrets: Secrets, tmp_path: Path, kind: WhatKind
) -> None:
    for entry in entries(library, datastore, kind):
        start = time.monotonic()
        for module in plan(kind, entry.document, entry.parameters, secrets.open):
            given = [
                Value(one.name, one.value1, one.value2 if one.type is ParameterType.CREDENTIALS else None)
                for one in module.parameters
            ]
            context = PlainContext(references.environment(given, {}, {}), tmp_path, tmp_path)
            for task in module.document["tasks"]:
                task_kind = task_type(task["type"])
                ending = task_kind.run(task_kind.Settings.model_validate(task["settings"]), context)
                assert ending.state == "completed"
        assert time.monotonic() - start < SECONDS


def ending_of(library: Library, datastore: Datastore, name: str, parameter: str, value: str, folder: Path) -> int:
    """Return the exit code of the first task of a module with one of its parameters changed."""
    module = next(one for one in entries(library, datastore, WhatKind.MODULE) if one.name == name)
    given = [Value(one.name, value if one.name == parameter else one.value1, None) for one in module.parameters]
    text = shells.posix_text(module.document["tasks"][0]["settings"]["command"]).text
    environment = {"PATH": "/usr/bin:/bin", **references.environment(given, {}, {})}
    environment["DISPATCHER_OUTPUT"] = str(folder / "scratch" / "output")
    (folder / "scratch").mkdir(exist_ok=True)
    return subprocess.run(["/bin/sh", "-c", text], cwd=folder, env=environment, timeout=SECONDS).returncode


PATHS = [("Append a line", "File"), ("Checksum a file", "File"), ("Disk space report", "Path")]


@pytest.mark.skipif(sys.platform != "linux", reason="the modules are made for Linux")
@pytest.mark.parametrize(("name", "parameter"), PATHS)
def test_modules_stay_in_their_private_directory(
    library: Library, datastore: Datastore, tmp_path: Path, name: str, parameter: str
) -> None:
    (tmp_path / "outside").touch()
    hostile = [f"{tmp_path}/outside", "../../outside", "..", "x/../../../outside", "", "//etc/passwd", "a\n/../x"]
    for value in hostile:
        assert ending_of(library, datastore, name, parameter, value, tmp_path) == 2, value
    assert (tmp_path / "outside").read_bytes() == b""
    assert not any((tmp_path / "scratch").iterdir())
    if parameter == "File":
        assert ending_of(library, datastore, name, parameter, "-x..y z", tmp_path) == 0
        assert (tmp_path / "scratch" / "files" / "-x..y z").read_text() == "hello\n"


@pytest.mark.skipif(sys.platform != "linux", reason="the module is made for Linux")
def test_an_algorithm_is_no_program_of_the_callers_choice(
    library: Library, datastore: Datastore, tmp_path: Path
) -> None:
    program = tmp_path / "evilsum"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert ending_of(library, datastore, "Checksum a file", "Algorithm", f"{tmp_path}/evil", tmp_path) == 2
