"""Certificates are checked before a listener shows them, and what is wrong is said in a line."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from certificates import Authority
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from dispatcher.certificates import BadCertificate, check_pair, doubt, read_certificates, tls_context

TOP = Authority()
BETWEEN = Authority("Between", TOP)


def test_a_chain_in_its_order_is_taken_and_nothing_older_than_tls_1_2_is_spoken(tmp_path: Path) -> None:
    context = tls_context(*BETWEEN.issue(tmp_path, chain=BETWEEN.pem + TOP.pem))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def broken(folder: Path) -> dict[str, tuple[Path, Path, str]]:
    """Return pairs of files with what is wrong with each."""
    good = TOP.issue(folder / "good")
    other = TOP.issue(folder / "other")
    nothing = folder / "nothing.pem"
    nothing.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    issuer_first = folder / "issuer first.pem"
    issuer_first.write_bytes(TOP.pem + good[0].read_bytes())
    stranger = BETWEEN.issue(folder / "stranger", chain=Authority("Stranger").pem)
    locked = TOP.issue(folder / "locked", passphrase="secret words")
    return {
        "no file": (folder / "absent.pem", good[1], r"absent\.pem: No such file"),
        "a folder": (folder, good[1], "Is a directory"),
        "no certificate": (nothing, good[1], "holds no certificate"),
        "no key": (good[0], good[0], "holds no private key"),
        "another's key": (good[0], other[1], "is not the key of the certificate"),
        "a passphrase": (*locked, "needs a passphrase"),
        "the issuer first": (
            issuer_first,
            good[1],
            "the certificate of CN=localhost, whose key is given, must come first",
        ),
        "a stranger": (*stranger, "must come that of its issuer, CN=Between, and not that of CN=Stranger"),
    }


@pytest.mark.parametrize(
    "kind",
    [
        "no file",
        "a folder",
        "no certificate",
        "no key",
        "another's key",
        "a passphrase",
        "the issuer first",
        "a stranger",
    ],
)
def test_what_is_wrong_is_said_in_a_line(tmp_path: Path, kind: str) -> None:
    certificate, key, problem = broken(tmp_path)[kind]
    with pytest.raises(BadCertificate, match=problem) as caught:
        tls_context(certificate, key)
    assert "\n" not in caught.value.message
    assert "secret words" not in caught.value.message


def test_dates_are_doubted_but_no_reason_to_refuse(tmp_path: Path) -> None:
    expired = check_pair(*TOP.issue(tmp_path, days=-1))
    now = datetime.now(UTC)
    assert doubt(expired, now).startswith("expired on ")
    assert doubt(expired, now - timedelta(days=30)).startswith("not valid before ")
    assert doubt(check_pair(*TOP.issue(tmp_path)), now) == ""


UNKNOWN = UnsupportedAlgorithm("Curve 1.3.132.0.6 is not supported")


def refuse(*_: object) -> None:
    raise UNKNOWN


class Unchecked:
    """A certificate whose signature, or whose key, is of a kind that nobody here knows."""

    def __init__(self, certificate: x509.Certificate) -> None:
        self.subject, self.issuer = certificate.subject, certificate.issuer

    verify_directly_issued_by = public_key = refuse


def test_a_key_of_a_kind_that_nobody_knows_is_said_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = BETWEEN.issue(tmp_path, chain=BETWEEN.pem)
    one, issuer = read_certificates(certificate)
    for chain, problem in (
        ([Unchecked(one), issuer], "signature of CN=Between on the certificate of CN=localhost cannot be checked"),
        ([Unchecked(one), TOP.certificate], "its issuer, CN=Between, and not that of CN=Test Authority"),
        ([one, Authority("Between").certificate], "its issuer, CN=Between, and not another of that name"),
    ):
        monkeypatch.setattr("dispatcher.certificates._load", lambda _, chain=chain: chain)
        with pytest.raises(BadCertificate, match=problem):
            read_certificates(certificate)
    monkeypatch.setattr("dispatcher.certificates._load", lambda _: [Unchecked(one)])
    with pytest.raises(BadCertificate, match="the certificate of CN=localhost has a key of no use: Curve"):
        check_pair(certificate, key)
