"""Golden messages: what clients send, byte for byte, and what they are answered.

Each case is three files: ``.request`` and ``.response`` (an HTTP message each) and ``.source.rst``, which says where
the fact comes from. XML answers are compared canonically, all others byte by byte; how a page is styled is not golden.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from golden_messages import API, canonical, cases, read_request, written

from dispatcher.bindings.ivanti_automation.binding import IvantiAutomation
from dispatcher.core.jobs import JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.services.hall import Hall

GOLDEN = Path(__file__).parent / "golden"
CASES = cases(GOLDEN)
AGENT = UUID("6ae2e5b5-d5c8-4728-a10a-12e25bd5f995")
PATCH_RING = UUID("0a8b2c4d-0000-4000-8000-00000000b00c")
RUN_BOOK_JOB = UUID("55d1e5fd-cd92-481e-abdb-62ed86288d20")


@pytest.fixture
def scene(case: str, hall: Hall, new_id: Any, clock: Any) -> None:
    """Make what *case* speaks of, where that would be in the way of the others."""
    if case.startswith("GetRunBookJob."):
        new_id.in_line = [RUN_BOOK_JOB]
        who = [WhoChoice([AGENT], WhoKind.AGENT)]
        hall.scheduling.submit(JobRequest([WhatChoice(PATCH_RING, WhatKind.RUNBOOK)], who, When(), "Ring by ring"), API)
    elif case.startswith("RemoveAgent.") and case.endswith("online"):
        hall.enrolment.note_contacts({AGENT: clock()}, {})


@pytest.mark.usefixtures("scene")
@pytest.mark.parametrize("case", CASES)
def test_answer_is_the_golden_one(case: str, binding: IvantiAutomation) -> None:
    answer = written(binding(read_request(GOLDEN / f"{case}.request")))

    assert canonical(answer) == canonical((GOLDEN / f"{case}.response").read_bytes())


def test_every_golden_file_belongs_to_a_case_with_a_source() -> None:
    expected = {f"{case}.{part}" for case in CASES for part in ("request", "response", "source.rst")}

    assert {path.name for path in GOLDEN.iterdir()} == expected
    assert CASES


@pytest.mark.parametrize("case", CASES)
def test_source_names_the_contract_or_the_vendor_page(case: str) -> None:
    source = (GOLDEN / f"{case}.source.rst").read_text()

    assert "contract section" in source or "vendor page" in source
