"""Notify-send: the real program, a real message bus, and a service that plays the desktop on it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from needed import missing

from dispatcher.tasks.notices import notify_send
from dispatcher.tasks.notices.desktop import Viewer
from dispatcher.tasks.notices.desktops import desktop
from dispatcher.tasks.notices.files import Answer, Notice, Notices
from dispatcher.tasks.notices.notify_send import NotifySend
from dispatcher.tasks.notices.order import NoticeOrder

NAME = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"


class Service:
    """The notifications of a desktop: what it was to show, and what its user presses."""

    def __init__(self, bus: str) -> None:
        from jeepney import DBusAddress, message_bus
        from jeepney.io.blocking import Proxy, open_dbus_connection

        self.address = DBusAddress(PATH, interface=NAME)
        self.connection = open_dbus_connection(bus)
        Proxy(message_bus, self.connection).RequestName(NAME)
        self.shown: Queue[tuple[Any, ...]] = Queue()
        self.closed: Queue[int] = Queue()
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        from jeepney import HeaderFields, MessageType, new_method_return

        answers: dict[str, tuple[str, Callable[..., tuple[Any, ...]]]] = {
            "GetCapabilities": ("as", lambda: (["actions", "body"],)),
            "GetServerInformation": ("ssss", lambda: ("test", "test", "1", "1.2")),
            "Notify": ("u", self._notify),
            "CloseNotification": ("", self._close),
        }
        while True:
            try:
                message = self.connection.receive()
            except (ConnectionResetError, OSError, ValueError):
                return
            if message.header.message_type is not MessageType.method_call:
                continue
            signature, do = answers[message.header.fields[HeaderFields.member]]
            body = do(*message.body)
            with self.lock:
                self.connection.send(new_method_return(message, signature or None, body))

    def _notify(self, *given: Any) -> tuple[int]:
        self.shown.put(given)
        return (7,)

    def _close(self, number: int) -> tuple[()]:
        self.closed.put(number)
        self.emit("NotificationClosed", "uu", number, 3)
        return ()

    def emit(self, name: str, signature: str, *body: Any) -> None:
        from jeepney import new_signal

        with self.lock:
            self.connection.send(new_signal(self.address, name, signature, body))

    def press(self, action: str) -> None:
        self.emit("ActionInvoked", "us", 7, action)

    def dismiss(self) -> None:
        self.emit("NotificationClosed", "uu", 7, 2)


@pytest.fixture(scope="module")
def bus() -> Iterator[str]:
    """The address of a message bus of its own."""
    for program in ("dbus-daemon", "notify-send"):
        if shutil.which(program) is None:
            missing(program)
    command = ["dbus-daemon", "--session", "--nofork", "--print-address=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.send_signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def service(bus: str) -> Iterator[Service]:
    pytest.importorskip("jeepney")
    made = Service(bus)
    yield made
    made.connection.close()


@pytest.fixture
def viewer(bus: str) -> Viewer:
    return Viewer("me", os.geteuid(), "", {"PATH": os.environ["PATH"], "DBUS_SESSION_BUS_ADDRESS": bus})


@pytest.fixture
def a_notice(tmp_path: Path) -> Callable[..., Notice]:
    def make(**more: Any) -> Notice:
        order = NoticeOrder(message="--help <b>& more</b>", **{"allow_cancel": True, **more})
        return Notices(tmp_path).open("task-1", "restart", order, datetime.now(UTC))

    return make


def wait_for(popup: Any) -> Answer | None:
    deadline = time.monotonic() + 10
    while popup._process is not None and time.monotonic() < deadline:
        if (answer := popup.answer()) is not None:
            return answer
        time.sleep(0.02)
    return None


@pytest.mark.parametrize("answer", list(Answer))
def test_what_the_user_presses_is_the_answer(service: Service, viewer: Viewer, a_notice: Any, answer: Answer) -> None:
    popup = NotifySend().show(viewer, a_notice())
    app, _, _, title, body, actions, hints, expires = service.shown.get(timeout=10)
    assert (app, title, expires) == ("Dispatcher", "This computer has to be restarted", 0)
    assert body.startswith("--help &lt;b&gt;&amp; more&lt;/b&gt;\n\nBegins at ")
    assert actions == ["now", "Begin now", "snooze", "Remind me later", "cancel", "Cancel"]
    assert hints["urgency"][1] == 2
    assert popup is not None
    assert popup.answer() is None
    service.press(answer)
    assert wait_for(popup) is answer
    assert popup.answer() is None


def catches_interrupts(process: int) -> bool:
    status = Path(f"/proc/{process}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) & 1 << signal.SIGINT - 1)


def test_only_what_is_allowed_is_offered(service: Service, viewer: Viewer, a_notice: Any) -> None:
    popup = NotifySend().show(viewer, a_notice(allow_cancel=False, allow_snooze=False, on_top=False))
    shown = service.shown.get(timeout=10)
    while not service.closed.empty():
        service.closed.get()
    assert shown[5] == ["now", "Begin now"]
    assert shown[6]["urgency"][1] == 1
    assert popup is not None
    process = popup._process
    while not catches_interrupts(process.pid):  # it is not ready before
        time.sleep(0.01)
    popup.close()
    assert service.closed.get(timeout=10) == 7
    assert process.returncode == 0  # it ended by itself


def test_a_notice_that_the_user_closes_is_no_answer(service: Service, viewer: Viewer, a_notice: Any) -> None:
    popup = NotifySend().show(viewer, a_notice())
    service.shown.get(timeout=10)
    service.dismiss()
    assert popup is not None
    assert wait_for(popup) is None
    popup.close()


def test_it_can_be_told_without_waiting(service: Service, viewer: Viewer, a_notice: Any) -> None:
    assert NotifySend().tell(viewer, a_notice())
    assert service.shown.get(timeout=10)[5] == []


def test_where_no_bus_is_nothing_is_told(viewer: Viewer, a_notice: Any, bus: str, tmp_path: Path) -> None:
    nowhere = Viewer("me", os.geteuid(), "", {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path}/none"})
    assert not NotifySend().tell(nowhere, a_notice())
    assert not NotifySend().tell(Viewer("me", os.geteuid(), "1", viewer.environment, has_desktop=False), a_notice())


def add(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where programs are that stand in for those of the system; others may read it."""
    import tempfile

    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    for name in ("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    yield folder
    shutil.rmtree(folder)


def test_a_program_that_is_too_old_for_answers_shows_it_at_least(programs: Path, viewer: Viewer, a_notice: Any) -> None:
    add(programs, "notify-send", f'case "$*" in *--action*) exit 1;; esac; echo "$*" > {programs}/shown')
    popup = NotifySend().show(viewer, a_notice())
    assert wait_for(popup) is None
    assert "-- This computer has to be restarted --help &lt;b" in (programs / "shown").read_text()


LOGIND = """case "$1 $*" in
show-seat*seat0) echo ActiveSession={session};;
show-session*) printf 'User={user}\\nClass={kind}\\nType={type}\\nDisplay=:5\\n';;
*) exit 1;;
esac"""


def logind(programs: Path, **more: str) -> None:
    add(programs, "loginctl", LOGIND.format(**{"session": "3", "user": "0", "kind": "user", "type": "x11", **more}))


def test_the_user_on_the_screen_is_found(programs: Path) -> None:
    logind(programs)
    viewer = NotifySend().viewer()
    assert viewer is not None
    assert (viewer.name, viewer.user_id, viewer.session, viewer.has_desktop) == ("root", 0, "3", True)
    assert viewer.environment["DBUS_SESSION_BUS_ADDRESS"] == "unix:path=/run/user/0/bus"
    assert viewer.environment["DISPLAY"] == ":5"
    assert set(viewer.environment) <= {"PATH", "LANG", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY"}
    logind(programs, type="tty", user="12345")
    viewer = NotifySend().viewer()
    assert viewer is not None
    assert (viewer.name, viewer.has_desktop) == ("12345", False)


@pytest.mark.parametrize("more", [{"session": ""}, {"kind": "greeter"}, {"user": ""}])
def test_nobody_is_found(programs: Path, more: dict[str, str]) -> None:
    logind(programs, **more)
    assert NotifySend().viewer() is None


def test_an_agent_in_a_session_of_a_desktop_shows_it_there(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(programs, "loginctl", "exit 1")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/x")
    monkeypatch.setenv("PARAM_Secret", "hidden")
    assert NotifySend().viewer() is None
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    viewer = NotifySend().viewer()
    assert viewer is not None
    assert viewer.user_id == os.geteuid()
    assert viewer.environment["WAYLAND_DISPLAY"] == "wayland-0"
    assert "PARAM_Secret" not in viewer.environment


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be other users")
def test_root_shows_it_as_the_user_on_the_screen(programs: Path, a_notice: Any) -> None:
    add(programs, "notify-send", f'echo "$(id -u) $(id -Gn) $DISPLAY $HOME" > {programs}/called; echo now')
    nobody = pwd.getpwnam("nobody")
    logind(programs, user=str(nobody.pw_uid))
    viewer = NotifySend().viewer()
    assert viewer is not None
    assert wait_for(NotifySend().show(viewer, a_notice())) is Answer.NOW
    assert (programs / "called").read_text() == f"{nobody.pw_uid} nogroup :5 \n"


def test_another_than_root_shows_nothing_to_others(programs: Path, a_notice: Any, monkeypatch: Any) -> None:
    add(programs, "notify-send", f"touch {programs}/called")
    monkeypatch.setattr(notify_send.os, "geteuid", lambda: 4711)
    assert NotifySend().show(Viewer("nobody", 65534, "3"), a_notice()) is None
    assert not (programs / "called").exists()


def test_each_platform_has_its_desktop() -> None:
    assert isinstance(desktop("linux"), NotifySend)
    assert desktop("darwin").viewer() is None
    assert type(desktop("win32")).__name__ == "WindowsDesktop"
