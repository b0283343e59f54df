"""Host keys: what an agent knows of the computers that its tasks log in to, in a file of its home.

The first key of a computer is believed and written down (trust on first use); from then on no other is. Lines are as
OpenSSH has them in ``known_hosts``, so that an administrator can put keys there beforehand, or remove one that has
changed for a reason.
"""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.tasks.work import TaskFailed

if TYPE_CHECKING:
    import paramiko

FILE = "known_hosts"


def name_of(host: str, port: int) -> str:
    """Return how the file calls a computer."""
    name = host.lower()  # as OpenSSH writes it
    return name if port == 22 else f"[{name}]:{port}"


def fingerprint(key: paramiko.PKey) -> str:
    """Return the fingerprint of *key* as OpenSSH shows it: ``SHA256:`` and Base64 without padding."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


def known(file: Path, name: str) -> dict[str, paramiko.PKey]:
    """Return the keys of the computer called *name*, by their types.

    :raises TaskFailed: if the file cannot be read, or has lines that would be left out.
    """
    import paramiko

    keys = paramiko.HostKeys()
    if file.exists():
        try:
            _require_keys_only(file)
            keys.load(str(file))
        except (OSError, ValueError, paramiko.SSHException) as error:
            raise TaskFailed(f"{file.name} cannot be read: {error}") from None
    return dict(keys.lookup(name) or {})


def _require_keys_only(file: Path) -> None:
    """Check that no line begins with a mark (``@revoked``): the key would count as unknown, and be believed.

    :raises TaskFailed: if one does.
    :raises OSError: if the file cannot be read.
    """
    for number, line in enumerate(file.read_text("utf-8", "replace").splitlines(), 1):
        if line.lstrip().startswith("@"):
            raise TaskFailed(f"{file}: line {number} begins with {line.split()[0]}, which is not known here")


def check(file: Path, name: str, key: paramiko.PKey) -> None:
    """Check that *key* is that of the computer called *name*; write it down if nothing is known of that.

    :raises TaskFailed: if another one is known.
    """
    with _alone(file):
        before = known(file, name)
        if any(one.asbytes() == key.asbytes() for one in before.values()):
            return
        if before:
            kept = ", ".join(fingerprint(one) for one in before.values())
            raise TaskFailed(
                f"the host key of {name} is {fingerprint(key)}, not {kept} as before: either somebody is in between,"
                f" or it was changed; then remove its line from {file}"
            )
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8") as stream:
            stream.write(f"{name} {key.get_name()} {key.get_base64()}\n")
            stream.flush()
            os.fsync(stream.fileno())


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Keep other tasks from believing another first key at the same moment."""
    with file.with_name(f"{file.name}.lock").open("a") as stream:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX)
        yield  # closing the file lets it go
