"""Orders: what the user of a computer is told, and what the user may do about it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dispatcher.tasks.types import TaskSettings, Text

#: The inputs of a run that hold an order as JSON has it; without one nobody is told anything.
DEPLOYMENT_INPUT = "notice.deployment"
RESTART_INPUT = "notice.restart"
#: How long a text may be, in characters.
MAX_MESSAGE = 10_000


class NoticeOrder(TaskSettings):
    """A notice to the user: what happens begins ``within_min`` minutes after it, or when the user says so."""

    message: Annotated[Text, Field(max_length=MAX_MESSAGE)]
    allow_cancel: bool = False
    allow_snooze: bool = True
    on_top: bool = True
    within_min: Annotated[int, Field(ge=0, le=525_600)] = 60
