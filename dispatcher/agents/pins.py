"""Pins: certificates that an agent trusts by themselves, whatever names, dates and issuer they have."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

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
    """The certificate in a PEM file, by which a server is known that may renew it.

    The one that it showed last holds on until it shows the new one: a server that cannot use a renewal goes on with
    the certificate that it has.
    """

    def __init__(self, certificate_file: Path) -> None:
        self._file = certificate_file
        self._shown = ""

    def fingerprints(self) -> list[str]:
        """Return what the server may show, the file's first.

        :raises OSError: if nothing has been shown yet and the file cannot be read; ``ValueError`` if it holds none.
        """
        try:
            renewed = fingerprint(self._file)
        except (OSError, ValueError):
            if not self._shown:
                raise
            return [self._shown]
        return [renewed, self._shown] if self._shown not in ("", renewed) else [renewed]

    def note(self, shown: str) -> None:
        """Remember what the server has shown; an older one holds no more."""
        self._shown = shown
