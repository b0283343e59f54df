"""Pins: by which certificate a local agent knows its server, also while that one is renewed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from certificates import Authority

from dispatcher.agents.pins import FILE, Pin, fingerprint, note


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The PEM file of a server."""
    return Authority().issue(tmp_path / "server")[0]


def renew(file: Path, tmp_path: Path) -> str:
    """Replace the certificate in *file*; return the fingerprint of the new one."""
    file.write_bytes(Authority().issue(tmp_path / "other")[0].read_bytes())
    return fingerprint(file)


def test_what_the_server_shows_holds_whatever_becomes_of_the_file(tmp_path: Path, file: Path) -> None:
    home, old = tmp_path / "home", fingerprint(file)
    note(home, old)
    assert (home / FILE).stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    for change in (lambda: file.write_text("a renewal that is broken"), lambda: renew(file, tmp_path), file.unlink):
        change()
        assert Pin(file, home).fingerprint() == old


def test_what_the_server_shows_no_more_is_not_accepted(tmp_path: Path, file: Path) -> None:
    home, old = tmp_path / "home", fingerprint(file)
    pin = Pin(file, home)
    note(home, old)
    assert pin.fingerprint() == old
    note(home, new := renew(file, tmp_path))
    assert pin.fingerprint() == Pin(file, home).fingerprint() == new
    assert [path.name for path in home.iterdir()] == [FILE]


def test_the_file_counts_where_the_server_has_said_nothing(tmp_path: Path, file: Path) -> None:
    pins = [Pin(file), Pin(file, tmp_path / "no such home")]
    assert {pin.fingerprint() for pin in pins} == {fingerprint(file)}
    new = renew(file, tmp_path)
    assert {pin.fingerprint() for pin in pins} == {new}
    file.write_text("none")
    for pin in pins:
        with pytest.raises(ValueError, match="holds no certificate"):
            pin.fingerprint()


@pytest.mark.parametrize("method", ["write_text", "replace"])
def test_the_file_counts_when_what_the_server_shows_cannot_be_noted(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    home, pin = tmp_path / "home", Pin(file, tmp_path / "home")
    note(home, fingerprint(file))
    new = renew(file, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(Path, method, full)
        for _ in range(3):
            with pytest.raises(OSError, match="No space"):
                note(home, new)
    assert list(home.iterdir()) == []
    assert pin.fingerprint() == new
    note(home, new)
    file.unlink()
    assert pin.fingerprint() == new


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"none", b"g" * 64, b"0" * 65, b"0" * 64 + b"\n"])
def test_what_is_no_fingerprint_is_not_accepted(tmp_path: Path, file: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    pin = Pin(file, tmp_path)
    assert pin.fingerprint() == fingerprint(file)
    note(tmp_path, "ab" * 32)
    assert pin.fingerprint() == "ab" * 32
