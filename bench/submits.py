"""M1: how many jobs can be scheduled by SOAP, each durable before it is acknowledged."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bench import houses
from bench.figures import Figure, Series, Verdict, answer_sizes, measure, verdicts_beside
from bench.houses import AGENT_ID, TWENTY_ID, Running
from bench.messages import schedule_job, twenty_values
from bench.peers import soap

JOB_ID = r"JobID>([^<]+)<"
#: How many times as much per CPU second as each peer is the goal; there is none for those that are not here.
_GOALS = {"php": 1.5, "gsoap": 0.7, "spyne": 3.0}


def run(directory: Path, pairs: int, seconds: float, cores: tuple[int, int]) -> Figure:
    """Measure ScheduleJob with 20 parameters and Basic authentication beside the peers, in turns.

    The agent is known and never comes: all jobs wait for it. In the end every acknowledged job must be stored,
    once, by us and by the peers that store any.

    :raises RuntimeError: if one is lost or doubled.
    """
    with (
        houses.dispatcher(directory / "m1", cores[0]) as house,
        houses.spyne_echo(directory / "m1-echo", cores[0]) as echo,
        soap.present(directory / "m1-peers", cores[0]) as (others, notes),
    ):
        ours = _Contestant(Series("Dispatcher, durable, Basic auth"), house)
        peers = [_Contestant(Series("Spyne 2.14 echo on granian, no store", key="spyne"), echo)]
        for key, peer in others.items():
            peers.append(_Contestant(Series(f"{soap.PEERS[key].name}, one durable row", key=key), peer))
        for turn in range(pairs + 1):
            for contestant in (ours, *peers):
                contestant.take(turn, turn * 10_000_000 // (pairs + 1), seconds, cores[1])
        notes.append(_check(ours, house.all_jobs()))
        notes += [_check(one, soap.all_jobs(one.running)) for one in peers if one.series.key in others]
    series = [one.series for one in peers]
    p99 = ours.series.median("p99_ms")
    verdicts = verdicts_beside(ours.series, series, _GOALS)
    return Figure(
        "M1",
        "SOAP ScheduleJob: 20 parameters, Basic authentication, durable before the answer, 16 clients",
        [ours.series, *series],
        [*verdicts, Verdict("p99 at most 10 ms", f"{p99:.1f} ms", p99 <= 10)],
        [*notes, answer_sizes([ours.series, *series])],
    )


@dataclass(slots=True)
class _Contestant:
    """One of those that take turns, and the description of each job that it has acknowledged, by the job's id."""

    series: Series
    running: Running
    acknowledged: dict[str, str] = field(default_factory=dict)

    def take(self, turn: int, first: int, seconds: float, core: int) -> None:
        """Take a turn with jobs that are numbered from *first* on; that of turn 0 only warms up."""
        call = schedule_job(self.running.target, TWENTY_ID, AGENT_ID, twenty_values())
        taken, report = measure(self.running, call, seconds, core, collect=JOB_ID, first_number=first)
        self.acknowledged |= {job_id: f"bench {number:08}" for number, job_id in report.collected}
        if turn:
            self.series.rounds.append(taken)


def _check(one: _Contestant, stored: dict[str, str]) -> str:
    if stored != one.acknowledged:
        lost, extra = one.acknowledged.keys() - stored.keys(), stored.keys() - one.acknowledged.keys()
        raise RuntimeError(f"{one.series.name}: {len(lost)} jobs are lost, {len(extra)} were never acknowledged")
    return f"{one.series.name}: all {len(stored)} acknowledged jobs are stored, none is lost and none doubled."
