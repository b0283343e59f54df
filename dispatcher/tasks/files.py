"""Files: copies, moves, deletes, writes and unpacks files, makes directories, and computes checksums."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dispatcher.tasks.picking import ParameterName
from dispatcher.tasks.types import TaskSettings, Text
from dispatcher.tasks.work import TaskFailed, Tools, WorkType, place

Action = Literal["copy", "move", "delete", "make_directory", "write", "append", "set_mode", "unpack", "checksum"]

#: What each action needs, and what it may be given besides.
_MEMBERS: dict[Action, tuple[set[str], set[str]]] = {
    "copy": ({"source", "target"}, {"overwrite"}),
    "move": ({"source", "target"}, {"overwrite"}),
    "delete": ({"target"}, {"missing_ok"}),
    "make_directory": ({"target"}, {"mode"}),
    "write": ({"target", "text"}, {"mode", "overwrite"}),
    "append": ({"target", "text"}, set()),
    "set_mode": ({"target", "mode"}, set()),
    "unpack": ({"source", "target"}, {"max_bytes"}),
    "checksum": ({"source", "parameter"}, {"algorithm"}),
}
_CHUNK = 1 << 20

PathText = Annotated[Text, Field(min_length=1)]


class FilesSettings(TaskSettings):
    """What a file task does: one action. Paths are relative to the agent's working directory."""

    action: Action
    source: PathText | None = None
    target: PathText | None = None
    text: Text | None = None
    mode: Annotated[str, Field(pattern=r"^[0-7]{3,4}$")] | None = None  #: permissions in octal, such as "0640"
    overwrite: bool = True
    missing_ok: bool = False
    max_bytes: Annotated[int, Field(ge=1)] = 4 << 30  #: an archive that unpacks to more fails the task
    algorithm: Literal["sha256", "sha512", "sha1", "md5"] = "sha256"
    parameter: ParameterName | None = None  #: the output parameter that gets the checksum

    @model_validator(mode="after")
    def _members_fit(self) -> FilesSettings:
        needed, allowed = _MEMBERS[self.action]
        given = {name for name in self.model_fields_set - {"action"} if getattr(self, name) is not None}
        if missing := sorted(needed - given):
            raise ValueError(f"{self.action} needs {' and '.join(missing)}")
        if unfit := sorted(given - needed - allowed):
            raise ValueError(f"{self.action} has no {' and no '.join(unfit)}")
        return self


class Files(WorkType[FilesSettings]):
    """Does something with files."""

    name = "files"
    Settings = FilesSettings

    def summary(self, settings: FilesSettings) -> str:
        """Return the action and its paths; references stay as they are."""
        paths = " to ".join(filter(None, (settings.source, settings.target)))
        return f"{settings.action.replace('_', ' ')} {paths}"[:80]

    def do(self, settings: FilesSettings, tools: Tools) -> str:
        """Do it.

        :raises TaskFailed: if something is in the way or missing.
        :raises OSError: if the system refuses.
        """
        if settings.action == "checksum":
            value = checksum(_source(settings, tools), settings.algorithm)
            tools.say(value)
            tools.set_output(settings.parameter or "", value)
        elif settings.action in ("copy", "move", "unpack"):
            source = _source(settings, tools)
            if settings.action == "move":
                _check_removable(source, tools)
            _transfer(settings, source, _target(settings, tools))
        else:
            _change(settings, _target(settings, tools), tools)
        return ""


def _check_removable(path: Path, tools: Tools) -> None:
    if tools.work.resolve().is_relative_to(path.resolve()):
        raise TaskFailed(f"{path} holds the agent's working directory")


def _source(settings: FilesSettings, tools: Tools) -> Path:
    source = tools.path(settings.source or "")
    if not os.path.lexists(source):
        raise TaskFailed(f"there is no {source}")
    return source


def _target(settings: FilesSettings, tools: Tools) -> Path:
    return tools.path(settings.target or "")


def _transfer(settings: FilesSettings, source: Path, target: Path) -> None:
    if settings.action == "unpack":
        from dispatcher.tasks import archives

        archives.unpack(source, target, settings.max_bytes)
        return
    if target.is_dir():
        target /= source.name
    if os.path.lexists(target):
        if not settings.overwrite:
            raise TaskFailed(f"{target} exists")
        if target.is_dir() and not target.is_symlink():
            raise TaskFailed(f"{target} is a directory that exists")
        if target.exists() and source.exists() and target.samefile(source):
            raise TaskFailed(f"{target} is {source} itself")
    if source.is_dir() and not source.is_symlink() and target.resolve().is_relative_to(source.resolve()):
        raise TaskFailed(f"{target} lies in {source}")
    if settings.action == "move":
        shutil.move(source, target)
    elif source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    if not source.is_file():
        raise TaskFailed(f"{source} is no file")
    temporary = _beside(target)
    try:
        # Nobody else may read it before it has the permissions of the source.
        with (
            source.open("rb") as stream,
            open(temporary, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file,
        ):
            shutil.copyfileobj(stream, file)
        shutil.copystat(source, temporary)
        place(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _change(settings: FilesSettings, target: Path, tools: Tools) -> None:
    if settings.action == "delete":
        _check_removable(target, tools)
        _delete(target, missing_ok=settings.missing_ok)
    elif settings.action == "append":
        with target.open("a", encoding="utf-8", newline="") as stream:
            stream.write(tools.fill(settings.text or ""))
    elif settings.action == "write":
        _write(settings, target, tools.fill(settings.text or ""))
    elif settings.action == "make_directory":
        target.mkdir(parents=True, exist_ok=True)
    if settings.mode is not None and settings.action != "write":
        target.chmod(int(settings.mode, 8))


def _delete(target: Path, *, missing_ok: bool) -> None:
    if not os.path.lexists(target):
        if not missing_ok:
            raise TaskFailed(f"there is no {target}")
    elif target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    else:
        target.unlink()


def _write(settings: FilesSettings, target: Path, text: str) -> None:
    if not settings.overwrite and os.path.lexists(target):
        raise TaskFailed(f"{target} exists")
    # A file that is there keeps its permissions, unless others are given.
    mode = int(settings.mode, 8) if settings.mode else target.stat().st_mode & 0o7777 if target.exists() else None
    temporary = _beside(target)
    try:
        with temporary.open("x", encoding="utf-8", newline="") as stream:
            if mode is not None:
                temporary.chmod(mode)
            stream.write(text)
        place(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name[:100]}.{os.getpid()}.new")


def checksum(file: Path, algorithm: str) -> str:
    """Return the checksum of *file* in hex.

    :raises OSError: if it cannot be read.
    """
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


TYPE = Files()
