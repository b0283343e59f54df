"""Script: a longer text for a shell, Python or another interpreter, run from a private file.

Shell scripts get references expanded as commands do. Other languages see their text as it is and find the values in
the environment, as ``PARAM_Name``, ``VAR_Name`` and ``FACT_Name``. With ``arguments`` a shell script's text stays as it
is, too: it finds their values in ``$1`` and so on.

The agent runs it. With ``login: if_given`` it is an SSH command instead (see ``ssh_command``) where the job names an
account, or the computer has no agent of its own.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import Field, model_validator

from dispatcher.core import references, shells
from dispatcher.core.references import Reference
from dispatcher.tasks import ssh_command
from dispatcher.tasks.ssh_command import ARGUMENT, SshCommandSettings
from dispatcher.tasks.types import ProcessSettings, TaskContext, TaskEnding, TaskType, Text, first_line, process

Language = Literal["shell", "python", "powershell", "perl", "php", "batch", "vbscript"]
_ENDINGS: dict[Language, str] = {
    "shell": ".sh",
    "python": ".py",
    "powershell": ".ps1",
    "perl": ".pl",
    "php": ".php",
    "batch": ".cmd",
    "vbscript": ".vbs",
}
#: What ``login`` may be.
NEVER: Literal["never"] = "never"
IF_GIVEN: Literal["if_given"] = "if_given"
#: The languages that other computers are asked for, which have a shell of Unix.
BY_LOGIN: tuple[Language, ...] = get_args(ssh_command.Language)


class ScriptSettings(ProcessSettings):
    """What a script task does."""

    language: Language
    text: Annotated[str, Field(min_length=1, max_length=1_000_000)]
    #: What the script is started with; may hold references. Batch files and VBScript find them in the environment
    #: only, as ``SCRIPTARGUMENT_1`` and so on: a command line of theirs could take a value for syntax.
    arguments: Annotated[list[Text], Field(max_length=100)] | None = None
    login: Literal["never", "if_given"] = NEVER

    @model_validator(mode="after")
    def _can_log_in(self) -> ScriptSettings:
        if self.login == IF_GIVEN and self.language not in BY_LOGIN:
            raise ValueError(f"no login runs {self.language}: only {', '.join(BY_LOGIN)}")
        if self.login == IF_GIVEN and "\0" in self.text:
            raise ValueError("no login runs a text with a NUL")
        return self


class Script(TaskType[ScriptSettings]):
    """Runs a script."""

    name = "script"
    Settings = ScriptSettings

    def references(self, settings: ScriptSettings, platforms: Sequence[str] = ()) -> list[Reference]:  # noqa: ARG002
        """Return what a shell script, the arguments, the directory and the environment refer to."""
        found = shells.posix_text(settings.text).references if _is_expanded(settings) else []
        found = found + [one for text in settings.arguments or () for one in references.find(text)]
        return found + settings.plain_references()

    def summary(self, settings: ScriptSettings) -> str:
        """Return the language and the beginning of the script."""
        return f"{settings.language}: {first_line(settings.text)}"

    def is_remote(self, settings: Mapping[str, Any]) -> bool:
        """Whether any agent can do it: for computers without one."""
        return settings.get("login") == IF_GIVEN

    def takes_account(self, settings: Mapping[str, Any]) -> bool:
        """Whether it can log in."""
        return settings.get("login") == IF_GIVEN

    def run(self, settings: ScriptSettings, context: TaskContext) -> TaskEnding:
        """Write the script to a file that only the agent's account can read, and run it; or run it by a login."""
        if settings.login == IF_GIVEN and context.logs_in:
            return context.run_work(ssh_command.TYPE.name, _by_login(settings))
        arguments = [references.fill(text, context.values) for text in settings.arguments or ()]
        file = context.scratch / f"script{_ENDINGS[settings.language]}"
        command_line = _command_line(settings.language, str(file), len(arguments))
        if command_line is None:
            return TaskEnding("failed", message=f"{settings.language} is not installed on this computer")
        text = settings.text
        if settings.language == "shell":
            text = text.replace("\r\n", "\n")
        if _is_expanded(settings):
            expanded = shells.posix_text(text)
            references.require(expanded.references, context.values)
            text = expanded.text
        _write_privately(file, text)
        started = process(settings, context, command_line)
        given = {f"{ARGUMENT}{number}": value for number, value in enumerate(arguments, 1)}
        try:
            return context.run_process(replace(started, environment={**started.environment, **given}))
        finally:
            file.unlink()


def _by_login(settings: ScriptSettings) -> SshCommandSettings:
    """Return the same for an SSH command. Only the time limit of the task ends it, however silent it is."""
    return SshCommandSettings(
        language=cast("ssh_command.Language", settings.language),
        text=settings.text,
        arguments=settings.arguments,
        directory=settings.directory,
        environment=settings.environment,
        success_codes=settings.success_codes,
        silence_s=0,
    )


def _is_expanded(settings: ScriptSettings) -> bool:
    return settings.language == "shell" and settings.arguments is None


def _command_line(language: Language, file: str, count: int) -> list[str] | None:
    """Return what runs *file* with *count* arguments, which are in the environment; None if that is not installed."""
    interpreter = _interpreter(language)
    if interpreter is None:
        return None
    starter = _STARTERS.get(language) if count else None
    if starter is None:
        return [*interpreter, *(_LAST_OPTIONS.get(language, ())), file]
    option, text = starter
    if language == "shell":
        values = " ".join(f'"${ARGUMENT}{number}"' for number in range(1, count + 1))
        return [*interpreter, option, text.format(values), file]
    return [*interpreter, option, text, *(["--"] if language == "php" else ()), str(count), file]


#: What starts the file with the arguments that the environment holds: an option, and a text in the language.
_STARTERS: dict[Language, tuple[str, str]] = {
    "shell": ("-c", 'set -- {}; . "$0"'),
    "python": (
        "-c",
        "import os, runpy, sys; count, file = sys.argv[1:]; "
        f"sys.argv = [file, *(os.environ['{ARGUMENT}%d' % n] for n in range(1, int(count) + 1))]; "
        "runpy.run_path(file, run_name='__main__')",
    ),
    "perl": (
        "-e",
        "my ($count, $file) = @ARGV; $0 = $file; "
        f'@ARGV = map {{ $ENV{{"{ARGUMENT}$_"}} }} 1..$count; do $file; die $@ if $@;',
    ),
    "php": (
        "-r",
        "[, $count, $file] = $argv; $argv = [$file]; "
        f'for ($n = 1; $n <= $count; $n++) $argv[] = getenv("{ARGUMENT}$n"); '
        '$argc = count($argv); $_SERVER["argv"] = $argv; $_SERVER["argc"] = $argc; include $file;',
    ),
    "powershell": (
        "-Command",
        "& { param($count, $file) "
        f'$values = @(1..$count | ForEach-Object {{ [Environment]::GetEnvironmentVariable("{ARGUMENT}$_") }}); '
        "& $file @values; exit $LASTEXITCODE }",
    ),
}
_LAST_OPTIONS: dict[Language, Sequence[str]] = {"powershell": ("-File",)}


def _interpreter(language: Language) -> list[str] | None:
    if language == "python":
        # The agent's own interpreter. Isolated: neither the script's directory nor PYTHON* variables add modules.
        # Unbuffered, so that standard output and error keep their order; UTF-8 whatever the locale.
        return [sys.executable, "-I", "-u", "-X", "utf8"]
    if language == "powershell":
        program = shutil.which("pwsh") or shutil.which("powershell")
        return [program, *_POWERSHELL] if program else None
    if language == "shell":
        return ["/bin/sh"] if Path("/bin/sh").exists() else None
    name, *options = _PROGRAMS[language]
    program = shutil.which(name)
    return [program, *options] if program else None


_POWERSHELL = ("-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass")
_PROGRAMS: dict[Language, Sequence[str]] = {
    "perl": ("perl",),
    "php": ("php",),
    "batch": ("cmd.exe", "/d", "/c"),
    "vbscript": ("cscript.exe", "//NoLogo"),
}


def _write_privately(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    # Windows PowerShell takes a file without a mark for one in the computer's code page.
    encoding = "utf-8-sig" if file.suffix == ".ps1" else "utf-8"
    with os.fdopen(descriptor, "w", encoding=encoding, newline="") as stream:
        stream.write(text)


TYPE = Script()
