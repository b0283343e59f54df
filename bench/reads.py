"""M2: how many times a job can be read, by SOAP, in XML and in JSON; and what a page of 100 jobs costs.

The server remembers jobs that it has shown, so that there are two costs of a page: of one that is read again and again,
as consoles do, and of one with jobs that were not read lately.
"""

from __future__ import annotations

from pathlib import Path

from bench import houses, load
from bench.figures import Figure, Series, Verdict, measure
from bench.houses import AGENT_ID, ONE_ID
from bench.messages import NUMBER, get_job, schedule_job
from dispatcher.services.kept_jobs import KEPT

_PAGE = 100
#: Three times what the server remembers: who reads all pages, one after the other, finds nothing remembered.
_JOBS = 3 * KEPT
_XML, _JSON = "application/xml", "application/json"


def run(directory: Path, pairs: int, seconds: float, cores: tuple[int, int]) -> Figure:
    """Measure GetJob of a job of about 1 KB beside a Spyne echo, and GetJobs with 100 jobs, in turns."""
    peer = Series("Spyne 2.14 echo on granian, no store")
    ours = [Series(f"Dispatcher, {name}") for name in ("SOAP", "XML", "JSON")]
    pages = [Series(f"Dispatcher, page of {_PAGE} jobs, {name}") for name in ("SOAP", "XML", "JSON")]
    others = [Series(f"Dispatcher, {_PAGE} jobs not read lately, {name}") for name in ("XML", "JSON")]
    with (
        houses.dispatcher(directory / "m2", cores[0]) as house,
        houses.spyne_echo(directory / "m2-echo", cores[0]) as echo,
    ):
        _fill(house)
        job_id = next(iter(house.all_jobs()))
        below = f"jobs/{job_id.strip('{}')}"
        requests = [get_job(house.target, job_id), house.target.get(below, _XML), house.target.get(below, _JSON)]
        requests.append(house.target.post_soap("GetJobs", f"<pageSize>{_PAGE}</pageSize>"))
        requests += [house.target.get(f"jobs?pagesize={_PAGE}", accept) for accept in (_XML, _JSON)]
        below = f"jobs?pagesize={_PAGE}&page={NUMBER.decode()}"
        every_page = [house.target.get(below, accept) for accept in (_XML, _JSON)]
        call = get_job(echo.target, job_id)
        for turn in range(pairs + 1):
            rounds = [measure(house, request, seconds, cores[1])[0] for request in requests]
            rounds += [measure(house, request, seconds, cores[1], most=_JOBS // _PAGE)[0] for request in every_page]
            rounds.append(measure(echo, call, seconds, cores[1])[0])
            if turn:  # the first one only warms up
                for series, one in zip([*ours, *pages, *others, peer], rounds, strict=True):
                    series.rounds.append(one)
    verdicts = []
    for series in ours:
        times = series.times(peer)
        verdicts.append(
            Verdict(f"{series.name}: at least 6.5 times the Spyne echo", f"{times:.2f} times", times >= 6.5)
        )
    for series in pages + others:
        verdicts.append(Verdict(f"{series.name}: at most 3 ms CPU", f"{series.cpu_ms:.2f} ms", series.cpu_ms <= 3))
    return Figure("M2", "GetJob of about 1 KB; GetJobs; 16 clients", [*ours, peer, *pages, *others], verdicts)


def _fill(house: houses.Running) -> None:
    """Schedule at least ``_JOBS`` jobs."""
    request = schedule_job(house.target, ONE_ID, AGENT_ID, {"Text": "hello"})
    while house.read("jobs?pagesize=1")["TotalCount"] < _JOBS:
        load.run(house.target.port, request, 1)
