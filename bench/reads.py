"""M2: how many times a job can be read, by SOAP, in XML and in JSON; and what a page of 100 jobs costs."""

from __future__ import annotations

from pathlib import Path

from bench import houses, load
from bench.figures import Figure, Series, Verdict, measure
from bench.houses import AGENT_ID, ONE_ID
from bench.messages import get_job, schedule_job

_JOBS = 100
_XML, _JSON = "application/xml", "application/json"


def run(directory: Path, pairs: int, seconds: float, cores: tuple[int, int]) -> Figure:
    """Measure GetJob of a job of about 1 KB beside a Spyne echo, and GetJobs with 100 jobs, in turns."""
    peer = Series("Spyne 2.14 echo on granian, no store")
    ours = [Series(f"Dispatcher, {name}") for name in ("SOAP", "XML", "JSON")]
    pages = [Series(f"Dispatcher, page of {_JOBS} jobs, {name}") for name in ("XML", "JSON")]
    with (
        houses.dispatcher(directory / "m2", cores[0]) as house,
        houses.spyne_echo(directory / "m2-echo", cores[0]) as echo,
    ):
        _fill(house)
        job_id = next(iter(house.all_jobs()))
        below = f"jobs/{job_id.strip('{}')}"
        requests = [get_job(house.target, job_id), house.target.get(below, _XML), house.target.get(below, _JSON)]
        requests += [house.target.get(f"jobs?pagesize={_JOBS}", accept) for accept in (_XML, _JSON)]
        call = get_job(echo.target, job_id)
        for turn in range(pairs + 1):
            others, _ = measure(echo, call, seconds, cores[1])
            for series, request in zip(ours + pages, requests, strict=True):
                one, _ = measure(house, request, seconds, cores[1])
                if turn:  # the first turn only warms up
                    series.rounds.append(one)
            if turn:
                peer.rounds.append(others)
    verdicts = []
    for series in ours:
        times = series.times(peer)
        verdicts.append(
            Verdict(f"{series.name}: at least 6.5 times the Spyne echo", f"{times:.2f} times", times >= 6.5)
        )
    for series in pages:
        verdicts.append(Verdict(f"{series.name}: at most 3 ms CPU", f"{series.cpu_ms:.2f} ms", series.cpu_ms <= 3))
    return Figure("M2", "GetJob of about 1 KB; GetJobs; 16 clients", [*ours, peer, *pages], verdicts)


def _fill(house: houses.Running) -> None:
    """Schedule at least as many jobs as make a page."""
    request = schedule_job(house.target, ONE_ID, AGENT_ID, {"Text": "hello"})
    while house.read("jobs?pagesize=1")["TotalCount"] < _JOBS:
        load.run(house.target.port, request, 0.2, connections=4)
