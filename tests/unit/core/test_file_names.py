"""File names: what every system takes, and nothing that one of them takes for something else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.file_names import is_file_name

ODD = ["", ".", "..", "a/b", "a\\b", "a:b", "a*", "a?", 'a"', "<a", "a|b", "a.", " a", "a ", "a\n", "a\x85", "a\udc00"]
DEVICES = ["CON", "con.txt", "nul .x", "LPT1", "com\xb9.log"]
TOO_LONG = ["x" * 256, "\u00fc" * 128]


@pytest.mark.parametrize("name", [*ODD, *DEVICES, *TOO_LONG, "txt.\u202eexe"])
def test_what_is_no_name_of_a_file(name: str) -> None:
    assert not is_file_name(name)


@given(st.text(max_size=300))
def test_no_text_breaks_the_rule(text: str) -> None:
    if is_file_name(text):
        assert len(text.encode()) <= 255
        assert not set(text) & set("/\\\0")
