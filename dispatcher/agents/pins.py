"""Pins: certificates that an agent trusts by themselves, whatever names, dates and issuer they have."""

from __future__ import annotations

import hashlib
import re
import ssl
from contextlib import suppress
from pathlib import Path

#: Where in its home a local agent finds which certificate its server shows.
FILE = "certificate.sha256"

_SHA_256 = re.compile("[0-9a-f]{64}")
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def fingerprint(certificate_file: Path) -> str:
    """Return the SHA-256 in hex of the first certificate in a PEM file, which is the server's own.

    :raises OSError: if the file cannot be read.
    :raises ValueError: if it holds no certificate.
    """
    _, begin, rest = certificate_file.read_text("utf-8", "replace").partition(_BEGIN)
    body, end, _ = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{certificate_file} holds no certificate")
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(begin + body + end)).hexdigest()


class Pin:
    """The certificate by which a local agent knows its server: the one that the server says it shows.

    The server says so in the agent's home (``note``): it alone knows whether it could use a renewal of the PEM file.
    Where it has said nothing, the certificate is the one in that file.
    """

    def __init__(self, certificate_file: Path, home: Path | None = None) -> None:
        self._file = certificate_file
        self._noted = home and home / FILE

    def fingerprint(self) -> str:
        """Return the SHA-256 of the only certificate to accept now.

        :raises OSError: if nothing is noted and the file cannot be read; ``ValueError`` if it holds none.
        """
        if self._noted is not None:
            with suppress(OSError):
                text = self._noted.read_bytes().decode("ascii", "replace")
                if _SHA_256.fullmatch(text):
                    return text
        return fingerprint(self._file)


def note(home: Path, shown: str) -> None:
    """Tell the local agent in *home* which certificate its server shows from now on, by its SHA-256; no other holds.

    :raises OSError: if that cannot be written, as on a full disk; then nothing is noted, and the PEM file counts, from
        which the server has just read it.
    """
    file, temporary = home / FILE, home / f"{FILE}.new"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.touch(mode=0o600)
        temporary.write_text(shown, "ascii")
        temporary.replace(file)
    except OSError:
        for one in (temporary, file):
            one.unlink(missing_ok=True)
        raise
