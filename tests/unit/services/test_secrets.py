"""Secrets are unreadable at rest, tampering is noticed, and the key file is private."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.services.secrets import (
    MASK,
    KeyFileInvalid,
    Secrets,
    SecretUnreadable,
    load_or_create_key,
    mask,
)

SECRETS = Secrets(b"k" * 32)


@given(st.text(st.characters(exclude_categories=())))
def test_what_was_sealed_opens_to_the_same(text: str) -> None:
    assert SECRETS.open(SECRETS.seal(text)) == text


def test_empty_text_stays_empty() -> None:
    assert SECRETS.seal("") == ""
    assert SECRETS.open("") == ""


def test_sealing_twice_gives_different_results_that_do_not_show_the_text() -> None:
    first, second = SECRETS.seal("geheim"), SECRETS.seal("geheim")
    assert first != second
    assert "geheim" not in first


def test_another_key_opens_nothing() -> None:
    with pytest.raises(SecretUnreadable):
        Secrets(b"x" * 32).open(SECRETS.seal("geheim"))


def test_every_change_of_a_sealed_value_is_noticed() -> None:
    sealed = SECRETS.seal("8 bytes!")  # so that no bit of the base64 is padding
    for at, character in enumerate(sealed):
        with pytest.raises(SecretUnreadable):
            SECRETS.open(sealed[:at] + ("B" if character == "A" else "A") + sealed[at + 1 :])


@given(st.binary())
def test_bytes_are_sealed_as_texts_are(data: bytes) -> None:
    sealed = SECRETS.seal_bytes(data)
    assert SECRETS.open_bytes(sealed) == data
    assert sealed != SECRETS.seal_bytes(data)
    with pytest.raises(SecretUnreadable):
        Secrets(b"x" * 32).open_bytes(sealed)
    for at in range(len(sealed)):
        with pytest.raises(SecretUnreadable):
            SECRETS.open_bytes(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :])
    with pytest.raises(SecretUnreadable):
        SECRETS.open_bytes(data)


@given(st.text())
def test_text_that_was_never_sealed_is_refused(text: str) -> None:
    if text:
        with pytest.raises(SecretUnreadable):
            SECRETS.open(text)


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Secrets(b"short")


def test_mask_replaces_longest_values_first() -> None:
    assert mask("pass password", ["pass", "password", ""]) == f"{MASK} {MASK}"


def test_key_is_made_once_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key"
    key = load_or_create_key(path)
    assert len(key) == 32
    assert load_or_create_key(path) == key
    assert [entry.name for entry in path.parent.iterdir()] == ["key"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_key_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "key"
    load_or_create_key(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_many_starting_at_once_agree_on_one_key(tmp_path: Path) -> None:
    keys: list[bytes] = []
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        keys.append(load_or_create_key(tmp_path / "key"))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


@pytest.mark.parametrize("content", [b"", b"not base64!", b"c2hvcnQ="])
def test_a_file_that_holds_no_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(KeyFileInvalid):
        load_or_create_key(path)
    assert path.read_bytes() == content


def test_derived_keys_are_always_the_same_and_tell_nothing_of_each_other() -> None:
    keys = {SECRETS.derive("a"), SECRETS.derive("b"), Secrets(b"j" * 32).derive("a"), b"k" * 32}
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}
    assert Secrets(b"k" * 32).derive("a") == SECRETS.derive("a")
