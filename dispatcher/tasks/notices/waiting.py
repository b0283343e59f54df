"""Waiting: a notice is given, and its answer is waited for until what it tells is to begin.

The deadline is a moment of the computer's clock: who sets that changes it. A user who says nothing has agreed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from dispatcher.core.durations import in_words
from dispatcher.tasks.notices.desktop import Desktop, Popup, Viewer
from dispatcher.tasks.notices.files import About, Answer, Answered, Notice, Notices
from dispatcher.tasks.notices.order import NoticeOrder

#: How often answers are looked for, and who is there to be shown the notice, in seconds.
LOOK_EVERY_S = 0.5
VIEWER_EVERY_S = 15.0


class Clock(Protocol):
    """The time, for those who wait."""

    def now(self) -> datetime:
        """Return the present moment, aware."""

    def sleep(self, seconds: float) -> None:
        """Wait so long."""


class RealClock:
    """The time of this computer."""

    def now(self) -> datetime:
        """Return the present moment."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait so long."""
        time.sleep(seconds)


class Asking:
    """Gives the notices of an agent with the given *home*. *say* writes a line about what happens."""

    def __init__(self, home: Path, desktop: Desktop, clock: Clock, say: Callable[[str], None]) -> None:
        self.home = home
        self.notices = Notices(home)
        self.desktop = desktop
        self.clock = clock
        self.say = say

    def ask(self, task: str, about: About, order: NoticeOrder, snooze: timedelta) -> Answer:
        """Give the notice of *task* and return NOW when what it tells shall begin, or CANCEL.

        What it has written down stays if this process is ended meanwhile: done again, the task waits for the rest.

        :raises OSError: if it cannot be written down.
        """
        notice = self.notices.open(task, about, order, self.clock.now())
        wait = _Wait(self, notice, snooze)
        try:
            answer = wait.wait()
        finally:
            wait.hide()
        self.notices.close(notice)
        return answer


class _Wait:
    def __init__(self, asking: Asking, notice: Notice, snooze: timedelta) -> None:
        self._asking = asking
        self._notice = notice
        self._snooze = snooze
        self._viewer: Viewer | None = None
        self._popup: Popup | None = None
        self._look_at: datetime | None = None  #: when to look again who is there

    def wait(self) -> Answer:
        notice, clock = self._notice, self._asking.clock
        self._asking.say(f"# notice {notice.id}: {notice.order.message}")
        self._asking.say(f"# begins at {notice.begins_at:%Y-%m-%d %H:%M:%S} UTC; {self._ways()}")
        if notice.begins_at <= clock.now():
            self._tell()
        while (left_s := (notice.begins_at - clock.now()).total_seconds()) > 0:
            answered = self._answered()
            if answered is not None and self._obey(answered):
                return answered.answer
            self._show()
            clock.sleep(min(LOOK_EVERY_S, left_s))
        self._asking.say("# the time is over")
        return Answer.NOW

    def hide(self) -> None:
        """Take what is shown from the screen."""
        popup, self._popup = self._popup, None
        if popup is not None:
            popup.close()

    def _ways(self) -> str:
        words = "|".join(self._notice.answers)
        return f"to answer: dispatcher notice {words} --home {self._asking.home} {self._notice.id}"

    def _tell(self) -> None:
        viewer = self._asking.desktop.viewer()
        if viewer is None or not self._asking.desktop.tell(viewer, self._notice):
            self._asking.say("# it cannot be shown on a desktop: it stands here and in the log of the agent")

    def _answered(self) -> Answered | None:
        found = self._asking.notices.take(self._notice)
        if found is None and self._popup is not None:
            answer = self._popup.answer()
            found = Answered(answer, self._viewer.name if self._viewer else "") if answer else None
        return found

    def _obey(self, answered: Answered) -> bool:
        """Do what the user has answered; return whether the waiting is over."""
        by = f" by {answered.by}" if answered.by else ""
        if answered.answer not in self._notice.answers:
            self._asking.say(f"# {answered.answer}{by}: not allowed")
            return False
        self._asking.say(f"# {answered.answer}{by}")
        if answered.answer is not Answer.SNOOZE:
            return True
        until = self._asking.clock.now() + self._snooze
        self._note(until)
        self._asking.say(f"# shown again in {in_words(self._snooze)}")
        self.hide()
        return False

    def _note(self, snoozed_until: datetime | None) -> None:
        self._notice = self._notice.model_copy(update={"snoozed_until": snoozed_until})
        self._asking.notices.save(self._notice)

    def _show(self) -> None:
        """Show the notice to whoever is there, unless it is hidden or was shown to that user."""
        now = self._asking.clock.now()
        hidden_until = self._notice.snoozed_until
        if hidden_until is not None and now < hidden_until:
            return
        is_due_again = hidden_until is not None
        if is_due_again:
            self._note(None)
        elif self._look_at is not None and now < self._look_at:
            return
        is_first, self._look_at = self._look_at is None, now + timedelta(seconds=VIEWER_EVERY_S)
        viewer = self._asking.desktop.viewer()
        if viewer is not None and viewer.user_id >= 0:
            self._asking.notices.let_answer(self._notice, viewer.user_id)
        if viewer != self._viewer or is_due_again:
            self.hide()
            self._viewer = viewer
            self._popup = self._asking.desktop.show(viewer, self._notice) if viewer else None
            if self._popup is not None and viewer is not None:
                self._asking.say(f"# shown to {viewer.name or 'the user at the console'}")
        if is_first and self._popup is None:
            self._asking.say("# it cannot be shown on a desktop: it stands here and in the log of the agent")
