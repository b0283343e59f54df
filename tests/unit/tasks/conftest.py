"""Fixtures: a context that records the processes it is asked to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dispatcher.tasks.types import Process, TaskEnding


@dataclass
class Context:
    scratch: Path
    work: Path
    values: dict[str, str] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    modes: list[int] = field(default_factory=list)

    def run_process(self, process: Process) -> TaskEnding:
        self.processes.append(process)
        for file in self.scratch.iterdir():
            self.texts.append(file.read_bytes())
            self.modes.append(file.stat().st_mode & 0o777)
        return TaskEnding("completed", 0)


@pytest.fixture
def a_context(tmp_path: Path) -> Callable[..., Context]:
    (tmp_path / "scratch").mkdir()
    return lambda **values: Context(tmp_path / "scratch", tmp_path / "work", values)
