"""The samples of the vendor's page "Create job" (seed opsramp-create-job.txt), word for word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from opsramp_world import Client

GOLDEN = Path(__file__).parent / "golden"
CASES = {
    "ad-checklist": ["client_13"],
    "network-configuration-backup": ["client_93"],
    "app-install": ["client_93"],
    "custom-script": ["client_93", "msp_12"],
}


@pytest.mark.parametrize(("name", "tenant"), [(name, tenant) for name, found in CASES.items() for tenant in found])
def test_a_sample_request_has_the_sample_response(client: Client, name: str, tenant: str) -> None:
    client.tenant = tenant
    answer = client.ask("POST", "jobs", (GOLDEN / f"{name}.request").read_bytes())
    assert answer.status == 200, answer.body
    assert answer.content_type == "application/json; charset=utf-8"
    found = _in_order(answer.body)
    assert UUID(dict(found)["id"])
    expected = _in_order((GOLDEN / f"{name}.response").read_bytes())
    # As text: to Python 1 and true are the same.
    assert json.dumps(_without_id(found)) == json.dumps(_without_id(expected))


def _in_order(body: bytes) -> Any:
    """Return the document with its members in their order."""
    return json.loads(body, object_pairs_hook=list)


def _without_id(document: Any) -> Any:
    return [pair for pair in document if pair[0] != "id"]
