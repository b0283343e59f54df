"""Options: what a caller may ask for beyond what, who and when, checked before a job is made of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import Options

#: The longest time that a job may be given: a year, in seconds.
MAX_TIME_S = 31_536_000
#: What ``approval`` is before anybody has given it, and after.
REQUIRED, GIVEN = "required", "given"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: The most agents that a batch may have: more than anybody has.
MAX_BATCH = 1_000_000


def check(options: Options) -> None:
    """Check that *options* are possible, each of them and together.

    :raises InvalidValue: if one is not; the error names it.
    """
    given: Mapping[str, Any] = options
    for name, value in given.items():
        rule = _RULES.get(name)
        if rule is None:
            raise InvalidValue(f"Options/{name[:50]}", "is unknown")
        is_possible, meaning = rule
        if not is_possible(value):
            raise InvalidValue(f"Options/{name}", f"{str(value)[:50]!r} is not {meaning}")
    ways = [name for name in ("batch_size", "batch_share", "select_one") if given.get(name)]
    if len(ways) > 1:
        raise InvalidValue(f"Options/{ways[1]}", f"cannot be used together with {ways[0]}")
    if "stop_at_share" in given and not given.keys() & {"batch_size", "batch_share"}:
        raise InvalidValue("Options/stop_at_share", "needs a size or a share of batches")


def _whole(lowest: int, highest: int) -> tuple[Callable[[Any], bool], str]:
    def is_possible(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest

    return is_possible, f"a whole number from {lowest} to {highest}"


def _number(highest: float) -> tuple[Callable[[Any], bool], str]:
    def is_possible(value: Any) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= highest

    return is_possible, f"a number above 0 and up to {highest}"


_IS_ID: tuple[Callable[[Any], bool], str] = (
    lambda value: isinstance(value, str) and _ID.fullmatch(value) is not None,
    "an id",
)
_INPUTS: tuple[Callable[[Any], bool], str] = (
    lambda value: (
        isinstance(value, Mapping)
        and value.keys() == {"provider", "of"}
        and all(isinstance(one, str) and one for one in value.values())
    ),
    "a provider and what is asked of it",
)
_FLAG: tuple[Callable[[Any], bool], str] = (lambda value: isinstance(value, bool), "true or false")
_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "launch_timeout_s": _whole(1, MAX_TIME_S),
    "timeout_s": _number(MAX_TIME_S),
    "boot": (lambda value: value == "next", "next"),
    "offline_agents_next_boot": _FLAG,
    "batch_size": _whole(1, MAX_BATCH),
    "batch_share": _number(1),
    "stop_at_share": _number(1),
    "select_one": _FLAG,
    "stays": _FLAG,
    "ends_as_last": _FLAG,
    "queued": _FLAG,
    "alert": _FLAG,
    "ends_waiting": _FLAG,
    "on_change": _FLAG,
    "approval": (lambda value: value == REQUIRED, REQUIRED),
    "credential_set": _IS_ID,
    "credential_team": _IS_ID,
    "inputs": _INPUTS,
}
