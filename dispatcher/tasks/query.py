"""Query: asks a command, a file or a text for one value, compares it, and gives it to an output parameter."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, model_validator

from dispatcher.core import references, shells
from dispatcher.core.references import Reference
from dispatcher.tasks.picking import ParameterName, Pattern, Pick
from dispatcher.tasks.types import TaskSettings, Text, first_line
from dispatcher.tasks.work import TaskFailed, Tools, WorkType

#: How much of a command's output or of a file is looked at, in bytes.
MAX_BYTES = 16 << 20


class Expected(TaskSettings):
    """What the value must be: exactly one of these. References in texts are filled in, but for ``matches``."""

    equals: Text | None = None
    differs: Text | None = None
    contains: Text | None = None
    matches: Pattern | None = None
    below: float | None = None
    above: float | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Expected:
        if sum(value is not None for value in self.model_dump().values()) != 1:
            raise ValueError("exactly one of equals, differs, contains, matches, below and above")
        return self

    def problem(self, value: str, tools: Tools) -> str:
        """Return why *value* is not what it must be; empty if it is."""
        if self.matches is not None:
            return "" if re.search(self.matches, value) else f"does not match {self.matches}"
        if self.below is not None or self.above is not None:
            return self._number_problem(value)
        if self.equals is not None:
            return "" if value == tools.fill(self.equals) else f"is not {self.equals!r:.200}"
        if self.differs is not None:
            return "" if value != tools.fill(self.differs) else f"is {self.differs!r:.200}"
        return "" if tools.fill(self.contains or "") in value else f"does not contain {self.contains!r:.200}"

    def _number_problem(self, value: str) -> str:
        try:
            number = float(value)
        except ValueError:
            return "is no number"
        if self.below is not None:
            return "" if number < self.below else f"is not below {self.below:g}"
        return "" if self.above is not None and number > self.above else f"is not above {self.above:g}"


class QuerySettings(TaskSettings):
    """What a query task asks: exactly one of ``command``, ``file`` and ``text``."""

    command: Annotated[Text, Field(min_length=1)] | None = None  #: for the shell, as of a command task
    file: Annotated[Text, Field(min_length=1)] | None = None
    text: Text | None = None  #: such as ``@[os_version]``
    take: Pick = Pick()
    expect: Expected | None = None
    parameter: ParameterName | None = None  #: the output parameter that gets the value

    @model_validator(mode="after")
    def _exactly_one(self) -> QuerySettings:
        if sum(way is not None for way in (self.command, self.file, self.text)) != 1:
            raise ValueError("exactly one of command, file and text")
        if self.parameter is None and self.expect is None:
            raise ValueError("parameter or expect is needed: otherwise nobody learns the value")
        return self


class Query(WorkType[QuerySettings]):
    """Finds a value out."""

    name = "query"
    Settings = QuerySettings

    def references(self, settings: QuerySettings, platforms: Sequence[str] = ()) -> list[Reference]:
        """Return what the texts refer to; in a command only where its shell can expand it."""
        found = super().references(settings, platforms)
        if settings.command is not None:
            _shell_text(settings.command, is_windows="WINDOWS" in platforms)
        return found

    def summary(self, settings: QuerySettings) -> str:
        """Return what is asked."""
        if settings.command is not None:
            return first_line(settings.command)
        return f"file {settings.file}" if settings.file is not None else first_line(settings.text or "")

    def do(self, settings: QuerySettings, tools: Tools) -> str:
        """Find the value out, compare it, and set the output parameter.

        :raises TaskFailed: if there is no value and no default, or it is not what it must be.
        """
        value = settings.take.take(_ask(settings, tools), tools.fill)
        tools.say(value)
        if settings.parameter is not None:
            tools.set_output(settings.parameter, value)
        if settings.expect is not None and (problem := settings.expect.problem(value, tools)):
            raise TaskFailed(f"the value {problem}")
        return ""


def _ask(settings: QuerySettings, tools: Tools) -> str:
    if settings.text is not None:
        return tools.fill(settings.text)
    if settings.file is not None:
        with tools.path(settings.file).open("rb") as stream:
            return _text(stream.read(MAX_BYTES + 1))
    text = _shell_text(settings.command or "", is_windows=sys.platform == "win32")
    references.require(text.references, tools.values)
    command: list[str] | str = ["/bin/sh", "-c", text.text]
    if sys.platform == "win32":
        command = f'cmd.exe /d /s /v:{"on" if text.references else "off"} /c "{text.text}"'
    with subprocess.Popen(
        command,
        cwd=tools.work,
        env={**os.environ, **tools.values},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None  # noqa: S101 - made with a pipe
        answer = _text(process.stdout.read(MAX_BYTES + 1))
    if process.returncode:
        raise TaskFailed(f"the command failed: exit code {process.returncode}")
    return answer


def _shell_text(command: str, *, is_windows: bool) -> shells.ShellText:
    return shells.windows_text(command) if is_windows else shells.posix_text(command)


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise TaskFailed(f"more than {MAX_BYTES} bytes to look at")
    return data.decode("utf-8", "replace")


TYPE = Query()
