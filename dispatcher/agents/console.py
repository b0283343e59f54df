"""Console: who is at the keyboard and screen of the computer itself.

Where the system tells whose session is on the screen (logind on Linux, Windows), it is that user; nobody, while a
greeter asks who comes. Elsewhere it is who has logged in at one of the computer's own terminals, virtual or serial, or
screens: of several the last. Logins over a network and terminals inside another session do not count.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from dispatcher.agents import windows_console
from dispatcher.core.console import NOBODY, Console
from dispatcher.core.ports import Now

log = logging.getLogger(__name__)

#: How often the agent looks who is there, in seconds.
LOOK_EVERY_S = 60.0
#: Where logind writes down its seats and sessions, as lines ``NAME=value``.
_LOGIND = Path("/run/systemd")
# Not macOS's "ttys000" and "pts/0": those are inside other sessions or come from elsewhere.
_OWN_TERMINAL = re.compile(r"tty[0-9A-Z]\w*|:\d+(\.\d+)?|seat\w*|console|hvc\d+")
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class Session:
    """A session of the console: whose it is, and since when (None: the system does not tell)."""

    user: str
    since: datetime | None


class Watch:
    """Remembers who was at the console. Used by one thread at a time."""

    def __init__(self, read: Callable[[], Session | None], now: Now) -> None:
        self._read = read
        self._now = now
        self.seen = NOBODY  #: what the last look has found

    def look(self) -> bool:
        """Look who is there; return whether that changed anything."""
        before = self.seen
        try:
            found = self._read()
        except (OSError, RuntimeError, ValueError, OverflowError, psutil.Error) as error:
            log.debug("console.unknown error=%s", error)  # every minute, perhaps: nothing of it is new
            return False
        if found is not None and found.user != before.user:
            self.seen = Console(found.user, found.user, found.since or self._now())
        elif found is not None and found.since not in (None, before.at):
            self.seen = Console(found.user, found.user, found.since)  # has left and come back
        elif found is None and before.user:
            self.seen = Console("", before.user, self._now())
        return self.seen != before

    def look_for_ever(self, tell: Callable[[Console], None]) -> None:
        """Look again and again in a thread of its own, which ends with the process; *tell* whatever changed."""
        threading.Thread(target=self._look_for_ever, args=(tell,), name="console", daemon=True).start()

    def _look_for_ever(self, tell: Callable[[Console], None]) -> None:
        never = threading.Event()
        while not never.wait(LOOK_EVERY_S):
            if self.look():
                tell(self.seen)


def read_session() -> Session | None:
    """Return the session of the console; None if there is none.

    :raises OSError: if the system does not answer; so do RuntimeError, ValueError and ``psutil.Error``.
    """
    if sys.platform == "win32":
        return _windows_session()
    if (_LOGIND / "seats/seat0").exists():
        return _logind_session()
    return _newest(one for one in psutil.users() if _OWN_TERMINAL.fullmatch(one.terminal or ""))


def _newest(users: Iterable[Any]) -> Session | None:
    """Return the session that began last of those that psutil tells of."""
    last = max(users, key=lambda one: one.started, default=None)
    return None if last is None else Session(last.name[:_LONGEST], datetime.fromtimestamp(last.started, UTC))


def _logind_session() -> Session | None:
    """Return the session on the screen, unless that is a greeter that asks who comes."""
    key = _lines(_LOGIND / "seats/seat0").get("ACTIVE", "")
    session = _lines(_LOGIND / "sessions" / key) if re.fullmatch(r"\w+", key) else {}
    if not session.get("USER") or not session.get("CLASS", "user").startswith("user"):
        return None
    began_us = session.get("REALTIME", "")
    since = datetime.fromtimestamp(int(began_us) / 1_000_000, UTC) if began_us.isdecimal() else None
    return Session(session["USER"][:_LONGEST], since)


def _windows_session() -> Session | None:
    user = windows_console.user()
    short = user.rpartition("\\")[2]
    # psutil knows since when somebody is there, but neither the domain nor which session is on the screen.
    known = _newest(one for one in psutil.users() if one.name == short) if user else None
    return Session(user[:_LONGEST], known.since if known else None) if user else None


def _lines(file: Path) -> dict[str, str]:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return {}  # it has ended just now
    return dict(line.split("=", 1) for line in lines if "=" in line)
