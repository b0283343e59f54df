"""Builders of core values: each names only what matters to the test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from dispatcher.core.jobs import Invoker, Job, What, WhatKind, When, Who, WhoKind
from dispatcher.core.states import State

MODULE = What(UUID("5cf59e5a-343c-4d85-a83c-8b18e4731040"), "Patch", WhatKind.MODULE)
AGENT = Who(UUID("6ae2e5b5-d5c8-4728-a10a-12e25bd5f995"), "PC-042", WhoKind.AGENT, is_online=True, is_licensed=True)


@pytest.fixture
def a_job() -> Callable[..., Job]:
    job = Job(
        id=UUID("55d1e5fd-cd92-481e-abdb-62ed86288d1f"),
        number=7,
        description="Patch ring 1",
        state=State.COMPLETED,
        invoker=Invoker.USER,
        invoker_info="api",
        started_at=datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC),
        stopped_at=datetime(2025, 10, 9, 8, 54, 20, tzinfo=UTC),
        when=When(),
        what=[MODULE],
        who=[AGENT],
        parameters=[],
    )
    return lambda **members: replace(job, **members)
