"""Certificates: what a listener with TLS shows, read from PEM files and checked before it is shown."""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dispatcher.core.errors import BadRequest


class BadCertificate(BadRequest):
    """A certificate, or its key, that no listener can show."""

    code = "config.certificate"


def read_certificates(file: Path) -> Sequence[x509.Certificate]:
    """Return the certificates in *file*: the server's own, then its issuer, that one's, and so on.

    :raises BadCertificate: if it cannot be read, holds none, or they are not in that order.
    """
    chain = _load(file)
    _check_order(file, chain)
    return chain


def read_key(file: Path) -> bytes:
    """Return the public half of the private key in *file*, in DER.

    :raises BadCertificate: if it cannot be read, holds no key, or only an encrypted one.
    """
    try:
        key = serialization.load_pem_private_key(_read(file), None)
    except TypeError:
        raise BadCertificate(
            f"{file}: the key needs a passphrase, which nobody can type in here: "
            f"openssl pkey -in {file} -out FILE takes it away"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadCertificate(f"{file}: holds no private key in PEM that can be used") from None
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def check_pair(certificate_file: Path, key_file: Path) -> x509.Certificate:
    """Return the server's own certificate of the two files.

    :raises BadCertificate: if either is bad, or they do not belong together.
    """
    chain, key = _load(certificate_file), read_key(key_file)
    owner = next((one for one in chain if _public(certificate_file, one) == key), None)
    if owner is None:
        raise BadCertificate(
            f"{key_file}: is not the key of the certificate in {certificate_file}, of {_name(chain[0])}"
        )
    if owner is not chain[0]:
        raise BadCertificate(
            f"{certificate_file}: the certificate of {_name(owner)}, whose key is given, must come first"
        )
    _check_order(certificate_file, chain)
    return owner


def tls_context(certificate_file: Path, key_file: Path) -> ssl.SSLContext:
    """Return what a listener needs to show the certificate; TLS 1.2 is the least that it speaks.

    :raises BadCertificate: as ``check_pair`` does.
    """
    check_pair(certificate_file, key_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate_file, key_file)
    except (ssl.SSLError, OSError) as error:
        raise BadCertificate(f"{certificate_file}: cannot be used: {error}") from None
    return context


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of *certificate*, in hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def doubt(certificate: x509.Certificate, now: datetime) -> str:
    """Return why clients may refuse *certificate* at *now*; empty if there is no reason to think so."""
    if now > certificate.not_valid_after_utc:
        return f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
    if now < certificate.not_valid_before_utc:
        return f"not valid before {certificate.not_valid_before_utc:%Y-%m-%d}"
    return ""


def _load(file: Path) -> Sequence[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(file))
    except ValueError:
        raise BadCertificate(f"{file}: holds no certificate in PEM") from None


def _check_order(file: Path, chain: Sequence[x509.Certificate]) -> None:
    for one, issuer in itertools.pairwise(chain):
        try:
            one.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            if _issuer(one) == _name(issuer):
                raise BadCertificate(
                    f"{file}: the signature of {_name(issuer)} on the certificate of {_name(one)} cannot be checked: "
                    f"{error}"
                ) from None
            raise _not_the_issuer(file, one, issuer) from None
        except InvalidSignature:
            raise _not_the_issuer(file, one, issuer) from None


def _not_the_issuer(file: Path, one: x509.Certificate, issuer: x509.Certificate) -> BadCertificate:
    other = "another of that name" if _issuer(one) == _name(issuer) else f"that of {_name(issuer)}"
    return BadCertificate(
        f"{file}: after the certificate of {_name(one)} must come that of its issuer, {_issuer(one)}, and not {other}"
    )


def _public(file: Path, certificate: x509.Certificate) -> bytes:
    try:
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadCertificate(f"{file}: the certificate of {_name(certificate)} has a key of no use: {error}") from None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadCertificate(f"{file}: {error.strerror or error}") from None


def _name(certificate: x509.Certificate) -> str:
    return _shown(certificate, "subject")


def _issuer(certificate: x509.Certificate) -> str:
    return _shown(certificate, "issuer")


def _shown(certificate: x509.Certificate, what: str) -> str:
    with suppress(ValueError):  # a name that is no name
        return str(getattr(certificate, what).rfc4514_string()) or "nobody"
    return "somebody"
