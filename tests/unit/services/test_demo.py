"""The sample library loads, and each of its modules completes on Linux with the values it comes with."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from dispatcher.core import references
from dispatcher.core.definitions import plan
from dispatcher.core.jobs import WhatKind
from dispatcher.core.parameters import ParameterType
from dispatcher.core.permissions import ANONYMOUS
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import demo
from dispatcher.services.library.catalogue import Library, LibraryEntry
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
    return Library(datastore, ports, secrets)


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
