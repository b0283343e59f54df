"""Pins: what a server may show while its certificate is renewed."""

from __future__ import annotations

from pathlib import Path

import pytest
from certificates import Authority

from dispatcher.agents.pins import Pin, fingerprint


def test_an_old_certificate_holds_until_the_new_one_has_been_shown(tmp_path: Path) -> None:
    authority = Authority()
    file, _ = authority.issue(tmp_path / "one")
    old, pin = fingerprint(file), Pin(file)
    assert pin.fingerprints() == [old]
    pin.note(old)
    file.write_bytes(authority.issue(tmp_path / "other")[0].read_bytes())
    new = fingerprint(file)
    assert pin.fingerprints() == [new, old]
    pin.note(new)
    assert pin.fingerprints() == [new]


def test_what_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    file, _ = Authority().issue(tmp_path)
    pin = Pin(file)
    pin.note(shown := fingerprint(file))
    file.write_text("none")
    assert pin.fingerprints() == [shown]
    with pytest.raises(ValueError, match="holds no certificate"):
        Pin(file).fingerprints()
    file.unlink()
    assert pin.fingerprints() == [shown]
