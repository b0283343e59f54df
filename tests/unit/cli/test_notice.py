"""Notices are listed and answered without any server, and only what is waited for can be answered."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dispatcher.cli import notice as command
from dispatcher.tasks.notices.files import Answer, Notice, Notices
from dispatcher.tasks.notices.order import NoticeOrder

NOW = datetime.now(UTC)


def give(home: Path, task: str = "aaa-1", **more: Any) -> Notice:
    home.mkdir(exist_ok=True)
    return Notices(home).open(task, "deployment", NoticeOrder(message="Soon\x1b[2J", **more), NOW)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(command, "_PATIENCE_S", 0.0)  # nobody takes the answers
    return tmp_path / "home"


def test_notices_of_all_homes_are_listed_in_the_order_in_which_they_begin(run: Any, home: Path, tmp_path: Path) -> None:
    give(home, "later", within_min=50)
    first = give(tmp_path / "other", "sooner", within_min=5, allow_cancel=True)
    homes = ("--home", str(home), "--home", str(tmp_path / "other"))
    one, other = json.loads(run("notice", "list", "--json", *homes).stdout)
    assert one == {
        "id": "sooner",
        "about": "deployment",
        "begins": first.begins_at.isoformat(),
        "snoozed": "",
        "answers": "now, snooze, cancel",
        "message": "Soon\x1b[2J",
    }
    assert (other["id"], other["answers"]) == ("later", "now, snooze")
    shown = run("notice", "list", *homes).stdout
    assert shown.splitlines()[1].startswith("sooner")
    assert "\x1b" not in shown


def test_without_a_home_those_of_the_data_directory_are_looked_at(run: Any, home: Path, tmp_path: Path) -> None:
    agents = tmp_path / "data" / "dispatcher" / "agents"
    agents.mkdir(parents=True)
    give(agents / "pc-1")
    give(agents.parent / "dispatcher.agent", "bbb-2")
    shown = run("notice", "list", "--json", XDG_DATA_HOME=str(tmp_path / "data")).stdout
    assert {one["id"] for one in json.loads(shown)} == {"aaa-1", "bbb-2"}


def test_an_answer_is_left_for_the_agent(run: Any, home: Path) -> None:
    notice = give(home, allow_cancel=True)
    for word in Answer:
        answered = run("notice", word, "aa", DISPATCHER_AGENT_HOME=str(home))
        assert (answered.exit_code, answered.stdout) == (0, "aaa-1: the agent has not taken it yet\n")
        taken = Notices(home).take(notice)
        assert taken is not None
        assert taken.answer is word


@pytest.mark.parametrize("word", ["snooze", "cancel"])
def test_what_is_not_allowed_is_refused(run: Any, home: Path, word: str) -> None:
    notice = give(home, allow_snooze=False)
    answered = run("notice", word, "--home", str(home))
    assert answered.exit_code == 4
    assert f"{word} is not allowed" in answered.stderr
    assert Notices(home).take(notice) is None


def test_a_notice_must_be_the_only_one_that_is_meant(run: Any, home: Path) -> None:
    nothing = run("notice", "now", "--home", str(home))
    assert (nothing.exit_code, nothing.stderr) == (4, "dispatcher: there is no notice\n")
    give(home, "aaa-1")
    give(home, "aab-1")
    assert "there is more than one notice aa" in run("notice", "now", "--home", str(home), "aa").stderr
    assert run("notice", "show", "--home", str(home), "aab").stdout.splitlines()[0].split() == ["Id", "aab-1"]
    assert "there is no notice x" in run("notice", "show", "--home", str(home), "x").stderr


def test_nothing_of_the_server_is_needed(home: Path) -> None:
    give(home)
    code = (
        "import sys\n"
        "from dispatcher.cli.main import cli\n"
        f"cli(['notice', 'list', '--home', {str(home)!r}], standalone_mode=False)\n"
        "print(sorted({'sqlalchemy', 'spyne', 'lxml', 'werkzeug', 'alembic'} & set(sys.modules)))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert ended.stdout.splitlines()[-1] == "[]"
