"""Power: restarts the computer, switches it off, or ends its user's session - if its agent was started so.

The task has *completed* when the system has accepted the order. It carries the order out after a delay, so that the
agent can report; what else the run had to do on this computer is cut off.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from dispatcher.core import references, shells
from dispatcher.core.durations import in_words
from dispatcher.core.references import Reference
from dispatcher.tasks.types import TaskSettings, Text
from dispatcher.tasks.work import TaskFailed, Tools, WorkType

Action = Literal["reboot", "shutdown", "log_off"]


class PowerSettings(TaskSettings):
    """What a power task does."""

    action: Action
    delay_s: Annotated[int, Field(ge=0, le=86_400)] = 60  #: whole minutes are counted where the system does so
    message: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""  #: for who is logged in
    command: Annotated[Text, Field(min_length=1)] | None = None  #: for ``/bin/sh``, in place of the system's own


class Power(WorkType[PowerSettings]):
    """Restarts the computer, or switches it off."""

    name = "power"
    Settings = PowerSettings

    def references(self, settings: PowerSettings, platforms: Sequence[str] = ()) -> list[Reference]:
        """Return what the message and the command refer to."""
        if settings.command is not None:
            shells.posix_text(settings.command)
        return super().references(settings, platforms)

    def summary(self, settings: PowerSettings) -> str:
        """Return what it does, and when."""
        return f"{settings.action.replace('_', ' ')} in {in_words(timedelta(seconds=settings.delay_s))}"

    def do(self, settings: PowerSettings, tools: Tools) -> str:
        """Give the order to the system.

        :raises TaskFailed: if the agent does not allow it, or the system refuses.
        """
        check_allowed(tools)
        if settings.command is not None:
            text = shells.posix_text(settings.command)
            references.require(text.references, tools.values)
            command = ["/bin/sh", "-c", text.text]
        else:
            command = system_command(sys.platform, settings.action, settings.delay_s, tools.fill(settings.message))
        try:
            environment = {**os.environ, **tools.values}
            code = subprocess.run(
                command, cwd=tools.work, env=environment, stdin=subprocess.DEVNULL, check=False
            ).returncode
        except FileNotFoundError:
            raise TaskFailed(f"there is no {command[0]} on this computer") from None
        if code:
            raise TaskFailed(f"{command[0]} refused: exit code {code}")
        return f"{settings.action.replace('_', ' ')} ordered"


def check_allowed(tools: Tools) -> None:
    """Check that tasks may restart this computer or switch it off.

    :raises TaskFailed: if they may not.
    """
    if not tools.allows_power:
        raise TaskFailed("refused by policy: the agent on this computer was not started with --allow-power")


def system_command(platform: str, action: Action, delay_s: int, message: str) -> list[str]:
    """Return the command line that gives the order on *platform* (as of ``sys.platform``).

    :raises TaskFailed: if nobody can be logged off there.
    """
    if platform == "win32":
        if action == "log_off":
            return ["logoff", "console"]
        option = "/r" if action == "reboot" else "/s"
        return ["shutdown", option, "/t", str(delay_s), *(["/c", message] if message else [])]
    if action == "log_off":
        if platform != "linux":
            raise TaskFailed(f"nobody can be logged off on {platform}")
        return ["loginctl", "terminate-seat", "seat0"]
    # "--": a message could be taken for an option.
    when = f"+{math.ceil(delay_s / 60)}"
    return ["shutdown", "-r" if action == "reboot" else "-h", "--", when, *([message] if message else [])]


TYPE = Power()
