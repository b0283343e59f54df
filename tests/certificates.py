"""Certificates for the tests that need TLS: an authority, and what it issues."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PEM = serialization.Encoding.PEM
_LOOPBACK = [
    x509.DNSName("localhost"),
    x509.DNSName("jobs.example"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
]


@dataclass
class Authority:
    """Who issues certificates. The top of a chain issues its own."""

    name: str = "Test Authority"
    issuer: Authority | None = None

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        issuer = self.issuer or self
        self.certificate = _sign(self.name, self.key.public_key(), issuer.name, issuer.key, is_authority=True)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(_PEM)

    def write(self, file: Path) -> Path:
        file.write_bytes(self.pem)
        return file

    def issue(
        self, folder: Path, name: str = "localhost", *, days: int = 1, passphrase: str = "", chain: bytes = b""
    ) -> tuple[Path, Path]:
        """Write a certificate for loopback, with *chain* behind it, and its key into *folder*; return the files."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign(name, key.public_key(), self.name, self.key, is_authority=False, days=days)
        hiding: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase:
            hiding = serialization.BestAvailableEncryption(passphrase.encode())
        folder.mkdir(exist_ok=True)
        files = folder / "cert.pem", folder / "key.pem"
        files[0].write_bytes(certificate.public_bytes(_PEM) + chain)
        files[1].write_bytes(key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, hiding))
        return files


def _sign(
    name: str,
    key: ec.EllipticCurvePublicKey,
    issuer: str,
    issuers_key: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
    days: int = 1,
) -> x509.Certificate:
    """Return a certificate that ends in so many *days*, or that many ago."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=min(days, 0) - 1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuers_key.public_key()), critical=False)
    )
    if is_authority:
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName(_LOOPBACK), critical=False)
    return builder.sign(issuers_key, hashes.SHA256())
