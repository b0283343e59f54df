"""The description of the API: under which headings operations stand, and which of them heed an ``Idempotency-Key``."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.bindings.opsramp.binding import build
from dispatcher.services.hall import Hall
from dispatcher.wire.json_api.openapi import document
from dispatcher.wire.quotas import Quotas

TENANT = "/api/v2/tenants/{tenant}"
#: What happens once for one key; ``test_jobs``, ``test_resources`` and ``test_scripts`` show that it does.
ONCE = {
    ("post", f"{TENANT}/jobs"),
    ("get", f"{TENANT}/jobs/{{job}}/run"),
    ("post", f"{TENANT}/jobs/{{job}}/run"),
    ("post", f"{TENANT}/jobs/{{job}}/script/run"),
    ("post", f"{TENANT}/resources"),
    ("post", f"{TENANT}/rba/categories/{{category}}/scripts"),
}


@pytest.fixture
def described(hall: Hall) -> dict[str, Any]:
    return document(build(hall, log=lambda *_, **__: None, quotas=Quotas()))


def test_what_happens_once_for_a_key_says_so(described: dict[str, Any]) -> None:
    found = {
        (verb, path)
        for path, item in described["paths"].items()
        for verb, operation in item.items()
        if any(one["in"] == "header" for one in operation.get("parameters", ()))
    }
    assert found == ONCE


def test_each_operation_stands_under_a_heading(described: dict[str, Any]) -> None:
    tags = {path: one["tags"] for path, item in described["paths"].items() for one in item.values()}
    assert [one["name"] for one in described["tags"]] == ["Tokens", "Jobs", "Scripts", "Resources"]
    assert {tag for one in tags.values() for tag in one} == {"Tokens", "Jobs", "Scripts", "Resources"}
    assert tags["/auth/oauth/token"] == ["Tokens"]
    assert tags[f"{TENANT}/jobs/search"] == ["Jobs"]
    assert tags[f"{TENANT}/rba/scripts/{{script}}/paginatedOutputs"] == ["Scripts"]
    assert tags[f"{TENANT}/credentialSets/minimal"] == ["Resources"]
