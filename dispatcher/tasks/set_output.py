"""Set output: gives output parameters new values, from texts with references."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dispatcher.tasks.picking import ParameterName
from dispatcher.tasks.types import TaskSettings, Text
from dispatcher.tasks.work import Tools, WorkType


class SetOutputSettings(TaskSettings):
    """What a set-output task does."""

    values: Annotated[dict[ParameterName, Text], Field(min_length=1, max_length=1000)]  #: by output parameter


class SetOutput(WorkType[SetOutputSettings]):
    """Sets output parameters."""

    name = "set_output"
    Settings = SetOutputSettings

    def summary(self, settings: SetOutputSettings) -> str:
        """Return the names of the parameters."""
        return ", ".join(settings.values)

    def do(self, settings: SetOutputSettings, tools: Tools) -> str:
        """Set them, all or none.

        :raises InvalidValue: if something they refer to has no value.
        """
        filled = {name: tools.fill(text) for name, text in settings.values.items()}
        for name, value in filled.items():
            tools.set_output(name, value)
        return ""


TYPE = SetOutput()
