"""Apt-get, the real one: packages come, are replaced and go, and what is said is what was done."""

from __future__ import annotations

import fcntl
import hashlib
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dispatcher.tasks.package import Package
from dispatcher.tasks.packages import restarts
from dispatcher.tasks.packages.restarts import System
from dispatcher.tasks.work import TaskFailed

LOCK = Path("/var/lib/dpkg/lock-frontend")


@pytest.fixture
def kind(repository: Any) -> Package:
    return Package(System(repository.folder / "root"))


def noted(workshop: Any) -> list[str]:
    return restarts.noted(workshop.work.parent)


def test_a_package_comes_and_goes(workshop: Any, kind: Any, repository: Any, capfd: Any) -> None:
    name = repository.name
    newest = {"package": "$[Name]", "refresh": True}
    assert workshop.do(kind, newest, PARAM_Name=name) == f"{name} 1.1 was installed"
    assert repository.status() == "installed 1.1"
    assert noted(workshop) == [f"{name}: /run/reboot-required is there"]
    assert workshop.do(kind, {"package": name}) == f"{name} 1.1 is the newest: nothing was to be done"
    older = {"package": name, "version": "1.0"}
    assert workshop.do(kind, older) == f"{name} 1.1 was replaced by 1.0"
    assert workshop.do(kind, older) == f"{name} 1.0 is installed already"
    assert len(noted(workshop)) == 1  # only one of them needs a restart
    gone = {"package": name, "state": "removed"}
    assert workshop.do(kind, gone) == f"{name} 1.0 was removed"
    assert workshop.do(kind, gone) == f"{name} is not installed"
    assert repository.status() == ""
    shown = capfd.readouterr().out
    assert f"{name} 1.1 was replaced by 1.0\n" in shown
    assert f"Unpacking {name} (1.1)" in shown


def test_a_file_of_the_library_is_installed(workshop: Any, kind: Any, repository: Any) -> None:
    content = repository.build("1.2").read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    workshop.contents = {sha256: content}
    workshop.library = {"Patches/Demo": SimpleNamespace(sha256=sha256, file_name="$(touch x) demo.DEB")}
    settings = {"resource": "Patches/Demo", "restart": "always"}
    assert workshop.do(kind, settings) == f"{repository.name} 1.2 was installed"
    assert repository.status() == "installed 1.2"
    assert noted(workshop) == ["Patches/Demo: so the task says"]
    assert workshop.do(kind, settings) == f"{repository.name} 1.2 is the newest: nothing was to be done"
    assert len(noted(workshop)) == 1
    assert list(workshop.work.iterdir()) == []
    assert not list(workshop.work.parent.glob("package-*"))


def test_a_name_is_no_pattern(workshop: Any, kind: Any, repository: Any) -> None:
    name = repository.name.replace("demo", "d.mo")
    with pytest.raises(TaskFailed, match=r"^apt-get failed: exit code 100$"):
        workshop.do(kind, {"package": name, "refresh": True})
    assert repository.status() == ""
    assert noted(workshop) == []


def test_an_unknown_package_or_version_fails(workshop: Any, kind: Any, repository: Any) -> None:
    for settings in ({"package": repository.name}, {"package": repository.name, "version": "7", "refresh": True}):
        with pytest.raises(TaskFailed, match="apt-get failed: exit code 100"):
            workshop.do(kind, settings)


def test_another_package_manager_is_waited_for(workshop: Any, kind: Any, repository: Any) -> None:
    assert workshop.do(kind, {"package": repository.name, "refresh": True, "version": "1.0"})
    with LOCK.open("r+b") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        with pytest.raises(TaskFailed, match="apt-get failed: exit code 100"):
            workshop.do(kind, {"package": repository.name, "wait_s": 0})
        threading.Timer(1, lambda: fcntl.lockf(lock, fcntl.LOCK_UN)).start()
        assert workshop.do(kind, {"package": repository.name, "wait_s": 30}).endswith("1.0 was replaced by 1.1")
