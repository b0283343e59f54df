"""Command: a command line for the computer's shell, ``/bin/sh -c`` or ``cmd /c`` on Windows."""

from __future__ import annotations

import sys
from collections.abc import Sequence
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
        found = []
        if not platforms or set(platforms) != {"WINDOWS"}:
            found = shells.posix_text(settings.command).references
        if "WINDOWS" in platforms:
            found = shells.windows_text(settings.command).references
        return found + settings.plain_references()

    def summary(self, settings: CommandSettings) -> str:
        """Return the beginning of the command."""
        return first_line(settings.command)

    def run(self, settings: CommandSettings, context: TaskContext) -> TaskEnding:
        """Run the command."""
        command_line: list[str] | str
        if sys.platform == "win32":
            text = shells.windows_text(settings.command)
            # /d: no AutoRun commands; /s: exactly the outer quotes are taken off; /v: see windows_text.
            command_line = f'cmd.exe /d /s /v:{"on" if text.references else "off"} /c "{text.text}"'
        else:
            text = shells.posix_text(settings.command)
            command_line = ["/bin/sh", "-c", text.text]
        references.require(text.references, context.values)
        return context.run_process(process(settings, context, command_line))


TYPE = Command()
