"""Secrets: values that are encrypted at rest with a key kept outside the datastore, and masked where they are shown."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from secrets import token_bytes
from tempfile import NamedTemporaryFile

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from dispatcher.core.errors import Unavailable

#: What is shown in place of a secret, whatever its length.
MASK = "********"

_KEY_BYTES = 32
_NONCE_BYTES = 12
#: Names the way a value was sealed, so that another way can be added later.
_PREFIX = "v1:"

_log = structlog.stdlib.get_logger(__name__)


class SecretUnreadable(Unavailable):
    """A sealed value does not open: it was sealed with another key, or was changed."""

    code = "secret.unreadable"

    def __init__(self) -> None:
        super().__init__("a stored secret cannot be decrypted with this key file")


class KeyFileInvalid(Unavailable):
    """The key file does not hold a key."""

    code = "secret.key_file_invalid"

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is not a key file of Dispatcher", path=str(path))


class Secrets:
    """Seals and opens texts and bytes with AES-256-GCM under one *key* of 32 bytes. Safe to share between threads."""

    def __init__(self, key: bytes) -> None:
        if len(key) != _KEY_BYTES:
            raise ValueError(f"a key has {_KEY_BYTES} bytes, not {len(key)}")
        self._cipher = AESGCM(key)
        self._key = key

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes that are always the same for this key and *purpose*, and tell nothing of others (HKDF)."""
        return HKDF(SHA256(), _KEY_BYTES, salt=None, info=purpose.encode()).derive(self._key)

    def seal(self, text: str) -> str:
        """Return *text* encrypted; the same text gives another result each time. An empty one stays empty."""
        if not text:
            return ""
        # A lone surrogate in a value must not make it unstorable.
        return _PREFIX + base64.b64encode(self._encrypt(text.encode("utf-8", "surrogatepass"))).decode("ascii")

    def seal_bytes(self, data: bytes) -> bytes:
        """Return *data* encrypted, as ``seal`` does for texts."""
        return _PREFIX.encode() + self._encrypt(data)

    def open(self, sealed: str) -> str:
        """Return the text that was *sealed*.

        :raises SecretUnreadable: if it was sealed with another key, or was changed since.
        """
        if not sealed:
            return ""
        try:
            raw = base64.b64decode(sealed.removeprefix(_PREFIX), validate=True)
            return self._decrypt(raw).decode("utf-8", "surrogatepass")
        except (binascii.Error, ValueError):
            raise SecretUnreadable from None

    def open_bytes(self, sealed: bytes) -> bytes:
        """Return the data that ``seal_bytes`` has *sealed*.

        :raises SecretUnreadable: if it was sealed with another key, or was changed since.
        """
        return self._decrypt(sealed.removeprefix(_PREFIX.encode()))

    def _encrypt(self, data: bytes) -> bytes:
        nonce = token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, None)

    def _decrypt(self, sealed: bytes) -> bytes:
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
        except (InvalidTag, ValueError):
            raise SecretUnreadable from None

    def opens(self, sealed: str) -> bool:
        """Whether ``open`` does."""
        try:
            self.open(sealed)
        except SecretUnreadable:
            return False
        return True

    def holds(self, sealed: str, text: str) -> bool:
        """Whether *text* was *sealed*; what does not open is another text."""
        try:
            return self.open(sealed) == text
        except SecretUnreadable:
            return False


def mask(text: str, values: Iterable[str]) -> str:
    """Return *text* with every occurrence of one of the secret *values* masked, the longest ones first."""
    for value in sorted(filter(None, values), key=len, reverse=True):
        text = text.replace(value, MASK)
    return text


def load_or_create_key(path: Path) -> bytes:
    """Return the key in the file *path*, which is made with a new key when there is none.

    The new file is readable by its owner only and appears complete or not at all, also when several processes
    start at once. A file that others can read is used, with a warning in the log.

    :raises KeyFileInvalid: if the file holds something else.
    :raises OSError: if the file can be neither read nor made.
    """
    if not path.exists():
        _create_key(path)
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        _log.warning("secret.key_file_readable_by_others", path=str(path))
    try:
        key = base64.b64decode(path.read_bytes().strip(), validate=True)
    except binascii.Error:
        raise KeyFileInvalid(path) from None
    if len(key) != _KEY_BYTES:
        raise KeyFileInvalid(path)
    return key


def _create_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # NamedTemporaryFile makes the file with mode 0600.
    with NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        file.write(base64.b64encode(token_bytes(_KEY_BYTES)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link fails where a rename would replace: the key of a process that was quicker must stay.
        os.link(file.name, path)
    except FileExistsError:
        _log.debug("secret.key_file_made_by_another_process", path=str(path))
    finally:
        Path(file.name).unlink()
