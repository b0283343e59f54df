"""M1: how many jobs can be scheduled by SOAP, each durable before it is acknowledged."""

from __future__ import annotations

from pathlib import Path

from bench import houses
from bench.figures import Figure, Series, Verdict, measure
from bench.houses import AGENT_ID, TWENTY_ID, Running
from bench.messages import schedule_job, twenty_values

_JOB_ID = r"JobID>([^<]+)<"


def run(directory: Path, pairs: int, seconds: float, cores: tuple[int, int]) -> Figure:
    """Measure ScheduleJob with 20 parameters and Basic authentication beside a Spyne echo, in turns.

    The agent is known and never comes: all jobs wait for it. In the end every acknowledged job must be stored, once.

    :raises RuntimeError: if one is lost or doubled.
    """
    ours, peer = Series("Dispatcher, durable, Basic auth"), Series("Spyne 2.14 echo on granian, no store")
    acknowledged: dict[str, str] = {}
    with (
        houses.dispatcher(directory / "m1", cores[0]) as house,
        houses.spyne_echo(directory / "m1-echo", cores[0]) as echo,
    ):
        submit, call = (schedule_job(one.target, TWENTY_ID, AGENT_ID, twenty_values()) for one in (house, echo))
        for turn in range(pairs + 1):
            first = turn * 10_000_000 // (pairs + 1)
            one, report = measure(house, submit, seconds, cores[1], collect=_JOB_ID, first_number=first)
            other, _ = measure(echo, call, seconds, cores[1], collect=_JOB_ID)
            acknowledged |= {job_id: f"bench {number:08}" for number, job_id in report.collected}
            if turn:  # the first turn only warms up
                ours.rounds.append(one)
                peer.rounds.append(other)
        sent = _check(house, acknowledged)
    times, p99 = ours.times(peer), ours.median("p99_ms")
    return Figure(
        "M1",
        "SOAP ScheduleJob: 20 parameters, Basic authentication, durable before the answer, 16 clients",
        [ours, peer],
        [
            Verdict("at least 3 times the Spyne echo per CPU second", f"{times:.2f} times", times >= 3),
            Verdict("p99 at most 10 ms", f"{p99:.1f} ms", p99 <= 10),
        ],
        [f"All {sent} acknowledged jobs are stored, none is lost and none doubled."],
    )


def _check(house: Running, acknowledged: dict[str, str]) -> int:
    stored = house.all_jobs()
    if stored != acknowledged:
        lost, extra = acknowledged.keys() - stored.keys(), stored.keys() - acknowledged.keys()
        raise RuntimeError(f"{len(lost)} jobs are lost, {len(extra)} were never acknowledged")
    return len(stored)
