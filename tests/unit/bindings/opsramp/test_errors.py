"""Errors: what the core calls by its own names has OpsRamp's."""

from __future__ import annotations

import pytest

from dispatcher.bindings.opsramp.errors import to_error
from dispatcher.core.errors import InvalidValue
from dispatcher.wire.http import Request
from dispatcher.wire.json_api.failures import Failure, Problem


@pytest.mark.parametrize(
    ("member", "shown"),
    [
        ("What", "script"),
        ("What[0]/ID", "script"),
        ("Who", "entities"),
        ("Who[3]/ID", "entities"),
        ("When/RecurringSchedule", "schedule"),
        ("Parameters/versionsSaved", "script.parameters"),
        ("script.customScript.id", "script.customScript.id"),
        ("name", "name"),
    ],
)
def test_members_of_the_core_are_told_in_words_of_the_page(member: str, shown: str) -> None:
    request = Request("POST", "/api/v2/tenants/a/jobs")
    error = InvalidValue(member, "is wrong")
    reply = to_error(Failure(request, 400, error.message, error, (Problem(member, "is wrong"),)))
    assert reply.body == [{"code": "0002", "fieldName": shown, "message": "is wrong"}]
