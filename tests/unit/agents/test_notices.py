"""Notices of a real agent: what users answer is done, what they may not answer is not, and a deadline stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dispatcher.agents.protocol import Value
from dispatcher.core.inputs import Input
from dispatcher.core.parameters import ParameterType
from dispatcher.tasks.notices.files import Answer, Notice, Notices
from dispatcher.tasks.notices.order import NoticeOrder

#: Plays a desktop: notes how it was called, and answers as the lines of a file say, one each time.
NOTIFY_SEND = """#!/bin/sh
printf '%s\\n' "$*" >> {folder}/calls
answer=$(head -n 1 {folder}/answers 2> /dev/null) && sed -i 1d {folder}/answers
if [ -n "$answer" ]; then echo "$answer"; exit; fi
trap 'echo closed >> {folder}/calls; exit' INT
while :; do sleep 0.05; done
"""


class Desk:
    """A real agent of a computer whose desktop is played, started by its command line."""

    def __init__(self, url: str, folder: Path) -> None:
        self.home = folder / "home"
        self.folder = folder / "bin"
        self.folder.mkdir()
        for name, text in (
            ("notify-send", NOTIFY_SEND.format(folder=self.folder)),
            ("loginctl", "#!/bin/sh\nexit 1\n"),
        ):
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o755)
        self.command = [sys.executable, "-m", "dispatcher", "agent", "--dispatcher", url, "--enrol-token", "enrol-me"]
        self.notices = Notices(self.home)
        self.log = folder / "log"
        self.start()

    def start(self) -> None:
        session = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere", "DISPLAY": ":77"}
        path = f"{self.folder}:{os.environ['PATH']}"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.command, "--home", str(self.home), "--allow-power", "--name", "desk"],
                env={**os.environ, **session, "PATH": path},
                stderr=log,
            )

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(20)

    def answers(self, *words: str) -> None:
        (self.folder / "calls").unlink(missing_ok=True)
        (self.folder / "answers").write_text("".join(f"{word}\n" for word in words))

    @property
    def calls(self) -> list[str]:
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def waiting(self) -> Notice:
        return self.until(lambda: next(iter(self.notices.waiting()), None))

    def until(self, condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 15
        while not (found := condition()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return found

    def notice(self, *arguments: str) -> tuple[int, str]:
        """Run ``dispatcher notice`` with *arguments*; return its exit code and what it said."""
        command = [sys.executable, "-m", "dispatcher", "notice", *arguments, "--home", str(self.home)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        return ended.returncode, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def desk(shared_gateway: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    made = Desk(shared_gateway.url, tmp_path_factory.mktemp("desk"))
    yield made
    made.stop()


@pytest.fixture
def deployment(desk: Desk, shared_gateway: Any, an_order: Any, tmp_path: Path) -> Callable[..., Any]:
    """Orders a deployment: what it would install is a file; needing a restart, it restarts by making another."""

    def order(needs: str = "never", snooze_min: float = 10, chosen: Sequence[str] = (), **notices: NoticeOrder) -> Any:
        desk.answers(*chosen)
        install = {"command": f"touch '{tmp_path}/installed'", "restart": needs}
        restart = {"command": f"touch '{tmp_path}/restarted'", "ask_system": False}
        tasks = [
            {"type": "notice", "settings": {"snooze_min": snooze_min}, "repeatable": True},
            {"type": "package", "settings": install},
            {"type": "restart_if_needed", "settings": restart, "repeatable": True},
        ]
        inputs = [Input(f"notice.{name}", given.model_dump(mode="json")) for name, given in notices.items()]
        made = an_order(*tasks, modules=3, inputs=inputs)
        shared_gateway.order(made)
        return made

    return order


@pytest.fixture
def done(shared_gateway: Any, tmp_path: Path) -> Callable[[Any], tuple[list[tuple[str, str]], list[str]]]:
    """Waits for the end of a run; returns how its tasks ended, and what was done."""

    def wait(order: Any) -> tuple[list[tuple[str, str]], list[str]]:
        shared_gateway.finished(order.run_id)
        ends = [(event.state, event.message) for event in shared_gateway.of(order.run_id, "task_finished")]
        return ends, sorted(file.name for file in tmp_path.iterdir())

    return wait


SOON = NoticeOrder(message="Patch 7 is ready.", allow_cancel=True)
INSTALLED = ("completed", "the command has completed")
NOT_NEEDED = ("completed", "no restart is needed")


def test_now_begins_at_once(desk: Desk, deployment: Any, done: Any, shared_gateway: Any) -> None:
    order = deployment(deployment=SOON)
    notice = desk.waiting()
    assert (notice.id, notice.about) == (f"{order.run_id}-0", "deployment")
    assert notice.begins_at - notice.told_at == timedelta(minutes=60)
    code, said = desk.notice("list", "--json")
    assert (code, json.loads(said)[0]["message"]) == (0, "Patch 7 is ready.")
    assert desk.notice("now") == (0, f"{notice.id}: now\n")
    assert done(order) == ([("completed", ""), INSTALLED, NOT_NEEDED], ["installed"])
    assert b"# shown to " in shared_gateway.output(order.run_id)
    assert b"# now by " in shared_gateway.output(order.run_id)
    assert desk.calls[-1] == "closed"
    assert desk.notices.waiting() == []


def test_the_log_of_the_agent_tells_it_too_with_the_command_to_answer_and_no_secret(
    desk: Desk, an_order: Any, shared_gateway: Any
) -> None:
    told = {"message": "Patch 8 is ready.\nAsk $[Word] about it.", "allow_cancel": True}
    order = an_order(
        {"type": "notice", "settings": {"notice": told}},
        values=(Value(name="Word", value="open sesame", type=ParameterType.PASSWORD),),
    )
    before = desk.log.read_text()
    shared_gateway.order(order)
    desk.answers()
    notice = desk.waiting()
    command = f"dispatcher notice now|snooze|cancel --home {desk.home} {notice.id}"
    desk.until(lambda: command in desk.log.read_text())
    desk.notices.answer(notice, Answer.NOW)
    shared_gateway.finished(order.run_id)
    said = desk.until(lambda: (text := desk.log.read_text()[len(before) :]) and "# now" in text and text)
    assert f"# notice {notice.id}: Patch 8 is ready." in said
    assert "Ask ******** about it." in said
    assert "open sesame" not in said
    assert "open sesame" in notice.order.message  # the user is told what was meant


def test_canceled_nothing_is_installed(desk: Desk, deployment: Any, done: Any) -> None:
    order = deployment("always", deployment=SOON)
    assert desk.notice("cancel", desk.waiting().id[:20])[0] == 0
    assert done(order) == ([("failed", "canceled by the user"), ("skipped", ""), ("skipped", "")], [])


def test_what_is_not_allowed_is_refused(desk: Desk, deployment: Any, done: Any) -> None:
    order = deployment(deployment=NoticeOrder(message="x", allow_snooze=False))
    notice = desk.waiting()
    assert desk.notice("snooze") == (4, f"dispatcher: notice {notice.id}: snooze is not allowed\n")
    desk.notices.answer(notice, Answer.CANCEL)  # whoever goes around the command line gains nothing
    desk.until(lambda: desk.notices.is_taken(notice))
    desk.notices.answer(notice, Answer.NOW)
    assert done(order)[1] == ["installed"]


def test_snoozed_on_the_desktop_it_is_shown_again(desk: Desk, deployment: Any, done: Any) -> None:
    order = deployment(deployment=SOON, snooze_min=0.01, chosen=["snooze", "snooze", "now"])
    assert done(order)[0][0] == ("completed", "")
    calls = [line for line in desk.calls if line.startswith("--")]
    assert len(calls) == 3
    assert "--urgency=critical" in calls[0]
    assert "--action=now=Begin now --action=snooze=Remind me later --action=cancel=Cancel -- An inst" in calls[0]


def test_a_deadline_outlives_the_agent_and_is_obeyed(
    desk: Desk, deployment: Any, done: Any, shared_gateway: Any
) -> None:
    order = deployment(deployment=SOON)
    told = desk.waiting()
    desk.stop(signal.SIGKILL)
    desk.until(lambda: not desk.notices.waiting())
    begins_at = datetime.now(UTC) + timedelta(seconds=1)  # as nearly an hour later
    desk.notices.save(told.model_copy(update={"begins_at": begins_at}))
    polls = len(shared_gateway.polls)
    desk.start()
    desk.until(lambda: len(shared_gateway.polls) > polls)
    again = order.model_copy(update={"fence": 2})
    shared_gateway.order(again)
    assert done(again)[1] == ["installed"]
    said = b"".join(event.data for event in shared_gateway.of(order.run_id, "output") if event.fence == 2).decode()
    assert f"# begins at {begins_at:%Y-%m-%d %H:%M:%S} UTC; " in said
    assert "# the time is over\n" in said


def test_without_any_notice_a_needed_restart_is_done_and_nobody_is_told(desk: Desk, deployment: Any, done: Any) -> None:
    order = deployment("always")
    ends = [("completed", "nobody is told"), INSTALLED, ("completed", "reboot ordered")]
    assert done(order) == (ends, ["installed", "restarted"])
    assert desk.calls == []


def test_before_a_restart_the_user_is_told_and_may_cancel_it(desk: Desk, deployment: Any, done: Any) -> None:
    order = deployment("always", restart=SOON)
    notice = desk.waiting()
    assert (notice.id, notice.about) == (f"{order.run_id}-2", "restart")
    desk.notices.answer(notice, Answer.CANCEL)
    ends, files = done(order)
    assert ends[2] == ("completed", "canceled by the user: a restart is still needed")
    assert files == ["installed"]
