"""Consoles: what is kept of what an agent tells, and whose names are the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dispatcher.core.console import NOBODY, Console, is_same, key, note

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("anna", "ANNA", True),
        ("CORP\\anna", "anna", True),
        ("corp\\Anna", "CORP\\anna", True),
        ("CORP\\anna", "LAB\\anna", False),
        ("anna", "ann", False),
        ("Weiß", "WEISS", True),
    ],
)
def test_case_and_a_domain_that_one_of_them_lacks_do_not_count(one: str, other: str, same: bool) -> None:
    assert is_same(one, other) is is_same(other, one) is same
    assert key(one) == key(other) or not same


def told(known: dict[str, Any], console: Console, now: datetime = NOW) -> dict[str, Any]:
    return {**known, **note(known, console, now)}


def test_what_is_told_is_kept_with_a_key_to_find_it() -> None:
    assert told({}, Console("CORP\\Anna", "CORP\\Anna", NOW - HOUR)) == {
        "console_user": "CORP\\Anna",
        "last_console_user": "CORP\\Anna",
        "console_user_at": NOW - HOUR,
        "console_key": "anna",
    }


def test_whoever_has_left_was_the_last() -> None:
    known = told({}, Console("anna", "anna", NOW - HOUR))
    known = told(known, Console("", "anna", NOW))
    assert (known["console_user"], known["last_console_user"], known["console_user_at"]) == ("", "anna", NOW)


def test_an_agent_that_was_started_anew_forgets_nobody() -> None:
    known = told({}, Console("anna", "anna", NOW - HOUR))
    known = told(known, NOBODY)
    assert (known["console_user"], known["last_console_user"], known["console_user_at"]) == ("", "anna", NOW)
    assert note(known, NOBODY, NOW + HOUR) == {}


def test_a_clock_that_is_fast_is_not_believed() -> None:
    assert told({}, Console("anna", "anna", NOW + HOUR))["console_user_at"] == NOW
