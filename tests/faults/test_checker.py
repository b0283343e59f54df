"""The checker itself: it finds every kind of broken promise, and nothing where all is well."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import checker
import pytest
from checker import Final, Verdict, check

Told = Callable[..., Verdict]


class Server:
    """A server that says what it is told to say."""

    said: dict[str, Final] = {}

    def __init__(self, url: str) -> None: ...

    def jobs(self) -> Any:
        return [(job, job.partition("#")[0]) for job in self.said]

    def state(self, job: str) -> int | None:
        return self.said[job].state if job in self.said else None

    def final(self, job: str) -> Final | None:
        return self.said.get(job)


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Judge one submit of the text ``a``, by what the three witnesses say."""
    monkeypatch.setattr(checker, "Server", Server)

    def judged(effects: str, *finals: Final, outcome: str = "acknowledged", **submit: Any) -> Verdict:
        Server.said = {"a" if not number else f"a#{number}": final for number, final in enumerate(finals)}
        line = {"call": "submit", "text": "a", "outcome": outcome, "job": "a", **submit}
        (tmp_path / "history").write_text(json.dumps(line) + "\n" + submit.pop("more", ""))
        (tmp_path / "effects").write_text("".join(f"a {kind}\n" for kind in effects.split()))
        return check("", tmp_path / "history", tmp_path / "effects", limit_s=0.1)

    return judged


DONE, UNKNOWN = Final(4, "", 1), Final(5, "outcome unknown: no news", 1)


def test_what_is_well(judged: Told) -> None:
    assert judged("begin end", DONE).violations == []
    assert judged("begin", UNKNOWN).violations == []
    assert judged("", UNKNOWN).violations == []
    assert judged("begin begin end", DONE, repeatable=True).violations == []
    assert judged("begin end", DONE, outcome="unknown").violations == []
    assert judged("", outcome="unknown").violations == []
    assert judged("", outcome="refused").violations == []


@pytest.mark.parametrize(
    ("kind", "effects", "finals", "rest"),
    [
        ("lost", "", [], {}),
        ("lost", "begin end", [Final(5, "something else", 1)], {}),
        ("lost", "begin", [UNKNOWN], {"repeatable": True}),
        ("lost", "begin", [Final(7, "", 1)], {}),
        ("twice", "begin begin end", [DONE], {}),
        ("twice", "begin begin", [UNKNOWN], {}),
        ("twice", "begin end", [DONE, DONE], {}),
        ("twice", "begin end", [Final(4, "", 2)], {}),
        ("zombie", "begin", [Final(1, "", 1)], {}),
        ("false", "", [DONE], {}),
        ("false", "begin", [DONE], {}),
        ("false", "begin end", [DONE], {"outcome": "refused"}),
        ("changed", "begin end", [DONE], {"more": json.dumps({"call": "read", "job": "a", "state": 5}) + "\n"}),
    ],
)
def test_what_is_not(judged: Told, kind: str, effects: str, finals: list[Final], rest: dict[str, Any]) -> None:
    assert judged(effects, *finals, **rest).number(kind) > 0
