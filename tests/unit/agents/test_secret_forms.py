"""Secret forms: what programs write of a secret is among them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dispatcher.agents.masking import Masker
from dispatcher.agents.secret_forms import forms


def in_yaml(text: str, style: str, *, is_ascii: bool) -> str:
    return str(yaml.safe_dump(text, default_style=style, allow_unicode=not is_ascii, width=10**9))


WRITERS: dict[str, Callable[[str], str]] = {
    "shlex": shlex.quote,
    "shell": lambda text: "'" + text.replace("'", r"'\''") + "'",
    "json": json.dumps,
    "python": repr,
    "python beside quotes": lambda text: repr(f"\"'{text}"),
    "bytes": lambda text: repr(text.encode()),
    "bytes beside quotes": lambda text: repr(f"\"'{text}".encode()),
    "yaml": lambda text: in_yaml(text, '"', is_ascii=False),
    "yaml in ASCII": lambda text: in_yaml(text, '"', is_ascii=True),
    "url": quote,
    "part of a url": lambda text: quote(text, safe=""),
    "query": quote_plus,
}
AGAIN: dict[str, Callable[[str], str]] = {
    "": str,
    " in JSON": json.dumps,
    " in JSON as it is": lambda text: json.dumps(text, ensure_ascii=False),
    " in Python": lambda text: repr(f"\"'{text}"),
}


@pytest.mark.parametrize("again", AGAIN)
@pytest.mark.parametrize("writer", WRITERS)
@settings(max_examples=20)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8))
@example("it's-secret-77")
@example("pässwörd \"\\/&$%+~'\t\x85\xa0\u2028\ufeff😀\x7f\x1b\0")
def test_what_a_program_writes_is_known(writer: str, again: str, secret: str) -> None:
    secret = f"z{secret}z"  # nothing around it looks the same
    assert "z" not in Masker([secret]).text(AGAIN[again](WRITERS[writer](secret)))


def test_yaml_between_single_quotes_is_known() -> None:
    assert Masker(["it's: so"]).text(in_yaml("it's: so", "'", is_ascii=False)) == "'********'\n"


def test_simple_secrets_have_one_form_and_no_secret_has_many() -> None:
    assert forms("Abc-12_3.4~") == {"Abc-12_3.4~"}
    assert len(forms('it\'s "pä\\ss"\n/ \u2028😀')) < 70
