"""SSH command: a command or script for another computer, run there by a login of it.

A shell's text gets references expanded as commands do, unless it has arguments; other languages find the values in the
environment. Text, values and arguments go over the connection: no list of processes shows them, and nothing is written
there.
"""

from __future__ import annotations

import base64
import secrets
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from dispatcher.core import references, shells
from dispatcher.core.references import Reference
from dispatcher.tasks import ssh_client
from dispatcher.tasks.ssh_client import SshSettings, SshType
from dispatcher.tasks.types import Text, VariableName, first_line
from dispatcher.tasks.work import TaskFailed, Tools

Language = Literal["shell", "python", "powershell", "perl", "php"]
#: Where a script is told its arguments. Process lists show command lines to everybody, but nobody's environment.
ARGUMENT = "SCRIPT_ARGUMENT_"
#: How long what is run there may take to end when it is told to, in seconds; then it is killed.
GRACE_S = 5
#: All is read before anything begins, so that what is run cannot eat the rest of it as its input; what has come in part
#: is not run. SSH servers let commands live when their connection ends: so another process waits for the end of the
#: input, and ends the process group if the shell is still there. It is no child of the shell, whose ``wait`` waits for
#: those only.
_COMMAND = (
    "/bin/sh -c 'script=$(head -c {size}); case $script in *{mark}) ;; *) exit 1 ;; esac; exec 3<&0 </dev/null; "
    '(trap "" TERM; '
    "(read -r end <&3; kill -0 $$ && kill -TERM 0 && sleep {grace_s} && kill -KILL 0) >/dev/null 2>&1 &); "
    'exec 3<&-; eval "${{script%{mark}}}"\''
)


class SshCommandSettings(SshSettings):
    """What an SSH command task does. The other computer needs ``/bin/sh`` and ``head``."""

    language: Language = "shell"
    text: Annotated[str, Field(min_length=1, max_length=1_000_000, pattern=r"^[^\x00]*$")]
    arguments: Annotated[list[Text], Field(max_length=100)] | None = None  #: may hold references
    directory: Annotated[Text, Field(min_length=1)] | None = None  #: where it runs; relative to where the login begins
    environment: dict[VariableName, Text] = {}
    success_codes: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=256)] = [0]
    silence_s: Annotated[float, Field(ge=0)] | None = None  #: between parts of the output (``timeout_s``); 0: any time


class SshCommand(SshType[SshCommandSettings]):
    """Runs something on another computer."""

    name = "ssh_command"
    Settings = SshCommandSettings

    def references(self, settings: SshCommandSettings, platforms: Sequence[str] = ()) -> list[Reference]:
        """Return what a shell's text and the other settings refer to."""
        found = shells.posix_text(settings.text).references if _is_expanded(settings) else []
        rest = settings.model_copy(update={"text": ""})
        return found + super().references(rest, platforms)

    def summary(self, settings: SshCommandSettings) -> str:
        """Return where it is done, and the beginning of the text."""
        return f"{settings.host}: {first_line(settings.text)}"[:80]

    def do(self, settings: SshCommandSettings, tools: Tools) -> str:
        """Run it there; what it writes is the output. When this ends, whatever the reason, so does that.

        :raises TaskFailed: if nobody can log in, or the exit code is none that counts as success.
        :raises RefusedByPolicy: if the address may not be called.
        """
        script = _script(settings, tools)
        silence_s = settings.timeout_s if settings.silence_s is None else settings.silence_s or None
        mark = _mark()
        send = f"{script}\n{mark}".encode()
        command, code = _COMMAND.format(size=len(send), mark=mark, grace_s=GRACE_S), -1
        with ssh_client.connected(settings, tools) as transport:
            for part in ssh_client.execute(transport, command, send, silence_s, ends_input=False):
                if isinstance(part, int):
                    code = part
                else:
                    sys.stdout.buffer.write(part)
                    sys.stdout.buffer.flush()
        if code not in settings.success_codes:
            raise TaskFailed("ended without an exit code" if code < 0 else f"exit code {code}")
        return f"exit code {code}" if code else ""


def _is_expanded(settings: SshCommandSettings) -> bool:
    return settings.language == "shell" and settings.arguments is None


def _script(settings: SshCommandSettings, tools: Tools) -> str:
    """Return what the other computer's shell is told: the values first, then where, then the text.

    :raises InvalidValue: if a reference has no value.
    """
    arguments = [tools.fill(text) for text in settings.arguments or ()]
    environment = {name: tools.fill(text) for name, text in settings.environment.items()}
    environment |= {f"{ARGUMENT}{number}": value for number, value in enumerate(arguments, 1)}
    lines = [_export(environment), _export(tools.values)]
    if settings.directory is not None:
        lines.append(f"cd -- {shlex.quote(tools.fill(settings.directory))} || exit")
    text = settings.text.replace("\r\n", "\n")
    if _is_expanded(settings):
        expanded = shells.posix_text(text)
        references.require(expanded.references, tools.values)
        return "\n".join([*lines, expanded.text])
    if settings.language == "shell":
        return "\n".join([*lines, shlex.join(["set", "--", *arguments]), text])
    interpreter, text = _INTERPRETERS[settings.language](text, len(arguments))
    mark = _mark()
    return "\n".join([*lines, f"{shlex.join(interpreter)} <<'{mark}'", text, mark, ""])


def _mark() -> str:
    """Return what no text has."""
    return f"END-{secrets.token_hex(8)}"


def _export(values: Mapping[str, str]) -> str:
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in sorted(values.items()))


# What runs a script of a language whose arguments, so many, are in the environment, and what that reads as its input.


def _python(text: str, count: int) -> tuple[list[str], str]:
    starter = (
        f"import os, sys; sys.argv = ['-', *(os.environ['{ARGUMENT}%d' % n] for n in range(1, {count + 1}))]; "
        "exec(compile(sys.stdin.buffer.read(), '<script>', 'exec'))"
    )
    return ["python3", "-I", "-u", "-X", "utf8", "-c", starter], text


def _perl(text: str, count: int) -> tuple[list[str], str]:
    starter = f'BEGIN {{ @ARGV = map {{ $ENV{{"{ARGUMENT}$_"}} }} 1..{count}; }}'
    return ["perl", "-"], f"{starter}\n# line 1 script\n{text}"


def _php(text: str, count: int) -> tuple[list[str], str]:
    starter = (
        f'$argv = ["-"]; for ($n = 1; $n <= {count}; $n++) $argv[] = getenv("{ARGUMENT}$n"); '
        '$argc = count($argv); $_SERVER["argv"] = $argv; $_SERVER["argc"] = $argc; '
        # Only of files PHP leaves out a first line that names the interpreter, and lets declarations follow a tag.
        r'$script = preg_replace("/^#!.*\n/", "", stream_get_contents(STDIN)); '
        r'eval(preg_match("/^<\?php\s/i", $script) ? substr($script, 5) : "?>" . $script);'
    )
    return ["php", "-r", starter], text


def _powershell(text: str, count: int) -> tuple[list[str], str]:
    # It takes its input line by line, as if somebody typed it: this is one line, whatever the script is.
    script = base64.b64encode(text.encode()).decode()
    values = ", ".join(f"[Environment]::GetEnvironmentVariable('{ARGUMENT}{n}')" for n in range(1, count + 1))
    line = (
        f"try {{ $values = @({values}); & ([ScriptBlock]::Create([Text.Encoding]::UTF8.GetString("
        f"[Convert]::FromBase64String('{script}')))) @values; exit $LASTEXITCODE }} "
        "catch { [Console]::Error.WriteLine($_); exit 1 }"
    )
    return ["pwsh", "-NoLogo", "-NoProfile", "-NonInteractive", "-Command", "-"], line


_INTERPRETERS = {"python": _python, "perl": _perl, "php": _php, "powershell": _powershell}

TYPE = SshCommand()
