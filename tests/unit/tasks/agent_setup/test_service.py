"""Services: systemd's unit and the crontab's line, told to programs that write down what they are told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from dispatcher.tasks.agent_setup.on_linux.service import NotStarted, Service, System

SYSTEMCTL = """#!/bin/sh
echo "$*" >>"$PLACE/orders"
[ "$1" != "$(cat "$PLACE/refused" 2>/dev/null)" ] || { echo "that is refused"; exit 1; }
"""
CRONTAB = """#!/bin/sh
case $1 in
    -l) [ ! -e "$PLACE/broken" ] || { echo "cannot open it"; exit 1; }
        cat "$PLACE/table" 2>/dev/null || { echo "no crontab for me" >&2; exit 1; } ;;
    -) cat >"$PLACE/table" ;;
esac
"""
SLEEPER = "#!/bin/sh\nexec sleep 30\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An agent's directory, with programs of a system beside it."""
    programs = tmp_path / "programs"
    for file, text in (
        (programs / "systemctl", SYSTEMCTL),
        (programs / "crontab", CRONTAB),
        (tmp_path / "a % agent" / "program" / "bin" / "python", SLEEPER),
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o700)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("PLACE", str(tmp_path))
    return tmp_path / "a % agent"


@pytest.fixture
def system(tmp_path: Path) -> System:
    (tmp_path / "units").mkdir()
    (tmp_path / "systemd").mkdir()
    return System(tmp_path / "units", tmp_path / "systemd")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has units")
def test_systemd_starts_the_agent_and_forgets_it(place: Path, system: System) -> None:
    service = Service(place, system=system)
    assert service.start() == f"as the service {service.name}"
    (unit,) = system.units.iterdir()
    text = unit.read_text()
    # systemd would take % for a specifier.
    assert f'ExecStart="{str(place).replace("%", "%%")}/program/bin/python" "-I" "-m" "dispatcher" "agent"' in text
    assert not service.is_foreign()
    service.remove()
    assert list(system.units.iterdir()) == []
    orders = (place.parent / "orders").read_text().splitlines()
    assert orders == [
        "daemon-reload",
        f"enable --now {unit.name}",
        f"is-active {unit.name}",
        f"disable --now {unit.name}",
        "daemon-reload",
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has units")
@pytest.mark.parametrize("order", ["enable", "is-active"])
def test_a_service_that_does_not_run_is_told(place: Path, system: System, order: str) -> None:
    (place.parent / "refused").write_text(order)
    with pytest.raises(NotStarted, match="that is refused" if order == "enable" else "does not stay active"):
        Service(place, system=system).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has units")
def test_a_unit_of_somebody_else_stays(place: Path, system: System) -> None:
    service = Service(place, system=system)
    unit = system.units / f"{service.name}.service"
    unit.write_text("[Service]\nExecStart=/bin/true\n")
    assert service.is_foreign()
    service.remove()
    assert unit.exists()


def test_the_crontab_keeps_its_other_lines(place: Path, system: System) -> None:
    table = place.parent / "table"
    table.write_text("# mine\n0 4 * * * backup 100\\%\n")
    (place.parent / "systemd").rmdir()
    service = Service(place, system=system)
    try:
        assert started(place, system) == "as a process; crontab starts it after a boot"
        *others, line = table.read_text().splitlines()
        assert others == ["# mine", "0 4 * * * backup 100\\%"]
        assert line.startswith("@reboot cd / && exec '")
        assert "%" not in line.replace("\\%", "")
        service.remove()
        assert table.read_text().splitlines() == others
    finally:
        end(place)


def test_a_crontab_that_cannot_be_read_is_not_written(place: Path, system: System) -> None:
    table = place.parent / "table"
    table.write_text("# mine\n")
    (place.parent / "broken").touch()
    (place.parent / "systemd").rmdir()
    try:
        assert started(place, system) == "as a process; nothing starts it after a boot"
        assert table.read_text() == "# mine\n"
    finally:
        end(place)


def test_an_agent_that_ends_at_once_has_not_been_started(place: Path) -> None:
    (place / "program" / "bin" / "python").write_text("#!/bin/sh\necho 'no way'; exit 3\n")
    with pytest.raises(NotStarted, match="ends with exit code 3: no way"):
        Service(place, "process").start()


def started(place: Path, system: System) -> str:
    """Start an agent as the program does that is sent there, which ends before it; return how it was started."""
    names = ", ".join(f"Path({str(one)!r})" for one in (system.units, system.runs_systemd))
    code = (
        "from pathlib import Path; from dispatcher.tasks.agent_setup.on_linux.service import Service, System; "
        f"print(Service(Path({str(place)!r}), system=System({names})).start())"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def end(place: Path) -> None:
    """End what was started in place of an agent."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            is_sleeper = entry.name.isdigit() and b"sleep\x0030" in (entry / "cmdline").read_bytes()
            if is_sleeper and f"PLACE={place.parent}".encode() in (entry / "environ").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)
