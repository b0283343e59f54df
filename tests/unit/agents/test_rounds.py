"""Rounds: when one is late."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dispatcher.agents import rounds
from dispatcher.agents.rounds import ROUND_S, Rounds


@pytest.mark.parametrize(
    ("work_s", "timeout_s", "sleep_s", "late_s"),
    [
        (0, 30, 30, 0),
        (0, 30, 2, 0),
        (ROUND_S, 30, 30, 0),
        (ROUND_S + 12, 30, 0, 12),
        (ROUND_S + 12, None, 500, 12),
        (0, 30, 37, 7),
        (ROUND_S + 12, 30, 37, 19),
        (0, None, 500, 0),
    ],
)
def test_late_is_what_work_took_too_long_and_what_was_overslept(
    monkeypatch: pytest.MonkeyPatch, work_s: float, timeout_s: float | None, sleep_s: float, late_s: float
) -> None:
    now = 100.0

    def select(_timeout_s: float | None) -> list[Any]:
        nonlocal now
        now += sleep_s
        return []

    monkeypatch.setattr(rounds, "time", SimpleNamespace(monotonic=lambda: now))
    selector: Any = SimpleNamespace(select=select)
    some = Rounds()
    now += work_s
    assert some.begin(selector, timeout_s) == ([], late_s)
    assert some.began_at == now == 100 + work_s + sleep_s
    assert some.begin(selector, 500) == ([], 0)
