"""Asked: what the tasks that tell users something have in common."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field, ValidationError

from dispatcher.tasks.notices.desktop import Desktop
from dispatcher.tasks.notices.desktops import desktop
from dispatcher.tasks.notices.files import About, Answer
from dispatcher.tasks.notices.order import NoticeOrder
from dispatcher.tasks.notices.waiting import Asking, Clock, RealClock
from dispatcher.tasks.types import TaskSettings
from dispatcher.tasks.work import TaskFailed, Tools


class AskingSettings(TaskSettings):
    """What all such tasks have."""

    notice: NoticeOrder | None = None  #: what is told if the run has no input for that. Its message may hold references
    snooze_min: Annotated[float, Field(gt=0, le=1_440)] = 10.0  #: after how many minutes a notice is shown again


class Asker:
    """Asks the users of this computer, on the given desktop (that of the platform) and by the given clock."""

    def __init__(self, shown_on: Desktop | None = None, clock: Clock | None = None) -> None:
        self._desktop = shown_on
        self._clock = clock or RealClock()

    def ask(self, tools: Tools, about: About, order: NoticeOrder, settings: AskingSettings) -> Answer:
        """Tell what *order* says; return NOW when it shall begin, or CANCEL (see ``Asking.ask``)."""
        asking = Asking(tools.home, self._desktop or desktop(), self._clock, tools.say)
        return asking.ask(tools.task or about, about, order, timedelta(minutes=settings.snooze_min))


def find_order(tools: Tools, name: str, settings: AskingSettings) -> NoticeOrder | None:
    """Return the notice of the input *name*, else that of *settings*; None if there is none.

    :raises TaskFailed: if the input is no notice.
    """
    given = next((one.value for one in tools.inputs if one.name == name), None)
    if given not in (None, ""):
        try:
            return NoticeOrder.of_input(given)
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(map(str, problem["loc"]))
            raise TaskFailed(f"the input {name} is no notice: {place}: {problem['msg']}") from None
        except ValueError:
            raise TaskFailed(f"the input {name} is no notice: it is no JSON") from None
    if settings.notice is None:
        return None
    return settings.notice.model_copy(update={"message": tools.fill(settings.notice.message)})
