"""SSH fetch: gets a text, such as a configuration, from another computer: what a command there writes, or a file.

With ``keep`` the dispatcher stores it as a version of the configuration of that computer (``services.configurations``),
and nothing of it is output.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from dispatcher.core import references
from dispatcher.core.errors import InvalidValue
from dispatcher.tasks import ssh_client
from dispatcher.tasks.picking import ParameterName, Pattern
from dispatcher.tasks.ssh_client import SshSettings, SshType
from dispatcher.tasks.types import TaskSettings, Text
from dispatcher.tasks.work import TaskFailed, Tools

if TYPE_CHECKING:
    import paramiko

_CHUNK = 1 << 15
#: Nobody knows how the other computer reads a command: only such values may stand in one.
_PLAIN = re.compile(r"[A-Za-z0-9._:/@+-]*")
#: What devices answer to a command that they do not take, whatever their exit code.
_REFUSALS = r"^(?:[ \t])*% ?(Invalid|Incomplete|Ambiguous|Unrecognized|Unknown|Authorization failed|Permission denied)"


class KeepSettings(TaskSettings):
    """How the text is kept. The texts may hold references."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._ -]+$")]  #: which configuration
    versions: Text = "VERSION_WITH_CHANGES"  #: or ``ALL_VERSIONS``: also one that is as the one before
    alert: Text = "false"  #: whether a change raises an alert: ``true`` or ``false``
    output: ParameterName  #: the output parameter that takes the SHA-256, in hex, of what counts
    #: Lines that match one of these do not count: they do not make a version another one.
    ignore: Annotated[list[Pattern], Field(max_length=50)] = []


class SshFetchSettings(SshSettings):
    """What an SSH fetch task does: exactly one of ``command`` and ``file``."""

    command: Annotated[Text, Field(min_length=1)] | None = None
    file: Annotated[Text, Field(min_length=1)] | None = None  #: its path there, by SFTP
    refuse: Pattern | Literal[""] = _REFUSALS  #: a line of the answer that means failure
    max_bytes: Annotated[int, Field(ge=1, le=1 << 28)] = 16 << 20  #: a longer text fails the task
    keep: KeepSettings | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> SshFetchSettings:
        if (self.command is None) == (self.file is None):
            raise ValueError("exactly one of command and file")
        return self


class SshFetch(SshType[SshFetchSettings]):
    """Gets a text from another computer."""

    name = "ssh_fetch"
    Settings = SshFetchSettings
    keeps = True

    def summary(self, settings: SshFetchSettings) -> str:
        """Return where it is got, and how."""
        return f"{settings.host}: {settings.command or settings.file}"[:80]

    def do(self, settings: SshFetchSettings, tools: Tools) -> str:
        """Get the text; it becomes the output. With ``keep`` it is kept instead, to the byte.

        :raises TaskFailed: if there is none, or the other computer refuses.
        :raises RefusedByPolicy: if the address may not be called.
        """
        with ssh_client.connected(settings, tools) as transport:
            parts = (
                _of_command(transport, settings, tools) if settings.command else _of_file(transport, settings, tools)
            )
            text = b"".join(_limited(parts, settings.max_bytes))
        lines = text.replace(b"\r\n", b"\n")
        if settings.refuse and (line := re.search(settings.refuse, lines.decode("utf-8", "replace"), re.MULTILINE)):
            raise TaskFailed(f"it answered {line.string[line.start() :].strip().splitlines()[0]!r:.200}")
        if not text.strip():
            raise TaskFailed("it answered nothing")
        if settings.keep is None:
            sys.stdout.buffer.write(lines)
            sys.stdout.buffer.flush()
        else:
            counting = _without(lines, settings.keep.ignore)
            tools.set_output(settings.keep.output, hashlib.sha256(counting).hexdigest())
            tools.hand_in(text, counting)
        return f"{len(text)} bytes, SHA-256 {hashlib.sha256(text).hexdigest()}"


def _of_command(transport: paramiko.Transport, settings: SshFetchSettings, tools: Tools) -> Iterator[bytes]:
    command = _fill_plainly(settings.command or "", tools)
    for part in ssh_client.execute(transport, command, b"", settings.timeout_s):
        if not isinstance(part, int):
            yield part
        elif part > 0:  # devices often say nothing
            raise TaskFailed(f"exit code {part}")


def _of_file(transport: paramiko.Transport, settings: SshFetchSettings, tools: Tools) -> Iterator[bytes]:
    import paramiko

    path = tools.fill(settings.file or "")
    try:
        with paramiko.SFTPClient.from_transport(transport) as files:  # type: ignore[union-attr]
            files.get_channel().settimeout(settings.timeout_s)  # type: ignore[union-attr]
            with files.open(path, "rb") as stream:
                while data := stream.read(_CHUNK):
                    yield data
    except OSError as error:
        raise TaskFailed(f"{path}: {error.strerror or error}") from None


def _fill_plainly(command: str, tools: Tools) -> str:
    """Return *command* with its references filled in; one that is all of it may be several words.

    :raises InvalidValue: if a value could be more than that.
    """
    for reference in references.find(command):
        value = tools.fill(str(reference))
        if command == str(reference):
            value = value.replace(" ", "")  # it is the whole command
        if not _PLAIN.fullmatch(value):
            raise InvalidValue(str(reference), "only letters, digits and . _ : / @ + - may stand in a command")
    return tools.fill(command)


def _without(text: bytes, ignored: list[str]) -> bytes:
    """Return *text* without the lines that match one of *ignored*."""
    patterns = [re.compile(pattern) for pattern in ignored]
    lines = text.decode("utf-8", "surrogateescape").split("\n")
    kept = (line for line in lines if not any(pattern.search(line) for pattern in patterns))
    return "\n".join(kept).encode("utf-8", "surrogateescape")


def _limited(parts: Iterator[bytes], max_bytes: int) -> Iterator[bytes]:
    size = 0
    for part in parts:
        size += len(part)
        if size > max_bytes:
            raise TaskFailed(f"the text is longer than {max_bytes} bytes")
        yield part


TYPE = SshFetch()
