"""Scheduling: what a job that runs many things gets, and how many it may run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from job_world import BOTH, GREET, LIBRARY, a_request, on

from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import GivenSet, Job, JobRequest, WhatChoice, WhatKind
from dispatcher.core.parameters import Form, GivenValue
from dispatcher.core.permissions import SYSTEM
from dispatcher.services import scheduling
from dispatcher.services.hall import Hall

FOREIGN = UUID(int=99)
GREETING, EVERYTHING = WhatChoice(GREET, WhatKind.MODULE), WhatChoice(BOTH, WhatKind.PROJECT)


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


def first_values(job: Job) -> list[str]:
    return [one.parameters[0].value1 for one in job.parameters]


@pytest.fixture
def a_request_for(enrol: Callable[..., UUID]) -> Callable[..., JobRequest]:
    who = on(enrol("one"))

    def make(what: list[WhatChoice], *sets: GivenSet) -> JobRequest:
        request = a_request(who=who, parameters=[*sets])
        request.what = what
        return request

    return make


def test_values_for_things_that_are_not_run_go_by_place(hall: Hall, a_request_for: Callable[..., JobRequest]) -> None:
    sets = GivenSet(FOREIGN, [GivenValue("Who", "you")]), GivenSet(FOREIGN, [GivenValue("Name", "us")])
    assert first_values(hall.scheduling.submit(a_request_for([GREETING, EVERYTHING], *sets), SYSTEM)) == ["you", "us"]


def test_what_is_run_twice_has_values_twice(hall: Hall, a_request_for: Callable[..., JobRequest]) -> None:
    sets = [GivenSet(GREET, [GivenValue("Who", text)]) for text in ("you", "us")]
    assert first_values(hall.scheduling.submit(a_request_for([GREETING, GREETING], *sets), SYSTEM)) == ["you", "us"]


def test_the_same_values_for_the_same_thing_are_gone_through_once(
    hall: Hall, a_request_for: Callable[..., JobRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    filled: list[Any] = []
    fill = Form.filled
    monkeypatch.setattr(Form, "filled", lambda self, given: (filled.append(given), fill(self, given))[1])
    many = [GivenValue(f"unknown {number}", "") for number in range(100)]

    job = hall.scheduling.submit(a_request_for([GREETING] * 50, GivenSet(GREET, many)), SYSTEM)

    assert first_values(job) == ["world"] * 50
    assert filled == [many]


def test_a_job_runs_no_more_than_can_be_shown(hall: Hall, a_request_for: Callable[..., JobRequest]) -> None:
    with pytest.raises(InvalidValue, match="names more than 1000 things to run") as caught:
        hall.scheduling.submit(a_request_for([GREETING] * (scheduling.MOST_WHAT + 1)), SYSTEM)
    assert caught.value.member == "What"
    assert len(hall.scheduling.submit(a_request_for([GREETING] * scheduling.MOST_WHAT), SYSTEM).what) == 1_000
