"""Announcing: what tasks tell people stands in the log, line by line, and nothing else does."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from dispatcher.agents.announcing import LONGEST_LINE, MOST_LINES, Announcer
from dispatcher.agents.protocol import Output, RunOrder, dump

NOTICE, RESTART = ({"type": name, "settings": {}} for name in ("notice", "restart_if_needed"))


@pytest.fixture
def hear(caplog: pytest.LogCaptureFixture) -> Any:
    """Has output heard, as pairs of a position and its data; returns what was logged."""
    caplog.set_level(logging.INFO)

    def hear(order: RunOrder, *output: tuple[int, bytes]) -> list[str]:
        announcer, offsets = Announcer(), [0] * len(order.tasks)
        for position, data in output:
            offset, offsets[position] = offsets[position], offsets[position] + len(data)
            event = Output(run_id=order.run_id, fence=1, position=position, offset=offset, data=data)
            announcer.hear(order, [dump(event), b'{"kind":"task_started"}'])
        texts = [record.args[2] for record in caplog.records if record.args]
        assert all(f"run_id={order.run_id}" in record.getMessage() for record in caplog.records)
        caplog.clear()
        return texts

    return hear


def test_lines_are_logged_whole_however_they_come(an_order: Any, hear: Any) -> None:
    order = an_order(NOTICE)
    parts = (b"# not", b"ice 1: B\xc3", b"\xbcro\n# to answer: x\n\xff", b"\nno end")
    assert hear(order, *((0, part) for part in parts)) == ["# notice 1: B\u00fcro", "# to answer: x", "\ufffd"]


def test_only_what_tells_people_something_is_logged(an_order: Any, hear: Any) -> None:
    order = an_order("true", NOTICE, "true", RESTART)
    output = [(position, f"{position}\n".encode()) for position in range(4)]
    assert hear(order, *output) == ["1", "3"]
    assert hear(an_order("true"), (0, b"0\n")) == []


def test_no_task_fills_the_log(an_order: Any, hear: Any) -> None:
    order = an_order(NOTICE, NOTICE)
    long, many = b"x" * 3 * LONGEST_LINE, b"y\n" * MOST_LINES
    logged = hear(order, (0, long), (0, long), (0, long + b"\n"), (0, many), (0, many), (1, b"next\n"))
    assert logged == ["x" * LONGEST_LINE, *["y"] * (MOST_LINES - 1), "next"]
