"""Restart if needed: restarts the computer if what was installed needs that - if its agent was started so.

The task has *completed* when the system has accepted the order, as of ``power``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from dispatcher.core import shells
from dispatcher.core.references import Reference
from dispatcher.tasks import power
from dispatcher.tasks.notices.asked import Asker, AskingSettings, find_order
from dispatcher.tasks.notices.files import Answer
from dispatcher.tasks.notices.order import RESTART_INPUT
from dispatcher.tasks.packages import restarts
from dispatcher.tasks.packages.restarts import System
from dispatcher.tasks.types import Text
from dispatcher.tasks.work import Tools, WorkType


class RestartSettings(AskingSettings):
    """How the computer is restarted."""

    ask_system: bool = True  #: whether a restart that is needed for another reason is done, too
    delay_s: Annotated[int, Field(ge=0, le=86_400)] = 60  #: as of ``power``
    message: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""  #: likewise
    command: Annotated[Text, Field(min_length=1)] | None = None  #: likewise


class RestartIfNeeded(WorkType[RestartSettings]):
    """Restarts the computer where that is needed."""

    name = "restart_if_needed"
    Settings = RestartSettings
    takes_inputs = True

    def __init__(self, asker: Asker | None = None, system: System | None = None) -> None:
        self._asker = asker or Asker()
        self._system = system or System()

    def references(self, settings: RestartSettings, platforms: Sequence[str] = ()) -> list[Reference]:
        """Return what the texts and the command refer to."""
        if settings.command is not None:
            shells.posix_text(settings.command)
        return super().references(settings, platforms)

    def summary(self, settings: RestartSettings) -> str:
        """Return when it restarts."""
        return f"if needed: {power.TYPE.summary(_power(settings))}"

    def do(self, settings: RestartSettings, tools: Tools) -> str:
        """Find out whether a restart is needed; tell the user, if there is a notice, and give the order.

        :raises TaskFailed: if the agent does not allow it, or the system refuses.
        :raises OSError: if the notice cannot be written down.
        """
        reasons = restarts.noted(tools.scratch)
        if settings.ask_system:
            reasons += [reason for reason in self._system.pending() if reason not in reasons]
        if not reasons:
            return "no restart is needed"
        for reason in reasons:
            tools.say(f"# a restart is needed: {reason}")
        power.check_allowed(tools)  # before anybody is told of something that will not be
        order = find_order(tools, RESTART_INPUT, settings)
        if order is not None and self._asker.ask(tools, "restart", order, settings) is Answer.CANCEL:
            return "canceled by the user: a restart is still needed"
        return power.TYPE.do(_power(settings), tools)


def _power(settings: RestartSettings) -> power.PowerSettings:
    return power.PowerSettings(
        action="reboot", delay_s=settings.delay_s, message=settings.message, command=settings.command
    )


TYPE = RestartIfNeeded()
