"""Package: what names a package is checked before anything is run, and exit codes mean what they mean."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from dispatcher.core.errors import InvalidValue
from dispatcher.tasks.package import Package
from dispatcher.tasks.packages import restarts
from dispatcher.tasks.packages.restarts import System
from dispatcher.tasks.work import TaskFailed

#: Plays dnf, whose exit codes a test chooses; its last argument names what becomes installed.
DNF = """#!/bin/sh
for last; do :; done
[ -z "$PARAM_Secret" ] || exit 99
echo "$@" >> {folder}/calls
code=$(head -n 1 {folder}/codes); sed -i 1d {folder}/codes
[ "${{code:-0}}" != 0 ] || echo "installed 1.0-1" > "{folder}/rpm-$last"
exit "${{code:-0}}"
"""
RPM = (
    '#!/bin/sh\nfor last; do :; done\ncat "{folder}/rpm-$last" 2> /dev/null || echo "package $last is not installed"\n'
)


@pytest.fixture
def kind(tmp_path: Path) -> Package:
    return Package(System(tmp_path / "root"))


def noted(workshop: Any) -> list[str]:
    return restarts.noted(workshop.work.parent)


def test_a_command_of_ones_own(workshop: Any, kind: Any) -> None:
    settings = {"command": "printf %s $[What] > 'in stalled'"}
    assert workshop.do(kind, settings, PARAM_What="$(date); x") == "the command has completed"
    assert (workshop.work / "in stalled").read_text() == "$(date); x"
    assert noted(workshop) == []


def test_a_command_that_fails(workshop: Any, kind: Any) -> None:
    with pytest.raises(TaskFailed, match=r"^the command failed: exit code 7$"):
        workshop.do(kind, {"command": "exit 7", "restart": "always"})
    assert noted(workshop) == []
    workshop.do(kind, {"command": "exit 7", "success_codes": [0, 7]})
    with pytest.raises(InvalidValue, match="nothing of this name is declared"):
        workshop.do(kind, {"command": "echo $[Unknown]"})


def test_what_always_needs_a_restart_says_so(workshop: Any, kind: Any) -> None:
    workshop.do(kind, {"command": "true # $[Why]", "restart": "always"}, PARAM_Why="x")
    assert noted(workshop) == ["true # $[Why]: so the task says"]


def test_a_restart_that_the_system_wants_since_is_noted_unless_never(workshop: Any, kind: Any, tmp_path: Path) -> None:
    mark = tmp_path / "root" / "run" / "reboot-required"
    mark.parent.mkdir(parents=True)
    command = f"touch {mark}; echo kernel > {mark}.pkgs"
    workshop.do(kind, {"command": command, "restart": "never"})
    assert noted(workshop) == []
    workshop.do(kind, {"command": "true"})  # it was wanted before
    assert noted(workshop) == []
    mark.unlink()
    workshop.do(kind, {"command": command})
    assert len(noted(workshop)) == 1
    assert noted(workshop)[0].endswith(": /run/reboot-required is there: kernel")


@pytest.fixture
def dnf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "codes").touch()
    for name, text in (("dnf", DNF), ("rpm", RPM), ("needs-restarting", "#!/bin/sh\n")):
        (folder / name).write_text(text.format(folder=folder))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return folder


def test_a_manager_is_called_for_what_is_named(workshop: Any, kind: Any, dnf: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("PARAM_Secret", "hidden")
    settings = {"manager": "dnf", "package": "demo", "refresh": True}
    assert workshop.do(kind, settings, PARAM_Secret="hidden") == "demo 1.0-1 was installed"
    assert (dnf / "calls").read_text().splitlines() == [
        "-y --setopt=exit_on_lock=1 makecache",
        "-y --setopt=exit_on_lock=1 install -- demo",
    ]


def test_a_manager_that_is_busy_is_tried_again(workshop: Any, kind: Any, dnf: Path, capsys: Any) -> None:
    (dnf / "codes").write_text("200\n")
    assert workshop.do(kind, {"manager": "dnf", "package": "demo"}) == "demo 1.0-1 was installed"
    assert "another installation is in progress: waiting\n" in capsys.readouterr().out
    (dnf / "codes").write_text("200\n")
    with pytest.raises(TaskFailed, match=r"^dnf failed: exit code 200$"):
        workshop.do(kind, {"manager": "dnf", "package": "demo", "wait_s": 0})


def test_success_that_installs_nothing_is_a_failure(workshop: Any, kind: Any, dnf: Path) -> None:
    (dnf / "codes").write_text("5\n")
    with pytest.raises(TaskFailed, match="demo is not installed, although dnf says that all is done"):
        workshop.do(kind, {"manager": "dnf", "package": "demo", "success_codes": [0, 5]})


def test_a_manager_that_is_not_there(workshop: Any, kind: Any) -> None:
    with pytest.raises(TaskFailed, match="there is no choco on this computer"):
        workshop.do(kind, {"manager": "choco", "package": "demo"})


def test_a_file_that_nothing_installs(workshop: Any, kind: Any) -> None:
    for name in ("demo.msi", "demo.txt", "demo"):
        workshop.library = {"Demo": SimpleNamespace(sha256="0" * 64, file_name=name)}
        with pytest.raises(TaskFailed, match=f"nothing on this computer installs {name}"):
            workshop.do(kind, {"resource": "Demo"})


@pytest.mark.parametrize("name", ["-y", "demo; reboot", "$(reboot)", "../demo.deb", "demo=1", "", "a b"])
def test_a_value_that_is_no_name_installs_nothing(workshop: Any, kind: Any, dnf: Path, name: str) -> None:
    for state in ("installed", "removed"):
        with pytest.raises(InvalidValue, match="is no name of a package"):
            workshop.do(kind, {"manager": "dnf", "package": "$[Name]", "state": state}, PARAM_Name=name)
    with pytest.raises(InvalidValue, match="is no version"):
        workshop.do(kind, {"manager": "dnf", "package": "demo", "version": "$[Name]"}, PARAM_Name=name)
    assert not (dnf / "calls").exists()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "exactly one of"),
        ({"package": "a", "command": "b"}, "exactly one of"),
        ({"package": "-y"}, "is no name of a package"),
        ({"package": "a", "version": "1 2"}, "is no version"),
        ({"command": "a", "version": "1"}, "are of a package"),
        ({"resource": "a", "state": "removed"}, "are of a package"),
        ({"package": "a", "version": "1", "state": "removed"}, "whatever its version"),
        ({"package": "a", "arguments": ["/x"]}, "arguments are of a resource"),
        ({"package": "a", "manager": "pip"}, "manager"),
        ({"package": "a", "restart": "now"}, "restart"),
    ],
)
def test_settings_that_mean_nothing(kind: Any, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        kind.Settings.model_validate(settings)


def test_package_settings(kind: Any) -> None:
    settings = kind.Settings.model_validate({"package": "$[Name]", "version": "^[V]"})
    assert kind.summary(settings) == "install $[Name] ^[V]"
    assert [str(one) for one in kind.references(settings)] == ["$[Name]", "^[V]"]
    assert kind.summary(kind.Settings(package="a", state="removed")) == "remove a"
    resource = kind.Settings(resource="Setup", arguments=["/D=@[os]"])
    assert (kind.resources(resource), kind.resources(settings)) == (["Setup"], [])
    assert kind.summary(resource) == "install Setup"
    command = kind.Settings(command='install "$[A]"\nmore')
    assert [str(one) for one in kind.references(command)] == ["$[A]"]
    assert kind.summary(command) == 'install "$[A]"'
    with pytest.raises(InvalidValue, match="single quotes"):
        kind.references(kind.Settings(command="echo '$[A]'"))
