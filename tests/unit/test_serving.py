"""Serving: listeners that would let anybody in, or secrets out, must be asked for by name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dispatcher.config import load
from dispatcher.serving import UnsafeListener, check_safety


def check(*, has_logins: bool, **sections: dict[str, Any]) -> None:
    house = SimpleNamespace(hall=SimpleNamespace(security=SimpleNamespace(has_logins=lambda: has_logins)))
    check_safety(load(sections, environ={}), house)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("has_logins", "sections", "problem"),
    [
        (False, {"web": {"listen": "0.0.0.0:8080"}}, "there is no login"),
        (True, {"web": {"listen": "0.0.0.0:8080"}}, "passwords would travel to 0.0.0.0:8080"),
        (True, {"agents": {"listen": "0.0.0.0:3163"}}, "agents' secrets"),
        (False, {"agents": {"listen": "[::]:3163"}}, "agents' secrets"),
    ],
)
def test_what_is_unsafe_is_refused(has_logins: bool, sections: dict[str, Any], problem: str) -> None:
    with pytest.raises(UnsafeListener, match=problem):
        check(has_logins=has_logins, **sections)


@pytest.mark.parametrize(
    ("has_logins", "sections"),
    [
        (False, {}),
        (True, {"web": {"listen": "[::1]:8080"}, "agents": {"listen": "127.0.0.2:3163"}}),
        (False, {"web": {"listen": "0.0.0.0:8080", "allow_no_login": True}}),
        (True, {"web": {"listen": "0.0.0.0:8080", "allow_plain_http": True}, "agents": {"listen": "0.0.0.0:3163"}}),
        (True, {"web": {"listen": "0.0.0.0:8080", "tls_cert": "c", "tls_key": "k"}, "agents": {"listen": "[::]:1"}}),
    ],
)
def test_what_is_safe_or_asked_for_is_allowed(has_logins: bool, sections: dict[str, Any]) -> None:
    check(has_logins=has_logins, **sections)
