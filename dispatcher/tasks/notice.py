"""Notice: tells the user of the computer what is about to happen, waits, and does what the user answers."""

from __future__ import annotations

from dispatcher.tasks.notices.asked import Asker, AskingSettings, find_order
from dispatcher.tasks.notices.files import Answer
from dispatcher.tasks.notices.order import DEPLOYMENT_INPUT
from dispatcher.tasks.types import first_line
from dispatcher.tasks.work import TaskFailed, Tools, WorkType


class NoticeSettings(AskingSettings):
    """What a notice task tells."""


class NoticeTask(WorkType[NoticeSettings]):
    """Tells the user."""

    name = "notice"
    Settings = NoticeSettings
    takes_inputs = True

    def __init__(self, asker: Asker | None = None) -> None:
        self._asker = asker or Asker()

    def summary(self, settings: NoticeSettings) -> str:
        """Return the beginning of what is told; references stay as they are."""
        return first_line(settings.notice.message if settings.notice else "tell the user, if the job has a notice")

    def do(self, settings: NoticeSettings, tools: Tools) -> str:
        """Tell the user and wait until what is told shall begin.

        :raises TaskFailed: if the user has canceled it, or what shall be told is no notice.
        :raises OSError: if the notice cannot be written down.
        """
        order = find_order(tools, DEPLOYMENT_INPUT, settings)
        if order is None:
            tools.say("# there is no notice: nobody is told")
            return "nobody is told"
        if self._asker.ask(tools, "deployment", order, settings) is Answer.CANCEL:
            raise TaskFailed("canceled by the user")
        return ""


TYPE = NoticeTask()
