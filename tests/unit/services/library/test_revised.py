"""What differs between two versions is told by its path, and no secret of either is."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.core.parameters import ParameterType
from dispatcher.services.library.revised import MAX_MEMBERS, differences
from dispatcher.services.secrets import MASK

TEXT, CREDENTIALS, PASSWORD = ParameterType.TEXT, ParameterType.CREDENTIALS, ParameterType.PASSWORD


def parameter(kind: ParameterType, value1: str = "", value2: str = "", name: str = "P") -> dict[str, Any]:
    return {"name": name, "type": int(kind), "value1": value1, "value2": value2, "is_input": True}


def module(*parameters: dict[str, Any]) -> dict[str, Any]:
    return {"name": "M", "parameters": list(parameters), "tasks": []}


def book(what: dict[str, Any], **values: str) -> dict[str, Any]:
    return {"name": "R", "parameters": [], "steps": [{"name": "go", "what": what, "parameters": values}]}


def test_what_is_alike_does_not_differ() -> None:
    assert differences(module(parameter(PASSWORD, "s3cret")), module(parameter(PASSWORD, "s3cret"))) == ({}, {})


def test_a_password_that_becomes_a_text_is_hidden_as_long_as_it_is_one() -> None:
    secret, text = module(parameter(PASSWORD, "s3cret")), module(parameter(TEXT, "shown"))
    assert differences(secret, text) == (
        {"parameters/P/type": PASSWORD, "parameters/P/value": MASK},
        {"parameters/P/type": TEXT, "parameters/P/value": "shown"},
    )
    assert differences(text, secret) == (
        {"parameters/P/type": TEXT, "parameters/P/value": "shown"},
        {"parameters/P/type": PASSWORD, "parameters/P/value": "changed"},
    )


def test_of_credentials_the_user_is_shown_and_the_password_is_not() -> None:
    before, after = module(parameter(CREDENTIALS, "ann", "s3cret")), module(parameter(CREDENTIALS, "bob", "0ther"))
    assert differences(before, after) == (
        {"parameters/P/value": "ann", "parameters/P/choices": MASK},
        {"parameters/P/value": "bob", "parameters/P/choices": "changed"},
    )


@pytest.mark.parametrize("kind", [PASSWORD, CREDENTIALS])
@pytest.mark.parametrize("value", ["s3cret", "pw$[x]", "$[x]pw", "$[x]$[y]", "$[x", " $[x]"])
def test_the_secret_of_a_step_is_not_shown(kind: ParameterType, value: str) -> None:
    what = module(parameter(kind))
    path = "steps/go/parameters/P"
    assert differences(book(what), book(what, P=value)) == ({}, {path: MASK})
    assert differences(book(what, P=value), book(what, P="0ther")) == ({path: MASK}, {path: "changed"})
    assert differences(book(what, P=value), book(what)) == ({path: MASK}, {})


def test_a_link_says_only_where_a_secret_comes_from() -> None:
    what = module(parameter(PASSWORD))
    path = "steps/go/parameters/P"
    assert differences(book(what, P="$[x]"), book(what, P="$[y]")) == ({path: "$[x]"}, {path: "$[y]"})


def test_what_a_step_gives_to_a_parameter_that_is_gone_is_hidden() -> None:
    assert differences(book(module(), P="s3cret"), book(module())) == ({"steps/go/parameters/P": MASK}, {})


def test_a_secret_that_is_removed_or_empty() -> None:
    before, after = module(parameter(PASSWORD, "s3cret")), module(parameter(PASSWORD, ""))
    assert differences(before, after) == ({"parameters/P/value": MASK}, {"parameters/P/value": ""})
    old, new = differences(before, module())
    assert (old["parameters/P/value"], new) == (MASK, {"parameters": []})


def test_entries_of_one_name_are_numbered_and_many_members_only_counted() -> None:
    def linked(*values: str) -> dict[str, Any]:
        what = module(parameter(TEXT))
        return {"name": "P", "modules": [{"module": what, "parameters": {"P": value}} for value in values]}

    assert differences(linked("a", "b"), linked("a", "c")) == (
        {"modules/M #2/parameters/P": "b"},
        {"modules/M #2/parameters/P": "c"},
    )
    texts = [module(*(parameter(TEXT, value, name=f"P{n}") for n in range(MAX_MEMBERS + 1))) for value in "ab"]
    assert differences(*texts) == ({}, {"changed members": MAX_MEMBERS + 1})
