"""The bundle: the agent's program with the libraries that it needs, made of what is installed on this computer."""

from __future__ import annotations

import io
import platform
import re
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import dispatcher
from dispatcher.tasks.work import TaskFailed

#: The libraries that an agent needs; what these need themselves goes along. Extras of task types do not.
NEEDED = (
    "click", "psutil", "pydantic", "python-dateutil", "PyYAML", "requests", "structlog", "tzdata", "tzlocal", "urllib3",
    "uuid-utils", "wakeonlan",
)  # fmt: skip
#: The parts of this program that an agent needs.
_PACKAGES = ("agents", "cli", "core", "tasks")
_MODULES = ("__init__.py", "__main__.py", "directories.py", "logs.py", "py.typed", "real_ports.py")
_PACKAGE = "dispatcher"
#: How a requirement begins: the name of what is required.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_GLIBC = re.compile(r"manylinux_(\d+)_(\d+)_")
#: The oldest glibc of the tags that were used before that said so themselves.
_OLD_TAGS = {"manylinux1_": (2, 5), "manylinux2010_": (2, 12), "manylinux2014_": (2, 17)}
_OFTEN_LEFT_OUT = ("__pycache__", ".pyc")


@dataclass(frozen=True, slots=True)
class Bundle:
    """Archives of what an agent needs, for a Python that was built alike: ``build`` is how names of libraries end."""

    build: str
    glibc: tuple[int, int]  #: the oldest that fits; (0, 0) where there is none
    whole: Path  #: a compressed tar of this program and its libraries
    own: Path  #: of this program alone
    requirements: tuple[str, ...]  #: for pip, of the libraries

    def fits(self, build: str, glibc: str) -> bool:
        """Whether the libraries run on a Python of this *build*, with this *glibc* (such as ``2.36``)."""
        if not self.build or build != self.build:
            return False
        numbers = tuple(int(one) for one in re.findall(r"\d+", glibc)[:2])
        return self.glibc == (0, 0) or (len(numbers) == 2 and numbers >= self.glibc)


def make(folder: Path) -> Bundle:
    """Make the archives in *folder*.

    :raises TaskFailed: if a library that an agent needs is not installed as such here.
    """
    needed = distributions(NEEDED)
    own, whole = folder / "agent.tar.gz", folder / "agent-with-libraries.tar.gz"
    _write(own, _own_files())
    _write(whole, [*_own_files(), *(file for one in needed for file in _files(one))])
    return Bundle(
        str(sysconfig.get_config_var("EXT_SUFFIX") or ""),
        max((_oldest_glibc(one) for one in needed), default=(0, 0)),
        whole,
        own,
        _requirements(),
    )


def distributions(names: Sequence[str]) -> list[metadata.Distribution]:
    """Return the installed distributions *names*, and those that they require, each once.

    :raises TaskFailed: if one of *names* is not installed.
    """
    found: dict[str, metadata.Distribution] = {}
    waiting = [(name, True) for name in names]
    while waiting:
        name, is_needed = waiting.pop()
        key = _normal(name)
        if key in found:
            continue
        try:
            found[key] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            if is_needed:
                raise TaskFailed(f"{name}, which agents need, is not installed on this computer") from None
            continue  # it is for another platform, or another Python
        waiting += [(one, False) for one in _required(found[key])]
    return list(found.values())


def _required(distribution: metadata.Distribution) -> Iterator[str]:
    """Give the names of what *distribution* requires, without its extras."""
    for text in distribution.requires or ():
        requirement, _, marker = text.partition(";")
        match = _NAME.match(requirement.strip())
        if match and "extra" not in marker:
            yield match[0]


def _requirements() -> tuple[str, ...]:
    """Return what pip is told to install: as this program requires it, else by name."""
    try:
        stated = metadata.requires(_PACKAGE) or []
    except metadata.PackageNotFoundError:  # it runs from its sources
        stated = []
    known = {_normal(match[0]): text for text in stated if ";" not in text and (match := _NAME.match(text))}
    return tuple(known.get(_normal(name), name) for name in NEEDED)


def _own_files() -> Iterator[tuple[str, Path]]:
    root = Path(dispatcher.__file__).parent
    for name in _MODULES:
        if (root / name).exists():
            yield f"{_PACKAGE}/{name}", root / name
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*")):
            if path.is_file():
                yield f"{_PACKAGE}/{path.relative_to(root).as_posix()}", path


def _files(distribution: metadata.Distribution) -> Iterator[tuple[str, Path]]:
    """Give the files of *distribution* that stand beside its package; its commands are of no use elsewhere.

    :raises TaskFailed: if it is not known which files it has, or it is not installed but used where its sources are.
    """
    name = distribution.metadata["Name"]
    files = distribution.files
    if not files or any("__editable__" in file.name for file in files):
        raise TaskFailed(f"{name} is not installed as a package on this computer: it cannot be taken along")
    for file in files:
        if ".." not in file.parts and not file.is_absolute():
            yield file.as_posix(), Path(str(file.locate()))


def _oldest_glibc(distribution: metadata.Distribution) -> tuple[int, int]:
    """Return the oldest glibc that *distribution* runs with; (0, 0) if it needs none."""
    wheel = distribution.read_text("WHEEL") or ""
    tags = re.findall(r"^Tag: .*-(\S+)$", wheel, re.MULTILINE)
    oldest = [found for tag in tags if (found := _glibc_of(tag)) is not None]
    return min(oldest, default=(0, 0))


def _glibc_of(tag: str) -> tuple[int, int] | None:
    if match := _GLIBC.match(tag):
        return int(match[1]), int(match[2])
    for old, version in _OLD_TAGS.items():
        if tag.startswith(old):
            return version
    if tag.startswith("linux_"):  # built on this computer, for what it has
        numbers = re.findall(r"\d+", platform.libc_ver()[1])[:2]
        return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else None
    return None


def _write(target: Path, files: Iterable[tuple[str, Path]]) -> None:
    with tarfile.open(target, "w:gz", compresslevel=6) as archive:
        for name, path in files:
            if any(name.endswith(part) or f"{part}/" in name for part in _OFTEN_LEFT_OUT):
                continue
            data = path.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(data), 0o755 if path.suffix == ".so" else 0o644, 0
            archive.addfile(entry, io.BytesIO(data))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
