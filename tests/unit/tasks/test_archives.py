"""Archives: whatever is in one, nothing is written outside its directory, and no more than is allowed."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from dispatcher.tasks.archives import unpack
from dispatcher.tasks.work import TaskFailed

EVIL = ["../x", "a/../../x", "/tmp/x", "..", "a/..", "\\..\\x", "C:/x", "C:x"]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "inside" / "target"


def a_zip(tmp_path: Path, members: dict[str, bytes], mode: int = 0o100644) -> Path:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, data, zipfile.ZIP_DEFLATED)
    return tmp_path / "a.zip"


def a_tar(tmp_path: Path, *members: tarfile.TarInfo, data: bytes = b"") -> Path:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        for member in members:
            member.size = len(data) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(data))
    return tmp_path / "a.tar.gz"


def a_member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode = kind, link, 0o4755
    return member


def outside(tmp_path: Path, target: Path) -> list[str]:
    return [
        str(path.relative_to(tmp_path))
        for path in tmp_path.rglob("*")
        if not path.is_relative_to(target) and path not in (target.parent, *tmp_path.glob("a.*"))
    ]


def test_zip(tmp_path: Path, target: Path) -> None:
    archive = a_zip(tmp_path, {"d/": b"", "d/e/f": b"1", "run": b"2"}, 0o100755)
    unpack(archive, target, 100)
    unpack(archive, target, 100)  # again, over what is there
    assert ((target / "d/e/f").read_bytes(), (target / "run").read_bytes()) == (b"1", b"2")
    assert (target / "run").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", ""])
def test_tar(tmp_path: Path, target: Path, kind: str) -> None:
    (tmp_path / "data").write_bytes(b"1")
    with tarfile.open(tmp_path / "a.tar", f"w:{kind}") as archive:  # type: ignore[call-overload]
        archive.add(tmp_path / "data", "d/f")
        archive.addfile(a_member("d/link", tarfile.SYMTYPE, "f"))
    unpack(tmp_path / "a.tar", target, 100)
    assert (target / "d/link").read_bytes() == b"1"


@pytest.mark.parametrize("name", EVIL)
def test_zip_that_leads_out_writes_nothing(tmp_path: Path, target: Path, name: str) -> None:
    with pytest.raises(TaskFailed, match="leads out of its directory"):
        unpack(a_zip(tmp_path, {"good": b"1", name: b"2"}), target, 100)
    assert list(target.iterdir()) == []
    assert outside(tmp_path, target) == []


@pytest.mark.parametrize(
    "evil",
    [
        [a_member("../x")],
        [a_member("a/../../x")],
        [a_member("link", tarfile.SYMTYPE, "../.."), a_member("link/x")],
        [a_member("link", tarfile.SYMTYPE, "/etc")],
        [a_member("hard", tarfile.LNKTYPE, "../../../etc/hostname")],
        [a_member("device", tarfile.CHRTYPE)],
        [a_member("pipe", tarfile.FIFOTYPE)],
    ],
    ids=["parent", "through", "link up", "link away", "hard link", "device", "pipe"],
)
def test_tar_that_leads_out_writes_nothing(tmp_path: Path, target: Path, evil: list[tarfile.TarInfo]) -> None:
    with pytest.raises(TaskFailed, match="leads out of its directory"):
        unpack(a_tar(tmp_path, a_member("good"), *evil), target, 100)
    assert list(target.iterdir()) == []
    assert outside(tmp_path, target) == []


def test_no_member_gets_the_rights_of_its_owner(tmp_path: Path, target: Path) -> None:
    unpack(a_tar(tmp_path, a_member("run"), data=b"1"), target, 100)
    assert (target / "run").stat().st_mode & 0o7000 == 0


def test_symbolic_links_lead_nowhere(tmp_path: Path, target: Path) -> None:
    with pytest.raises(TaskFailed, match="symbolic link"):
        unpack(a_zip(tmp_path, {"link": b"/etc/hostname"}, 0o120777), target, 100)
    (target / "way").symlink_to(tmp_path)
    with pytest.raises(TaskFailed, match="leads out"):
        unpack(a_zip(tmp_path, {"way/x": b"1"}), target, 100)
    assert not (tmp_path / "x").exists()


def test_bombs_are_stopped(tmp_path: Path, target: Path) -> None:
    bomb = b"\0" * 10_000_000
    for archive in (a_zip(tmp_path, {"bomb": bomb}), a_tar(tmp_path, a_member("bomb"), data=bomb)):
        assert archive.stat().st_size < 20_000
        with pytest.raises(TaskFailed, match="more than 1000000 bytes"):
            unpack(archive, target, 1_000_000)
        assert list(target.iterdir()) == []


def test_zip_that_lies_about_its_size_is_stopped(tmp_path: Path, target: Path) -> None:
    archive = a_zip(tmp_path, {"bomb": b"\0" * 10_000_000})
    size = (10_000_000).to_bytes(4, "little")
    archive.write_bytes(archive.read_bytes().replace(size, (1000).to_bytes(4, "little")))
    with pytest.raises(TaskFailed):
        unpack(archive, target, 1_000_000)
    assert sum(file.stat().st_size for file in target.iterdir()) <= 1_000_000


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"nonsense" * 1000, b"\x1f\x8b\x08" + b"\0" * 100, b"PK\x05\x06" + b"\xff" * 18]
)
def test_what_is_no_archive_fails_the_task(tmp_path: Path, target: Path, data: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(TaskFailed, match=r"a\.zip cannot be unpacked"):
        unpack(tmp_path / "a.zip", target, 100)


def test_zip_with_a_name_that_is_no_text_fails_the_task(tmp_path: Path, target: Path) -> None:
    archive = a_zip(tmp_path, {"ä": b"1"})
    archive.write_bytes(archive.read_bytes().replace("ä".encode(), b"\xff\xff"))
    with pytest.raises(TaskFailed, match=r"a\.zip cannot be unpacked"):
        unpack(archive, target, 100)
