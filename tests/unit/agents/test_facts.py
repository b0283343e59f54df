"""Facts: what an agent tells of its computer's clock and boots, and what becomes of it on the way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psutil
import pytest
import tzlocal
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.agents import facts, protocol
from dispatcher.agents.facts import read_facts
from dispatcher.agents.translate import to_facts
from dispatcher.core.boots import is_other_boot

URL = "http://127.0.0.1:3163"
PLAIN = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=64)


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A computer in Tokyo."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    tzlocal.reload_localzone()
    yield
    monkeypatch.undo()
    time.tzset()
    tzlocal.reload_localzone()


def test_the_time_zone_is_that_of_the_computer(tokyo: None) -> None:
    assert read_facts(URL, {}).time_zone == "Asia/Tokyo"


def test_a_time_zone_that_is_not_known_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise ZoneInfoNotFoundError("contradictory")

    monkeypatch.setattr(tzlocal, "get_localzone_name", fail)

    assert read_facts(URL, {}).time_zone == ""


@pytest.mark.parametrize("name", [None, "Zürich", "a\0b", "x" * 65])
def test_a_time_zone_that_can_be_none_is_not_told(monkeypatch: pytest.MonkeyPatch, name: str | None) -> None:
    monkeypatch.setattr(tzlocal, "get_localzone_name", lambda: name)

    assert read_facts(URL, {}).time_zone == ""


def test_the_zone_that_is_told_is_one() -> None:
    ZoneInfo(read_facts(URL, {}).time_zone or "UTC")


@pytest.mark.skipif(not facts._LINUX_BOOT_ID.exists(), reason="only Linux has an id of each boot")
def test_on_linux_the_system_has_an_id_of_each_boot() -> None:
    told = [read_facts(URL, {}).boot_id for _ in range(2)]

    assert told[0] == told[1]
    assert str(UUID(told[0])) == told[0]


def test_elsewhere_the_moment_of_the_boot_is_told_and_may_waver(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(facts, "_LINUX_BOOT_ID", tmp_path / "missing")
    moments = iter((1767225600.49, 1767225600.51, 1767229200.0))
    monkeypatch.setattr(psutil, "boot_time", lambda: next(moments))

    first, wavering, later = (read_facts(URL, {}).boot_id for _ in range(3))

    assert first == "1767225600"
    assert not is_other_boot(first, wavering)
    assert is_other_boot(first, later)


@given(st.builds(protocol.Facts, time_zone=PLAIN, boot_id=PLAIN))
def test_what_is_told_reaches_the_services(told: protocol.Facts) -> None:
    kept = to_facts(protocol.Facts.model_validate_json(protocol.dump(told)))

    assert (kept.time_zone, kept.boot_id) == (told.time_zone, told.boot_id)


def test_an_agent_that_tells_neither_is_understood() -> None:
    kept = to_facts(protocol.Facts.model_validate_json('{"os": "linux"}'))

    assert (kept.time_zone, kept.boot_id) == ("", "")
