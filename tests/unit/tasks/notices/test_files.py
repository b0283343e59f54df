"""Notice files: who may read and answer them, and that an answer is nothing but an answer."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dispatcher.tasks.notices.files import KEPT, Answer, Answered, Notice, Notices
from dispatcher.tasks.notices.order import NoticeOrder

NOW = datetime.now(UTC)
ORDER = NoticeOrder(message="Soon.", within_min=5)
ANSWER = """
import os, sys
import psutil
from pathlib import Path
from dispatcher.tasks.notices.files import Answer, Notices
os.setgroups([]); os.setgid({gid}); os.setuid({uid})
notices = Notices(Path(sys.argv[1]))
[notice] = notices.waiting()
try:
    notices.answer(notice, Answer(sys.argv[2]))
except PermissionError:
    sys.exit(13)
try:
    notices.save(notice)
except PermissionError:
    sys.exit(0)
sys.exit("could change the notice")
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A home that others can get to, unlike pytest's own directories."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def notices(home: Path) -> Notices:
    return Notices(home)


@pytest.fixture
def notice(notices: Notices) -> Notice:
    return notices.open("run-1", "deployment", ORDER, NOW)


def test_an_answer_is_taken_once(notices: Notices, notice: Notice) -> None:
    assert notices.take(notice) is None
    notices.answer(notice, Answer.SNOOZE)
    notices.answer(notice, Answer.NOW)
    assert not notices.is_taken(notice)
    assert notices.take(notice) == Answered(Answer.NOW, pwd.getpwuid(os.geteuid()).pw_name)
    assert notices.is_taken(notice)
    assert notices.take(notice) is None


def make_link(file: Path) -> None:
    other = file.with_name("other")
    other.write_text("cancel")
    file.symlink_to(other)


@pytest.mark.parametrize(
    "make",
    [
        make_link,
        os.mkfifo,
        Path.mkdir,
        lambda file: file.write_text("explode"),
        lambda file: file.write_bytes(b"\xff\xfe"),
        lambda file: file.write_text("cancel" + " " * 100 + "x"),
        lambda file: file.write_text(""),
    ],
    ids=["link", "pipe", "directory", "word", "bytes", "long", "empty"],
)
def test_what_is_no_answer_is_nothing(notices: Notices, notice: Notice, make: Callable[[Path], object]) -> None:
    make(notices.folder / "run-1.answers" / "answer")
    found = notices.take(notice)
    assert found is None or make is not make_link  # a long text is read no further than a word
    assert found in (None, Answered(Answer.CANCEL, pwd.getpwuid(os.geteuid()).pw_name))


def test_a_notice_that_is_given_again_keeps_its_moments(notices: Notices, notice: Notice) -> None:
    notices.save(notice.model_copy(update={"snoozed_until": NOW + timedelta(minutes=1)}))
    notices.answer(notice, Answer.CANCEL)  # nobody has taken it
    again = notices.open("run-1", "deployment", ORDER, NOW + timedelta(minutes=3))
    assert (again.told_at, again.begins_at) == (NOW, NOW + timedelta(minutes=5))
    assert again.snoozed_until == NOW + timedelta(minutes=1)
    assert notices.take(again) is None


def test_what_is_damaged_is_given_anew(notices: Notices, notice: Notice) -> None:
    (notices.folder / "run-1.json").write_text("{")
    assert notices.waiting() == []
    again = notices.open("run-1", "deployment", ORDER, NOW + timedelta(minutes=3))
    assert again.begins_at == NOW + timedelta(minutes=8)


def test_only_what_a_living_process_waits_for_is_listed(notices: Notices, notice: Notice) -> None:
    later = notices.open("run-2", "restart", ORDER, NOW + timedelta(minutes=1))
    assert notices.waiting() == [notice, later]
    notices.save(notice.model_copy(update={"process_began": 1.0}))  # of an earlier process with the same number
    assert notices.waiting() == [later]
    notices.close(later)
    assert notices.waiting() == []
    with pytest.raises(FileNotFoundError):
        notices.answer(later, Answer.NOW)


def test_what_was_left_long_ago_is_removed(notices: Notices, notice: Notice) -> None:
    notices.open("run-2", "restart", ORDER, NOW + timedelta(minutes=1))
    notices.open("run-3", "restart", ORDER, notice.begins_at + KEPT + timedelta(seconds=1))
    assert sorted(file.name for file in notices.folder.glob("*.*")) == [
        "run-2.answers",
        "run-2.json",
        "run-3.answers",
        "run-3.json",
    ]


def answered_as(user: str, home: Path, word: str = "now") -> int:
    found = pwd.getpwnam(user)
    code = ANSWER.format(uid=found.pw_uid, gid=found.pw_gid)
    return subprocess.run([sys.executable, "-c", code, str(home), word], check=False, timeout=30).returncode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be other users")
def test_only_the_user_at_the_console_may_answer_and_nobody_else(home: Path, notices: Notices, notice: Notice) -> None:
    assert answered_as("nobody", home) == 13
    notices.let_answer(notice, pwd.getpwnam("nobody").pw_uid)
    assert answered_as("daemon", home) == 13
    assert answered_as("nobody", home, "cancel") == 0
    assert notices.take(notice) == Answered(Answer.CANCEL, "nobody")
    notices.let_answer(notice, pwd.getpwnam("daemon").pw_uid)  # somebody else sits there now
    assert answered_as("nobody", home) == 13
    notices.close(notice)
    assert list(notices.folder.iterdir()) == []
