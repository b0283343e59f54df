"""A job that was really done is multiplied, and whatever is lost or doubled afterwards is found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench import growth, history, stored
from bench.history import History
from dispatcher.core.jobs import Stage
from dispatcher.core.permissions import SYSTEM
from dispatcher.real_ports import now


@pytest.fixture
def done(tmp_path: Path) -> Iterator[History]:
    with history.opened(tmp_path / "house") as opened:
        history.multiply(opened, opened.first, 9, now())
        yield opened


def test_copies_are_jobs_like_any_other(done: History) -> None:
    page = done.hall.jobs.page(Stage.HISTORY, True, True, 1, 100, SYSTEM)

    assert page.total == len({job.id for job in page.items}) == 10
    assert page.items == sorted(page.items, key=lambda job: job.started_at, reverse=True)
    stored.check_done_once(done.directory, 10, 10)


def test_copies_of_a_job_that_waits_can_be_claimed_and_done(done: History) -> None:
    agent_id = done.agent_ids[1]
    waiting = done.submit(agent_id)
    history.multiply(done, waiting.id, history.AGENTS, now())

    runs = done.claim(agent_id, 10)
    done.complete(agent_id, runs)

    assert len(runs) == 2  # its own and one of the copies, which are for all agents in turn


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM task_result WHERE run_id = (SELECT id FROM run LIMIT 1)",
        "UPDATE run SET attempt = 2 WHERE id = (SELECT id FROM run LIMIT 1)",
        "UPDATE job SET state = 6 WHERE id = (SELECT id FROM job LIMIT 1)",
    ],
    ids=["lost result", "second attempt", "failed job"],
)
def test_what_is_not_done_once_is_found(done: History, statement: str) -> None:
    with closing(sqlite3.connect(done.directory / "bench.db")) as connection:
        connection.execute(statement)
        connection.commit()

    with pytest.raises(RuntimeError, match="should be done once"):
        stored.check_done_once(done.directory, 10, 10)


def test_a_job_too_many_is_found(done: History) -> None:
    with pytest.raises(RuntimeError, match="should be done once"):
        stored.check_done_once(done.directory, 9, 9)


def test_growth_is_measured_for_every_kind_of_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "TURN_S", 0.005)
    monkeypatch.setattr(growth, "ACTIVE", 3)

    figure = growth.run(tmp_path, 1, 20, 40, 150)

    assert len(figure.series) == 2 * len(figure.verdicts) == 24
    assert all(series.median("per_cpu_second") > 0 for series in figure.series)
