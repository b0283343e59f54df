"""A job that was shown before is shown again as the first time, byte by byte, and as it is now."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from golden_messages import API, canonical, cases, read_request, written

from dispatcher.bindings.ivanti_automation import translate
from dispatcher.bindings.ivanti_automation.binding import IvantiAutomation
from dispatcher.core.permissions import NOBODY, SYSTEM
from dispatcher.services.hall import Hall
from dispatcher.wire.http import Request

GOLDEN = Path(__file__).parent / "golden"
CASES = [case for case in cases(GOLDEN) if case.startswith(("GetJob.", "GetJobs."))]
DONE = UUID("55d1e5fd-cd92-481e-abdb-62ed86288d1f")
PATH = "/Dispatcher/SchedulingService/jobs"


def get(binding: IvantiAutomation, accept: str, path: str = PATH) -> bytes:
    return binding(Request("GET", path, headers={"accept": accept}, caller=API)).body


@pytest.mark.parametrize("case", CASES)
def test_the_second_answer_is_the_golden_one_too(case: str, binding: IvantiAutomation) -> None:
    for _ in range(3):
        answer = written(binding(read_request(GOLDEN / f"{case}.request")))
        assert canonical(answer) == canonical((GOLDEN / f"{case}.response").read_bytes())


@pytest.mark.parametrize("accept", ["application/xml", "application/json"])
def test_pages_and_single_jobs_do_not_mix(accept: str, binding: IvantiAutomation) -> None:
    page, one = get(binding, accept), get(binding, accept, f"{PATH}/{DONE}")

    assert get(binding, accept) == page
    assert get(binding, accept, f"{PATH}/{DONE}") == one
    assert one != page


def test_another_time_zone_of_the_site_is_seen_at_once(binding: IvantiAutomation, hall: Hall) -> None:
    before = get(binding, "application/json")
    hall.settings.set("webapi.site_time_zone", "Europe/Berlin", SYSTEM)
    there = get(binding, "application/json")
    hall.settings.set("webapi.site_time_zone", "UTC", SYSTEM)

    assert b"+0200" in there
    assert b"+0200" not in before
    assert get(binding, "application/json") == before


def test_who_may_not_read_gets_nothing_of_what_was_shown_to_others(binding: IvantiAutomation) -> None:
    assert str(DONE).upper().encode() in get(binding, "application/json", f"{PATH}/{DONE}").upper()

    refused = binding(Request("GET", f"{PATH}/{DONE}", headers={"accept": "application/json"}, caller=NOBODY))

    assert refused.status != 200
    assert str(DONE).upper().encode() not in refused.body.upper()


def test_a_job_is_translated_once(binding: IvantiAutomation, monkeypatch: pytest.MonkeyPatch) -> None:
    translated: list[UUID] = []
    to_wire_job = translate.to_wire_job
    monkeypatch.setattr(translate, "to_wire_job", lambda job: translated.append(job.id) or to_wire_job(job))

    for path in (PATH, f"{PATH}/{DONE}", PATH):
        for accept in ("application/xml", "application/json"):
            get(binding, accept, path)

    assert translated == [DONE]
