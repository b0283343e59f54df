"""Network programs on loopback: Debian's own LDAP, SNMP and SMB servers, each with a folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from getpass import getuser
from pathlib import Path

from free_ports import free_port
from needed import missing

USER = getuser()
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


def program(name: str) -> str:
    """Return where the program is; without it the test is skipped, but for CI."""
    return shutil.which(name, path=_PATH) or missing(name)


class Program:
    """A program that runs until it is stopped; it is there when *answers* says so."""

    def __init__(self, command: Sequence[str], log: Path, answers: Callable[[], bool]) -> None:
        self._log = log
        with log.open("wb") as stream:
            # Samba ends all processes of its group when it is stopped: these must not be ours.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env={**os.environ, "MIBS": ""},
                start_new_session=True,
            )
        for _ in range(1000):
            if answers():
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        self.stop()
        raise AssertionError(f"{command[0]} does not answer: {log.read_text(errors='replace')[-2000:]}")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


def listens(port: int) -> bool:
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


class Slapd(Program):
    """OpenLDAP's server: the directory of ``ad.example`` with what *entries* (LDIF) say.

    ``READER`` sees all of it with ``PASSWORD``, ``HURRIED`` seven entries, and who does not log in what is below the
    unit Open.
    """

    READER, HURRIED, PASSWORD = "cn=reader,dc=ad,dc=example", "cn=hurried,dc=ad,dc=example", "may look"

    def __init__(self, folder: Path, entries: Iterable[str], certificate: tuple[Path, Path] | None = None) -> None:
        slapd = program("slapd")
        self.port, self.tls_port = free_port(), free_port()
        (folder / "data").mkdir(parents=True)
        file = folder / "slapd.conf"
        file.write_text(_SLAPD.format(folder=folder, tls=_tls(certificate)))
        ldif = folder / "entries.ldif"
        ldif.write_text("\n".join([_ROOT, *entries]))
        subprocess.run([slapd, "-T", "add", "-q", "-f", file, "-l", ldif], check=True, capture_output=True, timeout=60)
        addresses = f"ldap://127.0.0.1:{self.port}/"
        if certificate:
            addresses += f" ldaps://127.0.0.1:{self.tls_port}/"
        # Any number of -d keeps it in the foreground; by that of 0 it says nothing.
        command = [slapd, "-h", addresses, "-f", str(file), "-d", "0"]
        super().__init__(command, folder / "log", lambda: listens(self.port))


class Snmpd(Program):
    """Net-SNMP's agent, which calls itself *name* to who knows the community ``inside``."""

    def __init__(self, folder: Path, name: str, description: str) -> None:
        self.port = free_port(socket.SOCK_DGRAM)
        (folder / "state").mkdir(parents=True)
        file = folder / "agent.conf"
        file.write_text(f"rocommunity inside 127.0.0.1\nsysName {name}\nsysDescr {description}\n")
        log = folder / "log"
        # Of its modules only those that the system and the communities need: others open ports everywhere.
        command = [program("snmpd"), "-f", "-Lo", "-C", "-c", str(file), "-p", str(folder / "pid")]
        command += ["-I", "system_mib,vacm_conf,vacm_vars,snmpv3", f"--persistentDir={folder / 'state'}"]
        super().__init__([*command, f"udp:127.0.0.1:{self.port}"], log, lambda: b"NET-SNMP" in log.read_bytes())


class Smbd(Program):
    """Samba's file server, called FILES, where the user who runs the tests has the password ``PASSWORD``."""

    PASSWORD = "Opens-the-files-1"

    def __init__(self, folder: Path, *, settings: str = "") -> None:
        self.port = free_port()
        for name in ("private", "lock", "state", "cache", "run", "rpc", "log"):
            (folder / name).mkdir(parents=True)
        folder.chmod(0o755)
        file = folder / "smb.conf"
        file.write_text(_SMBD.format(folder=folder, port=self.port, settings=settings))
        command = [program("smbpasswd"), "-c", str(file), "-a", "-s", USER]
        typed = f"{self.PASSWORD}\n{self.PASSWORD}\n"
        subprocess.run(command, input=typed, text=True, check=True, capture_output=True, timeout=60)
        command = [program("smbd"), "-F", "--no-process-group", "--debug-stdout", "-s", str(file)]
        super().__init__(command, folder / "output", lambda: listens(self.port))


def _tls(certificate: tuple[Path, Path] | None) -> str:
    return f"TLSCertificateFile {certificate[0]}\nTLSCertificateKeyFile {certificate[1]}" if certificate else ""


_SLAPD = """\
include /etc/ldap/schema/core.schema
attributetype ( 1.2.840.113556.1.4.619 NAME 'dNSHostName' EQUALITY caseIgnoreMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.3.30 NAME 'computer' SUP top STRUCTURAL MUST cn MAY dNSHostName )
objectclass ( 1.2.840.113556.1.3.23 NAME 'container' SUP top STRUCTURAL MUST cn )
modulepath /usr/lib/ldap
moduleload back_mdb
{tls}
access to dn.base="" by * read
access to dn.base="dc=ad,dc=example" by * search
access to dn.subtree="ou=Open,dc=ad,dc=example" by * read
access to * by users read by anonymous auth
sizelimit size.soft=1000 size.hard=1000 size.prtotal=unlimited
database mdb
suffix dc=ad,dc=example
directory {folder}/data
dbnosync
limits dn.exact="cn=hurried,dc=ad,dc=example" size.prtotal=7
"""

_ROOT = """\
dn: dc=ad,dc=example
objectClass: dcObject
objectClass: organization
o: ad
dc: ad

dn: cn=reader,dc=ad,dc=example
objectClass: person
cn: reader
sn: reader
userPassword: may look

dn: cn=hurried,dc=ad,dc=example
objectClass: person
cn: hurried
sn: hurried
userPassword: may look
"""

_SMBD = """\
[global]
netbios name = FILES
workgroup = BERLIN
server role = standalone
interfaces = 127.0.0.1
bind interfaces only = yes
disable netbios = yes
smb ports = {port}
private dir = {folder}/private
lock directory = {folder}/lock
state directory = {folder}/state
cache directory = {folder}/cache
pid directory = {folder}/run
ncalrpc dir = {folder}/rpc
log file = {folder}/log/%m
passdb backend = tdbsam:{folder}/private/passdb.tdb
load printers = no
disable spoolss = yes
printcap name = /dev/null
map to guest = never
{settings}
"""
