"""SSH servers on loopback: OpenSSH's own, as the user who runs the tests, and one of ours that takes passwords."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from free_ports import free_port
from needed import IN_CI

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
USER = getuser()
#: In CI nothing is skipped: what needs the server fails without it.
needs_sshd = pytest.mark.skipif(SSHD is None and not IN_CI, reason="OpenSSH's server is not installed")


def a_key(passphrase: str = "") -> tuple[str, str]:
    """Return a new private key as OpenSSH writes it, and the line of its public key."""
    key = ed25519.Ed25519PrivateKey.generate()
    protection = (
        serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, protection)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), public.decode()


class Sshd:
    """OpenSSH's server. Who logs in gets a shell or, with *device*, only the answers in the files of *place*.

    A device answers ``show running-config`` with the file ``running-config``, and to anything else that it is invalid.
    Logins find *environment* in theirs.
    """

    def __init__(self, place: Path, *, device: bool = False, environment: Mapping[str, str] | None = None) -> None:
        assert SSHD is not None
        self.place = place
        place.mkdir(exist_ok=True)
        self.private_key, public = a_key()
        (place / "authorized_keys").write_text(public + "\n")
        self._new_host_key()
        self._device = device
        self._environment = environment or {}
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        lines = [
            f"ListenAddress 127.0.0.1:{self.port}",
            f"HostKey {self.place / 'host_key'}",
            f"AuthorizedKeysFile {self.place / 'authorized_keys'}",
            "PidFile none",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin yes",
            "Subsystem sftp internal-sftp",
        ]
        if self._environment:
            lines.append("SetEnv " + " ".join(f'"{name}={value}"' for name, value in self._environment.items()))
        if self._device:
            script = self.place / "device.sh"
            script.write_text(
                f'#!/bin/sh\ncd "{self.place}"\ncase "$SSH_ORIGINAL_COMMAND" in\n'
                '  "show "*) exec cat "${SSH_ORIGINAL_COMMAND#show }" ;;\n'
                '  *) echo "% Invalid input detected"; exit 0 ;;\nesac\n'
            )
            script.chmod(0o700)
            lines.append(f"ForceCommand {script}")
        (self.place / "sshd_config").write_text("\n".join(lines) + "\n")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with (self.place / "log").open("ab") as log:
            command = [str(SSHD), "-D", "-e", "-f", str(self.place / "sshd_config")]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait()

    def _wait(self) -> None:
        assert self._process is not None
        for _ in range(500):
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"sshd does not answer: {(self.place / 'log').read_text()}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    @property
    def pid(self) -> int:
        """Its process, which is there while it serves."""
        assert self._process is not None
        return self._process.pid

    def change_host_key(self) -> None:
        """Be started again with another key."""
        self.stop()
        self._new_host_key()
        self.start()

    def _new_host_key(self) -> None:
        private, self.host_key = a_key()
        file = self.place / "host_key"
        file.unlink(missing_ok=True)
        file.touch(0o600)
        file.write_text(private)


@dataclass
class Doorkeeper(paramiko.ServerInterface):
    """Lets in who knows the password, and answers commands with what ``answer`` makes of them."""

    password: str
    answer: Callable[[str], bytes]
    interactive: bool
    seen: list[tuple[str, str]]
    cuts_off: bool = False

    def get_allowed_auths(self, username: str) -> str:
        return "keyboard-interactive" if self.interactive else "password"

    def check_auth_password(self, username: str, password: str) -> int:
        self.seen.append((username, password))
        fits = password == self.password and not self.interactive
        return paramiko.common.AUTH_SUCCESSFUL if fits else paramiko.common.AUTH_FAILED

    def check_auth_interactive(self, username: str, submethods: str) -> paramiko.InteractiveQuery | int:
        if not self.interactive:
            return paramiko.common.AUTH_FAILED
        self.seen.append((username, "?"))
        return paramiko.InteractiveQuery("", "", ("Password: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return paramiko.common.AUTH_SUCCESSFUL if responses == [self.password] else paramiko.common.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        def reply() -> None:
            with suppress(OSError, EOFError):
                channel.recv(1)  # until the other side has nothing more to say: it knows then that this is done
                channel.sendall(self.answer(command.decode()))
            with suppress(OSError, EOFError):  # the other side may be gone
                if self.cuts_off:
                    channel.get_transport().sock.shutdown(socket.SHUT_RDWR)
                else:
                    channel.close()  # without an exit code, as devices do

        threading.Thread(target=reply, daemon=True).start()
        return True


class PasswordServer:
    """A device that takes a password, says no exit codes, and answers as *answer* says.

    With *cuts_off* the connection ends with the answer, as if somebody had pulled the plug.
    """

    def __init__(
        self, password: str, answer: Callable[[str], bytes], *, interactive: bool = False, cuts_off: bool = False
    ) -> None:
        self.seen: list[tuple[str, str]] = []
        self._key = paramiko.ECDSAKey.generate()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._make = lambda: Doorkeeper(password, answer, interactive, self.seen, cuts_off)
        self._transports: list[paramiko.Transport] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(stream)
            transport.add_server_key(self._key)
            self._transports.append(transport)
            with suppress(paramiko.SSHException, EOFError):
                transport.start_server(threading.Event(), self._make())

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)  # the next socket may get the same number
        self._listener.close()
        for transport in self._transports:
            transport.close()
