"""Fixtures: a clock that stands unless somebody waits, and a desktop that remembers what it was to show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dispatcher.tasks.notices.desktop import Viewer
from dispatcher.tasks.notices.files import Answer, Notice
from dispatcher.tasks.notices.waiting import Asking

START = datetime(2030, 1, 1, 12, tzinfo=UTC)


class Clock:
    """Time passes while somebody sleeps; what is ``planned`` for a moment happens then."""

    def __init__(self) -> None:
        self.moment = START
        self.planned: list[tuple[float, Callable[[], object]]] = []

    @property
    def passed_s(self) -> float:
        return (self.moment - START).total_seconds()

    def at(self, seconds: float, act: Callable[[], object]) -> None:
        self.planned.append((seconds, act))
        self.planned.sort(key=lambda one: one[0])

    def now(self) -> datetime:
        return self.moment

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.moment += timedelta(seconds=seconds)
        while self.planned and self.planned[0][0] <= self.passed_s:
            self.planned.pop(0)[1]()


class Popup:
    def __init__(self, desktop: Desktop, notice: Notice) -> None:
        self.desktop = desktop
        self.notice = notice

    def answer(self) -> Answer | None:
        given, self.desktop.chosen = self.desktop.chosen, None
        return given

    def close(self) -> None:
        self.desktop.note("closed")


class Desktop:
    """Writes down what it was to show, and when."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.here: Viewer | None = Viewer("anna")
        self.can_show = True
        self.chosen: Answer | None = None
        self.seen: list[tuple[float, str]] = []

    def note(self, what: str) -> None:
        self.seen.append((self.clock.passed_s, what))

    def viewer(self) -> Viewer | None:
        return self.here

    def show(self, viewer: Viewer, notice: Notice) -> Popup | None:
        if not self.can_show:
            return None
        self.note(f"shown to {viewer.name}")
        return Popup(self, notice)

    def tell(self, viewer: Viewer, notice: Notice) -> bool:
        self.note(f"told {viewer.name}")
        return self.can_show


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desktop(clock: Clock) -> Desktop:
    return Desktop(clock)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def asking(tmp_path: Path, desktop: Desktop, clock: Clock, said: list[str]) -> Asking:
    return Asking(tmp_path, desktop, clock, said.append)
