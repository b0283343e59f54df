"""The service: what starts the agent of a directory, now and after every boot of this computer."""

from __future__ import annotations

# It runs on Linux only, and is checked for Windows, too, which lacks what is used here.
# mypy: disable-error-code="attr-defined"
import hashlib
import os
import shlex
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

#: The directory whose service has no more to its name.
USUAL = Path("/opt/dispatcher-agent")
_NAME = "dispatcher-agent"
#: What a unit begins with that was written here: no other is changed.
_MARK = "# Written by Dispatcher's task agent_install."
_UNIT = """{mark}
[Unit]
Description=Dispatcher agent
After=network-online.target
Wants=network-online.target

[Service]
ExecStart={command}
Restart=on-failure
RestartPreventExitStatus=4

[Install]
WantedBy=multi-user.target
"""
#: How long the agent must have run to count as started, in seconds.
_SETTLED_S = 1.0
_ORDER_S = 60.0


class NotStarted(Exception):
    """The agent cannot be started, or ends at once."""


@dataclass(frozen=True)
class System:
    """Where this computer has what starts services."""

    units: Path = Path("/etc/systemd/system")
    runs_systemd: Path = Path("/run/systemd/system")  #: is there where systemd runs

    def takes_units(self) -> bool:
        """Whether services can be given to systemd by this user."""
        return os.geteuid() == 0 and self.runs_systemd.is_dir() and shutil.which("systemctl") is not None


class Service:
    """What starts the agent in *directory*; with *kind* ``process`` nobody starts it again."""

    def __init__(self, directory: Path, kind: str = "auto", system: System = System()) -> None:
        self._directory = directory
        self._kind = kind
        self._system = system
        more = "" if directory == USUAL else "-" + hashlib.sha256(os.fsencode(directory)).hexdigest()[:8]
        self.name = f"{_NAME}{more}"
        self._unit = system.units / f"{self.name}.service"
        self._log = directory / "agent.log"

    @property
    def command(self) -> list[str]:
        """The command line of the agent."""
        program = self._directory / "program" / "bin" / "python"
        pin = self._directory / "pin.pem"
        more = ["--pin", str(pin)] if pin.exists() else []
        config = str(self._directory / "agent.toml")
        return [str(program), "-I", "-m", "dispatcher", "agent", "--config", config, *more]

    def is_foreign(self) -> bool:
        """Whether somebody else has written a service of this name."""
        return self._unit.exists() and not self._unit.read_text("utf-8", "replace").startswith(_MARK)

    def start(self) -> str:
        """Start the agent, and see to it that this is done after every boot; return how.

        :raises NotStarted: if it does not run then.
        """
        if self._kind == "auto" and self._system.takes_units():
            self._start_unit()
            return f"as the service {self.name}"
        self._start_process()
        if self._kind == "auto" and self._change_crontab(has_line=True):
            return "as a process; crontab starts it after a boot"
        return "as a process; nothing starts it after a boot"

    def remove(self) -> None:
        """Have nobody start the agent any more. Its processes stay as they are, but for those of a service."""
        if self._unit.exists() and not self.is_foreign():
            _run("systemctl", "disable", "--now", f"{self.name}.service")
            self._unit.unlink(missing_ok=True)
            _run("systemctl", "daemon-reload")
        self._change_crontab(has_line=False)

    def _start_unit(self) -> None:
        # systemd's own quotes and specifiers: % is doubled, $ too.
        command = " ".join(_quoted(word) for word in self.command)
        self._unit.write_text(_UNIT.format(mark=_MARK, command=command), encoding="utf-8")
        for order in (["daemon-reload"], ["enable", "--now", self._unit.name]):
            code, said = _run("systemctl", *order)
            if code:
                raise NotStarted(f"systemctl {order[0]}: {said[-500:] or f'exit code {code}'}")
        time.sleep(_SETTLED_S)
        if _run("systemctl", "is-active", self._unit.name)[0]:
            raise NotStarted(f"the service {self.name} does not stay active: see its journal")

    def _start_process(self) -> None:
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={name: value for name, value in os.environ.items() if not name.startswith(("SSH_", "DISPATCHER_"))},
                start_new_session=True,
            )
        try:
            code = process.wait(_SETTLED_S)
        except subprocess.TimeoutExpired:
            return
        said = self._log.read_text("utf-8", "replace").strip()[-500:]
        raise NotStarted(f"the agent ends with exit code {code}: {said}")

    def _change_crontab(self, *, has_line: bool) -> bool:
        """Let the user's crontab have the line that starts the agent, or not; return whether that is so now."""
        if shutil.which("crontab") is None:
            return False
        code, said = _run("crontab", "-l")
        if code and "no crontab" not in said:
            return False  # it cannot be read: what is in it must not be lost
        lines = said.splitlines() if code == 0 else []
        end = f"# {_NAME} {self._directory}".replace("%", r"\%")  # a bare % would be a line break there
        rest = [line for line in lines if not line.endswith(end)]
        if has_line:
            command = f"cd / && exec {shlex.join(self.command)} >>{shlex.quote(str(self._log))} 2>&1 </dev/null"
            rest.append("@reboot " + command.replace("%", r"\%") + f" {end}")
        if rest == lines:
            return has_line
        return _run("crontab", "-", given="".join(f"{line}\n" for line in rest))[0] == 0


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _run(*command: str, given: str = "") -> tuple[int, str]:
    """Return the exit code of *command*, and what it wrote."""
    try:
        done = subprocess.run(
            command,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_ORDER_S,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return done.returncode, done.stdout
