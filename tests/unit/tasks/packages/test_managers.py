"""Managers: nobody is asked anything, what is installed is a word of its own, and the one that is there is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.tasks.packages import managers
from dispatcher.tasks.packages.managers import MANAGERS, fill, find_manager, manager_of


def test_values_stay_within_their_words_and_are_not_filled_in_again() -> None:
    words = ("{package}={version}", "plain", "{version}{package}", "{other}")
    assert fill(words, package="{version}", version="1 2") == ["{version}=1 2", "plain", "1 2{version}", "{other}"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("apt-get", "apt-get -y -q -o DPkg::Lock::Timeout=60"),
        ("dnf", "dnf -y --setopt=exit_on_lock=1 install -- demo"),
        ("yum", "yum -y --setopt=exit_on_lock=1 install -- demo"),
        ("zypper", "zypper --non-interactive install --auto-agree-with-licenses -- demo"),
        ("apk", "apk --wait 60 add --upgrade -- demo"),
        ("winget", "winget install --id demo --exact --silent"),
        ("choco", "choco upgrade demo -y"),
    ],
)
def test_how_each_installs(name: str, words: str) -> None:
    filled = fill(MANAGERS[name].install, package="demo", wait_s="60")
    assert " ".join(filled).startswith(words)
    assert "demo" in filled
    assert any("1.0" in word for word in fill(MANAGERS[name].install_version, package="demo", version="1.0"))
    assert "demo" in fill(MANAGERS[name].remove, package="demo")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory where programs are."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def add(programs: Path, *names: str) -> None:
    for name in names:
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)


def test_the_first_that_is_there_and_fits_is_taken(programs: Path) -> None:
    assert find_manager(platform="linux") is None
    add(programs, "yum", "dnf", "choco")
    for name, platform, found in [
        ("auto", "linux", "dnf"),
        ("auto", "win32", "choco"),
        ("yum", "linux", "yum"),
        ("apt-get", "linux", None),
    ]:
        manager = find_manager(name, platform)
        assert (manager and manager.name) == found


def test_files_are_installed_by_who_knows_their_kind(programs: Path) -> None:
    add(programs, "apt-get", "zypper")
    assert manager_of(".deb") is MANAGERS["apt-get"]
    assert manager_of(".rpm") is MANAGERS["zypper"]
    assert manager_of(".rpm", "apt-get") is None
    assert manager_of(".apk") is None
    assert manager_of(".txt") is None


def test_codes_that_mean_different_things_are_apart() -> None:
    for one in managers.MANAGERS.values():
        assert not one.good_codes & one.restart_codes
        assert not (one.good_codes | one.restart_codes) & one.busy_codes
