"""Restarts: what tasks note, and what each kind of system says by itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dispatcher.tasks.packages import restarts
from dispatcher.tasks.packages.restarts import System


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory /run of a system without programs."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


@pytest.fixture
def system(run: Path) -> System:
    return System(run.parent)


def test_reasons_are_noted_once_each_a_line(tmp_path: Path) -> None:
    assert restarts.noted(tmp_path) == []
    for reason in ("b: exit code 3010", "a\nb", "b: exit code 3010"):
        restarts.note(tmp_path, reason)
    assert restarts.noted(tmp_path) == ["b: exit code 3010", "a b"]


def test_a_system_that_says_nothing_needs_nothing(system: System) -> None:
    assert system.pending() == []


def test_debian_says_it_by_a_file_that_names_packages(system: System, run: Path) -> None:
    (run / "reboot-required.pkgs").write_text("linux-image-6\nlibc6\nlibc6\n")
    assert system.pending() == []
    (run / "reboot-required").touch()
    assert system.pending() == ["/run/reboot-required is there: linux-image-6, libc6"]
    (run / "reboot-required.pkgs").write_text("\n".join(f"p{number}" for number in range(23)))
    assert system.pending()[0].endswith("p18, p19 and 3 more")


def test_a_file_that_is_written_again_is_another_sign(system: System, run: Path) -> None:
    (run / "reboot-required").touch()
    before = system.signs()
    assert system.signs() == before
    os.utime(run / "reboot-required", (5, 5))
    assert not set(system.signs()) & set(before)


def test_suse_says_it_by_a_file(system: System, run: Path) -> None:
    (run / "reboot-needed").touch()
    assert system.pending() == ["/run/reboot-needed is there"]


@pytest.mark.parametrize(
    ("says", "code", "found"),
    [
        ("Reboot is required to fully utilize these updates.", 1, ["needs-restarting -r says so"]),
        (
            "Updated since boot-up:\n  * kernel\n  * glibc\n\nReboot is required.",
            1,
            ["needs-restarting -r says so: kernel, glibc"],
        ),
        ("No core libraries or services have been updated.", 0, []),
        ("No such command: needs-restarting.", 1, []),
    ],
)
def test_systems_with_rpm_are_asked(system: System, run: Path, says: str, code: int, found: list[str]) -> None:
    program = run.parent / "bin" / "needs-restarting"
    program.write_text(f'#!/bin/sh\n[ "$1 $LC_ALL" = "-r C" ] && echo "{says}"\nexit {code}\n')
    program.chmod(0o755)
    assert system.pending() == found
