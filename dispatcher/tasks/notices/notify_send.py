"""Notify-send: notices on desktops of Linux, by libnotify's program, in the session that logind says is on the screen.

An agent that is not root shows notices to its own user only. One that was started in a session of a desktop, where
logind is not asked or says nothing, shows them there. Answers need libnotify 0.8; an older one shows the notice only.
"""

from __future__ import annotations

# It runs on Linux only, and is checked for Windows, too, which lacks what is used here.
# mypy: disable-error-code="attr-defined"
import html
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from dispatcher.tasks.notices.desktop import LABELS, Popup, Viewer, body, title
from dispatcher.tasks.notices.files import Answer, Notice

#: How long a program may take that only asks or tells, in seconds.
_PATIENCE_S = 5.0
_GRAPHICAL = frozenset({"x11", "wayland", "mir"})
#: What a program inherits that shows something; nothing of the task.
_INHERITED = ("PATH", "LANG", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")


class NotifySend:
    """Shows notices by ``notify-send``."""

    def viewer(self) -> Viewer | None:
        """Return whose session is on the screen."""
        return _console_viewer() or _own_viewer()

    def show(self, viewer: Viewer, notice: Notice) -> Popup | None:
        """Show *notice* until it is answered, closed by the user or by ``close``."""
        actions = [f"--action={answer}={LABELS[answer]}" for answer in notice.answers]
        command = _command(notice, ["--wait", *actions])
        process = _start(viewer, command)
        return None if process is None else _Shown(process, viewer, notice)

    def tell(self, viewer: Viewer, notice: Notice) -> bool:
        """Show *notice*, and go on."""
        process = _start(viewer, _command(notice, []))
        if process is None:
            return False
        try:
            _, _ = process.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        return process.returncode == 0


class _Shown:
    def __init__(self, process: subprocess.Popen[bytes], viewer: Viewer, notice: Notice) -> None:
        self._process: subprocess.Popen[bytes] | None = process
        self._viewer = viewer
        self._notice = notice

    def answer(self) -> Answer | None:
        """Return what the user has chosen."""
        process = self._process
        if process is None or process.poll() is None:
            return None
        self._process = None
        said, _ = process.communicate()
        if process.returncode:
            NotifySend().tell(self._viewer, self._notice)  # it may be too old to let anybody answer
            return None
        with suppress(ValueError):
            return Answer(said.decode("ascii", "replace").strip())
        return None  # closed by the user, who can still answer on the command line

    def close(self) -> None:
        """Take it from the screen, which ``notify-send`` does when it is interrupted."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _command(notice: Notice, options: Sequence[str]) -> list[str]:
    urgency = "critical" if notice.order.on_top else "normal"
    common = ["--app-name=Dispatcher", f"--urgency={urgency}", "--expire-time=0"]
    # The text below the title may hold markup: there is none in it.
    return ["notify-send", *common, *options, "--", title(notice), html.escape(body(notice), quote=False)]


def _start(viewer: Viewer, command: Sequence[str]) -> subprocess.Popen[bytes] | None:
    """Start *command* in the session of *viewer*, as that user; None if that cannot be done."""
    program = shutil.which(command[0])
    if program is None or not viewer.has_desktop or sys.platform == "win32":
        return None
    identity: dict[str, Any] = {}
    if viewer.user_id != os.geteuid():
        if os.geteuid() != 0:
            return None
        identity = _identity(viewer.user_id)
    try:
        return subprocess.Popen(
            [program, *command[1:]],
            cwd="/",
            env=viewer.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            **identity,
        )
    except OSError:
        return None


def _identity(user_id: int) -> dict[str, Any]:
    import pwd

    user = pwd.getpwuid(user_id)
    groups = os.getgrouplist(user.pw_name, user.pw_gid)
    return {"user": user_id, "group": user.pw_gid, "extra_groups": groups}


def _own_viewer() -> Viewer | None:
    """Return the user of this process, if it runs in a session of a desktop."""
    found = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    if "DBUS_SESSION_BUS_ADDRESS" not in found or not {"DISPLAY", "WAYLAND_DISPLAY"} & set(found):
        return None
    return Viewer(_name_of(os.geteuid()), os.geteuid(), "", found)


def _console_viewer() -> Viewer | None:
    """Return whose session logind says is on the screen, unless that is a greeter that asks who comes."""
    session = _ask("show-seat", "seat0", "ActiveSession").get("ActiveSession", "")
    if not session:
        return None
    found = _ask("show-session", session, "User", "Class", "Type", "Display")
    user = found.get("User", "")
    if not user.isdecimal() or not found.get("Class", "user").startswith("user"):
        return None
    environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment["XDG_RUNTIME_DIR"] = f"/run/user/{user}"
    environment["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path=/run/user/{user}/bus"
    if found.get("Display"):
        environment["DISPLAY"] = found["Display"]
    return Viewer(_name_of(int(user)), int(user), session, environment, found.get("Type") in _GRAPHICAL)


def _ask(verb: str, what: str, *properties: str) -> dict[str, str]:
    """Return *properties* of a seat or a session, as ``loginctl`` tells them; none if it does not."""
    program = shutil.which("loginctl")
    if program is None:
        return {}
    command = [program, verb, *(f"--property={name}" for name in properties), "--", what]
    try:
        answer = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE_S, check=False, text=True
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return {}
    return dict(line.split("=", 1) for line in answer.stdout.splitlines() if "=" in line)


def _name_of(user_id: int) -> str:
    import pwd

    try:
        return str(pwd.getpwuid(user_id).pw_name)
    except KeyError:
        return str(user_id)
