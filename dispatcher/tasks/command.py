"""Command: a command line for the computer's shell, ``/bin/sh -c`` or ``cmd /c`` on Windows."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

from dispatcher.core import references, shells
from dispatcher.core.references import Reference
from dispatcher.tasks.types import (
    ProcessSettings,
    TaskContext,
    TaskEnding,
    TaskType,
    Text,
    first_line,
    process,
)


class CommandSettings(ProcessSettings):
    """What a command task does. References in ``command`` become expansions of environment variables."""

    command: Annotated[Text, Field(min_length=1)]


class Command(TaskType[CommandSettings]):
    """Runs a command line."""

    name = "command"
    Settings = CommandSettings

    def references(self, settings: CommandSettings, platforms: Sequence[str] = ()) -> list[Reference]:
        """Return what the command, the directory and the environment refer to."""
        return references_in(settings.command, platforms) + settings.plain_references()

    def summary(self, settings: CommandSettings) -> str:
        """Return the beginning of the command."""
        return first_line(settings.command)

    def run(self, settings: CommandSettings, context: TaskContext) -> TaskEnding:
        """Run the command.

        :raises InvalidValue: if something it refers to has no value.
        """
        return context.run_process(process(settings, context, command_line(settings.command, context.values)))


def references_in(command: str, platforms: Sequence[str] = ()) -> list[Reference]:
    """Return what *command* refers to (see ``TaskType.references``).

    :raises InvalidValue: if a reference stands where it could not be expanded safely.
    """
    found = []
    if not platforms or set(platforms) != {"WINDOWS"}:
        found = shells.posix_text(command).references
    if "WINDOWS" in platforms:
        found = shells.windows_text(command).references
    return found


def command_line(command: str, values: Mapping[str, str]) -> list[str] | str:
    """Return the command line by which the shell of this computer runs *command*, with *values* in its environment.

    :raises InvalidValue: if something it refers to has no value.
    """
    line: list[str] | str
    if sys.platform == "win32":
        text = shells.windows_text(command)
        # /d: no AutoRun commands; /s: exactly the outer quotes are taken off; /v: see windows_text.
        line = f'cmd.exe /d /s /v:{"on" if text.references else "off"} /c "{text.text}"'
    else:
        text = shells.posix_text(command)
        line = ["/bin/sh", "-c", text.text]
    references.require(text.references, values)
    return line


TYPE = Command()
