"""Worlds for the tests of this folder, how long they go on, and the table of what was done to them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from needed import missing

sys.path.insert(0, str(Path(__file__).parent))

from checker import Verdict
from world import World

ROOT = Path(__file__).parents[2]
TABLE = ROOT / ".run" / "faults" / "table.txt"
#: ``make faults``: more of everything.
IS_LONG = os.environ.get("FAULTS") == "long"
FAKETIME = [Path(f"/usr/lib/{folder}faketime/libfaketimeMT.so.1") for folder in ("", "x86_64-linux-gnu/")]
_COLUMNS = ("acknowledged", "refused", "unknown", "completed", "outcome unknown")
_HEAD = ("fault", "times", *_COLUMNS, "lost", "twice", "zombie", "false", "changed", "settled in", "seconds")
#: What a row is called among the properties of its test.
_ROW = "row of the table"
_rows: list[tuple[str, ...]] = []


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """What chance begins with; shown when the test fails."""
    chosen = int(os.environ.get("FAULTS_SEED") or int.from_bytes(os.urandom(4), "big"))
    print(f"FAULTS_SEED={chosen}")  # noqa: T201 - to do it again
    return chosen


@pytest.fixture
def times() -> Callable[[int, int], int]:
    """How often: *usual*, or *long* for ``make faults``."""
    return lambda usual, long: long if IS_LONG else usual


@pytest.fixture
def make_world(start: Callable[..., Any], tmp_path: Path, seed: int) -> Callable[..., World]:
    def make_world(datastore: str = "") -> World:
        return World(tmp_path, start, seed, datastore)

    return make_world


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A world over SQLite."""
    return make_world()


@pytest.fixture
def fake_clock(tmp_path: Path) -> tuple[dict[str, str], Path]:
    """The environment of a process whose wall clock is set by writing an offset to a file; and the file."""
    found = next((path for path in FAKETIME if path.exists()), None)
    if found is None:
        missing("libfaketime")
    file = tmp_path / "clock"
    file.write_text("+0")
    environment = {
        "LD_PRELOAD": str(found),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }
    return environment, file


@pytest.fixture
def passes(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Enter a verdict into the table, and pass only if it has no violation."""
    began = time.monotonic()

    def passes(fault: str, count: int, verdict: Verdict, **also: Any) -> None:
        kinds = [str(verdict.number(kind)) for kind in ("lost", "twice", "zombie", "false", "changed")]
        counts = [str(verdict.counts[name]) for name in _COLUMNS]
        taken = f"{verdict.settled_in_s:.1f} s", f"{time.monotonic() - began:.0f} s"
        request.node.user_properties.append((_ROW, (fault, str(count), *counts, *kinds, *taken)))
        assert verdict.violations == []
        assert verdict.counts["acknowledged"] > 0

    return passes


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Gather the rows of the table, whatever process the test ran in."""
    if report.when == "call":
        _rows.extend(tuple(row) for name, row in report.user_properties if name == _ROW)  # type: ignore[arg-type]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show the table, and keep it."""
    if not _rows:
        return
    widths = [max(map(len, column)) for column in zip(_HEAD, *_rows, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in _rows]
    head = "  ".join(cell.ljust(width) for cell, width in zip(_HEAD, widths, strict=True)).rstrip()
    table = [rule, head, rule, *lines, rule]
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    TABLE.write_text("\n".join(table) + "\n")
    terminalreporter.write_sep("=", "faults")
    for line in table:
        terminalreporter.write_line(line)
