"""Archives: unpacking zip and tar files without letting them write anywhere else, or more than they may."""

from __future__ import annotations

import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO

from dispatcher.tasks.work import TaskFailed

#: How many members an archive may have.
MAX_MEMBERS = 1_000_000
_CHUNK = 1 << 20
_DRIVE = re.compile("[A-Za-z]:")


def unpack(archive: Path, target: Path, max_bytes: int) -> None:
    """Unpack *archive* (zip, or tar with any compression) into the directory *target*, which is made if missing.

    Every name is looked at before the first file is written.

    :raises TaskFailed: if it is no archive, leads out of *target*, holds devices, or is larger than *max_bytes*.
    :raises OSError: if something cannot be written.
    """
    target.mkdir(parents=True, exist_ok=True)
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                _unpack_zip(opened, target, max_bytes)
        else:
            with tarfile.open(archive) as tar:
                _unpack_tar(tar, target, max_bytes)
    except tarfile.FilterError as error:
        raise TaskFailed(f"the archive leads out of its directory: {error}") from None
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        RuntimeError,
        ValueError,
    ) as error:
        raise TaskFailed(f"{archive.name} cannot be unpacked: {error}") from None


def _unpack_zip(archive: zipfile.ZipFile, target: Path, max_bytes: int) -> None:
    members = archive.infolist()
    _check(((one.filename, one.file_size) for one in members), max_bytes)
    if any(stat.S_ISLNK(one.external_attr >> 16) for one in members):
        raise TaskFailed("the archive holds a symbolic link, which zip files here may not")
    left = max_bytes
    for member in members:
        path = _inside(target, member.filename)
        if member.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with archive.open(member) as source, path.open("xb") as file:
            # Counted again: what a head says of its size may be a lie.
            left -= _copy(source, file, left)
        if mode := (member.external_attr >> 16) & 0o777:
            path.chmod(mode)


def _unpack_tar(archive: tarfile.TarFile, target: Path, max_bytes: int) -> None:
    members: list[tarfile.TarInfo] = []
    size = 0
    for member in archive:
        size += member.size
        if len(members) >= MAX_MEMBERS or size > max_bytes:
            raise _too_large(max_bytes)
        # Names and links inside the target, no devices, no set-user-id: what the filter does not change it refuses.
        tarfile.data_filter(member, str(target))
        members.append(member)
    archive.extractall(target, members, filter="data")


def _check(members: Iterable[tuple[str, int]], max_bytes: int) -> None:
    size = 0
    for count, (name, length) in enumerate(members, 1):
        size += length
        if count > MAX_MEMBERS or size > max_bytes:
            raise _too_large(max_bytes)
        _parts(name)


def _parts(name: str) -> tuple[str, ...]:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or _DRIVE.match(name):
        raise TaskFailed(f"the archive leads out of its directory: {name!r:.200}")
    return path.parts


def _inside(target: Path, name: str) -> Path:
    path = target.joinpath(*_parts(name))
    # A symbolic link that was there before could lead elsewhere.
    if not path.parent.resolve().is_relative_to(target.resolve()):
        raise TaskFailed(f"the archive leads out of its directory: {name!r:.200}")
    return path


def _copy(source: IO[bytes], file: IO[bytes], left: int) -> int:
    """Copy at most *left* bytes; return how many there were."""
    size = 0
    while data := source.read(_CHUNK):
        size += len(data)
        if size > left:
            raise _too_large(left)
        file.write(data)
    return size


def _too_large(max_bytes: int) -> TaskFailed:
    return TaskFailed(f"the archive unpacks to more than {max_bytes} bytes or {MAX_MEMBERS} files")
