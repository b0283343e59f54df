"""The supervisor: what it says of a crowd that a task has left behind."""

from __future__ import annotations

import os

import pytest

from dispatcher.agents import processes, supervisor
from dispatcher.agents.processes import Killed
from dispatcher.agents.supervisor import Supervisor


class Crowd:
    """A process that has ended, and what it has left behind: that ends when it is asked to, or with *deaf* killed."""

    deaf = False

    def __init__(self, _bell: object) -> None:
        self.is_left = True

    def start(self, *_: object) -> int:
        return 1

    def reap(self) -> tuple[dict[int, int], bool]:
        return {1: 0}, self.is_left

    def terminate(self) -> list[str]:
        self.is_left = self.deaf
        return ["2 a", "3 a", "4 a", "5 a"]

    def kill(self, _wait: object) -> Killed:
        return Killed(["3 a", "5 a", "6 a"])


@pytest.mark.parametrize(("deaf", "more"), [(False, 1), (True, 2)])
def test_crowd_that_was_left_is_not_named_in_full(monkeypatch: pytest.MonkeyPatch, deaf: bool, more: int) -> None:
    monkeypatch.setattr(processes, "MAX_NAMED", 3)
    monkeypatch.setattr(Crowd, "deaf", deaf)
    monkeypatch.setattr(supervisor, "Processes", Crowd)
    inlet, outlet = os.pipe()
    with os.fdopen(inlet, "rb") as nobody, os.fdopen(outlet, "wb"):
        end = Supervisor(nobody, lambda: False, grace_s=0.0).run([], "", {}, None, lambda _: None)
    assert end.killed.names == ["2 a", "3 a", "4 a", f"and {more} more"]
