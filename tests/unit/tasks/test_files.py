"""Files: each action, what it refuses, and that a file is never half written."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dispatcher.core.errors import DispatcherError
from dispatcher.tasks.files import TYPE
from dispatcher.tasks.work import TaskFailed


def do(workshop: Any, action: str, **members: Any) -> None:
    workshop.do(TYPE, {"action": action, **members}, PARAM_V="v $[W]")


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_write_and_append(workshop: Any) -> None:
    do(workshop, "write", target="a $[V]", text="line 1\r\n$[V]\n", mode="0640")
    do(workshop, "append", target="a $[V]", text="é")
    file = workshop.work / "a v $[W]"
    assert file.read_bytes() == "line 1\r\nv $[W]\né".encode()
    assert file.stat().st_mode & 0o777 == 0o640
    do(workshop, "write", target="a $[V]", text="new")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o640)
    with pytest.raises(TaskFailed, match="exists"):
        do(workshop, "write", target="a $[V]", text="newer", overwrite=False)
    assert listing(workshop.work) == ["a v $[W]"]


def test_failed_write_leaves_the_old_file(workshop: Any, monkeypatch: Any) -> None:
    do(workshop, "write", target="a", text="old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        do(workshop, "write", target="a", text="new")
    assert (workshop.work / "a").read_text() == "old"
    assert listing(workshop.work) == ["a"]


def test_copy_and_move(workshop: Any) -> None:
    do(workshop, "make_directory", target="d/e", mode="0700")
    do(workshop, "write", target="a", text="1", mode="750")
    do(workshop, "copy", source="a", target="d")
    do(workshop, "copy", source="a", target="b")
    do(workshop, "copy", source="d", target="f")
    do(workshop, "move", source="b", target="d/e/c")
    assert listing(workshop.work) == ["a", "d", "d/a", "d/e", "d/e/c", "f", "f/a", "f/e"]
    assert (workshop.work / "d" / "a").stat().st_mode & 0o777 == 0o750
    for action in ("copy", "move"):
        with pytest.raises(TaskFailed, match="exists"):
            do(workshop, action, source="a", target="d", overwrite=False)
        with pytest.raises(TaskFailed, match="there is no"):
            do(workshop, action, source="missing", target="x")
        with pytest.raises(TaskFailed, match="itself"):
            do(workshop, action, source="a", target="a")
        with pytest.raises(TaskFailed, match="is a directory that exists"):
            do(workshop, action, source="d", target=".")


def test_delete(workshop: Any) -> None:
    do(workshop, "write", target="keep", text="1")
    do(workshop, "make_directory", target="d/e")
    (workshop.work / "link").symlink_to(workshop.work / "keep")
    (workshop.work / "d" / "out").symlink_to(workshop.work.parent)
    do(workshop, "delete", target="link")
    do(workshop, "delete", target="d")
    assert listing(workshop.work) == ["keep"]
    assert workshop.work.parent.exists()
    do(workshop, "delete", target="d", missing_ok=True)
    with pytest.raises(TaskFailed, match="there is no"):
        do(workshop, "delete", target="d")


@pytest.mark.parametrize("target", [".", "..", "/", "x/..", "$[Empty]", " $[Empty]"])
def test_working_directory_is_never_taken_away(workshop: Any, target: str) -> None:
    do(workshop, "make_directory", target="x")
    with pytest.raises(DispatcherError, match=r"working directory|the path is empty"):
        workshop.do(TYPE, {"action": "delete", "target": target}, PARAM_Empty="")
    with pytest.raises(DispatcherError, match=r"working directory|the path is empty"):
        workshop.do(TYPE, {"action": "move", "source": target, "target": "/tmp/x"}, PARAM_Empty="")
    assert listing(workshop.work) == ["x"]


def test_mode_and_checksum(workshop: Any, capsys: Any) -> None:
    (workshop.work / "a").write_bytes(b"x" * 3_000_000)
    do(workshop, "set_mode", target="a", mode="4755")
    assert (workshop.work / "a").stat().st_mode & 0o7777 == 0o4755
    for algorithm in ("sha256", "md5"):
        do(workshop, "checksum", source="a", parameter="Sum", algorithm=algorithm)
        expected = hashlib.new(algorithm, b"x" * 3_000_000).hexdigest()
        assert workshop.outputs == {"Sum": expected}
        assert expected in capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"action": "copy", "source": "a"}, "copy needs target"),
        ({"action": "write"}, "write needs target and text"),
        ({"action": "delete", "target": "a", "mode": "600"}, "delete has no mode"),
        ({"action": "checksum", "source": "a"}, "checksum needs parameter"),
        ({"action": "explode", "target": "a"}, "Input should be"),
        ({"action": "set_mode", "target": "a", "mode": "999"}, "should match pattern"),
        ({"action": "write", "target": "", "text": ""}, "at least 1"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        TYPE.Settings.model_validate(settings)


def test_summary() -> None:
    settings = TYPE.Settings.model_validate({"action": "set_mode", "target": "$[F]", "mode": "600"})
    assert TYPE.summary(settings) == "set mode $[F]"
    assert [one.name for one in TYPE.references(settings)] == ["F"]


@pytest.mark.parametrize("target", ["d", "d/e", "d/new"])
def test_directory_is_not_copied_into_itself(workshop: Any, target: str) -> None:
    do(workshop, "make_directory", target="d/e")
    do(workshop, "write", target="d/a", text="1")
    for action in ("copy", "move"):
        with pytest.raises(TaskFailed, match="lies in"):
            do(workshop, action, source="d", target=target)
    assert listing(workshop.work) == ["d", "d/a", "d/e"]


def test_copy_is_private_until_it_has_the_permissions_of_its_source(workshop: Any, monkeypatch: Any) -> None:
    do(workshop, "write", target="a", text="1", mode="0600")
    (workshop.work / "outside").write_text("untouched")
    planted = workshop.work / f".b.{os.getpid()}.new"
    planted.symlink_to(workshop.work / "outside")
    with pytest.raises(FileExistsError):
        do(workshop, "copy", source="a", target="b")
    assert (workshop.work / "outside").read_text() == "untouched"

    planted.unlink(missing_ok=True)
    modes = []
    copy = shutil.copyfileobj
    monkeypatch.setattr(
        shutil,
        "copyfileobj",
        lambda source, file, *rest: (modes.append(os.fstat(file.fileno()).st_mode & 0o777), copy(source, file, *rest)),
    )
    do(workshop, "copy", source="a", target="b")
    assert modes == [0o600]
    assert (workshop.work / "b").read_text() == "1"


def test_read_only_files_can_be_written_and_copied(workshop: Any) -> None:
    do(workshop, "write", target="a", text="1", mode="0400")
    do(workshop, "copy", source="a", target="b")
    assert [(workshop.work / name).stat().st_mode & 0o777 for name in "ab"] == [0o400, 0o400]
