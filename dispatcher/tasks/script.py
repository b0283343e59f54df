"""Script: a longer text for a shell, Python or PowerShell, run from a private file.

Shell scripts get references expanded as commands do. Other languages see their text as it is and find the values in
the environment, as ``PARAM_Name``, ``VAR_Name`` and ``FACT_Name``.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from dispatcher.core import references, shells
from dispatcher.core.references import Reference
from dispatcher.tasks.types import ProcessSettings, TaskContext, TaskEnding, TaskType, first_line, process

Language = Literal["shell", "python", "powershell"]
_ENDINGS: dict[Language, str] = {"shell": ".sh", "python": ".py", "powershell": ".ps1"}


class ScriptSettings(ProcessSettings):
    """What a script task does."""

    language: Language
    text: Annotated[str, Field(min_length=1, max_length=1_000_000)]


class Script(TaskType[ScriptSettings]):
    """Runs a script."""

    name = "script"
    Settings = ScriptSettings

    def references(self, settings: ScriptSettings, platforms: Sequence[str] = ()) -> list[Reference]:  # noqa: ARG002
        """Return what a shell script, the directory and the environment refer to."""
        found = shells.posix_text(settings.text).references if settings.language == "shell" else []
        return found + settings.plain_references()

    def summary(self, settings: ScriptSettings) -> str:
        """Return the language and the beginning of the script."""
        return f"{settings.language}: {first_line(settings.text)}"

    def run(self, settings: ScriptSettings, context: TaskContext) -> TaskEnding:
        """Write the script to a file that only the agent's account can read, and run it."""
        interpreter = _interpreter(settings.language)
        if interpreter is None:
            return TaskEnding("failed", message=f"{settings.language} is not installed on this computer")
        text = settings.text
        if settings.language == "shell":
            expanded = shells.posix_text(text.replace("\r\n", "\n"))
            references.require(expanded.references, context.values)
            text = expanded.text
        file = context.scratch / f"script{_ENDINGS[settings.language]}"
        _write_privately(file, text)
        try:
            return context.run_process(process(settings, context, [*interpreter, str(file)]))
        finally:
            file.unlink()


def _interpreter(language: Language) -> list[str] | None:
    if language == "python":
        # The agent's own interpreter. Isolated: neither the script's directory nor PYTHON* variables add modules.
        # Unbuffered, so that standard output and error keep their order; UTF-8 whatever the locale.
        return [sys.executable, "-I", "-u", "-X", "utf8"]
    if language == "powershell":
        program = shutil.which("pwsh") or shutil.which("powershell")
        options = ["-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File"]
        return [program, *options] if program else None
    return ["/bin/sh"] if Path("/bin/sh").exists() else None


def _write_privately(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    # Windows PowerShell takes a file without a mark for one in the computer's code page.
    encoding = "utf-8-sig" if file.suffix == ".ps1" else "utf-8"
    with os.fdopen(descriptor, "w", encoding=encoding, newline="") as stream:
        stream.write(text)


TYPE = Script()
