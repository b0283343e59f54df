"""Scratch: what a run does to its private directory is nothing to the next run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dispatcher.agents.protocol import RunOrder
from dispatcher.agents.scratch import Scratch, discard_all
from dispatcher.agents.slot_messages import Do, Go


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    scratch = Scratch(tmp_path, 12)
    scratch.prepare()
    return scratch


def test_stays_the_same_between_runs_that_leave_nothing(scratch: Scratch) -> None:
    before = scratch.path.stat()
    scratch.clear()
    scratch.prepare()
    assert scratch.path.stat() == before
    assert oct(before.st_mode) == "0o40700"


def test_leaves_nothing_of_a_run(scratch: Scratch) -> None:
    (scratch.path / "folder").mkdir()
    (scratch.path / "folder" / "file").touch()
    scratch.clear()
    assert not list(scratch.path.parent.glob("*/*"))
    scratch.prepare()
    assert list(scratch.path.iterdir()) == []


@pytest.mark.parametrize("content", [(), ("kept",)])
def test_link_in_its_place_is_not_followed(scratch: Scratch, tmp_path: Path, content: tuple[str, ...]) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in content:
        (elsewhere / name).touch()
    scratch.path.rmdir()
    scratch.path.symlink_to(elsewhere)
    scratch.clear()
    scratch.prepare()
    assert not scratch.path.is_symlink()
    (scratch.path / "file").touch()
    assert [one.name for one in elsewhere.iterdir()] == list(content)
    assert list(scratch.path.parent.iterdir()) == [scratch.path]


def test_directory_that_was_opened_to_others_is_not_used_again(scratch: Scratch) -> None:
    opened = scratch.path
    opened.chmod(0o777)
    scratch.clear()
    scratch.prepare()
    assert not opened.exists()
    assert oct(scratch.path.stat().st_mode) == "0o40700"


def test_what_cannot_be_removed_is_left_behind(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: Path, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise PermissionError(path)

    monkeypatch.setattr("shutil.rmtree", refuse)
    stuck = scratch.path / "stuck"
    stuck.touch()
    scratch.clear()
    scratch.prepare()
    assert "scratch.not_cleared" in caplog.text
    assert stuck.exists()
    assert list(scratch.path.iterdir()) == []


def test_only_what_the_slot_itself_left_goes_with_it(scratch: Scratch, tmp_path: Path) -> None:
    other = Scratch(tmp_path, 123)
    other.prepare()
    (scratch.path.parent / "12-link").symlink_to(other.path)
    discard_all(tmp_path, 12)
    assert list(scratch.path.parent.iterdir()) == [other.path]


def done(home: Path, *orders: RunOrder) -> list[dict]:
    """Have one slot do *orders*; return how their tasks and they themselves ended."""
    (home / "work").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "dispatcher.agents.slot", str(home)]
    ends: list[dict] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as slot:
        assert slot.stdin is not None
        assert slot.stdout is not None
        for order in orders:
            for message in Do(order=order, facts={}, is_begun=True), Go(run_id=order.run_id, position=0):
                slot.stdin.write(message.model_dump_json().encode() + b"\n")
            for _ in range(2):
                ends.append(json.loads(slot.stdout.readline() or '{"state": "the slot died"}'))
        slot.stdin.close()
    return ends


def test_run_after_one_that_put_a_link_there_is_done(an_order, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").touch()
    spoil = f'd=$(dirname "$DISPATCHER_OUTPUT"); rmdir "$d"; ln -s {tmp_path}/elsewhere "$d"'
    assert {one["state"] for one in done(tmp_path, an_order(spoil), an_order("true"))} == {"completed"}


def test_without_a_private_directory_no_task_begins_and_the_slot_goes_on(an_order, tmp_path: Path) -> None:
    (tmp_path / "scratch").touch()
    orders = [an_order(f"touch {tmp_path}/begun") for _ in range(2)]
    ends = done(tmp_path, *orders)
    assert [one["state"] for one in ends] == ["failed"] * 4
    assert "cannot be started" in ends[0]["message"]
    assert not (tmp_path / "begun").exists()


def test_agent_starts_although_there_is_a_link_in_place_of_all(gateway, new_agent, an_order, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "scratch").symlink_to(tmp_path)
    agent, order = new_agent(), an_order("true")
    gateway.order(order)
    assert gateway.finished(order.run_id).state == "completed"
    assert not (agent.home / "scratch").is_symlink()
