"""M2: how many times a job can be read, by SOAP, in XML and in JSON; and what a page of 100 jobs costs.

The server remembers jobs that it has shown, so that there are two costs of a page: of one that is read again and again,
as consoles do, and of one with jobs that were not read lately.
"""

from __future__ import annotations

from pathlib import Path

from bench import houses, load
from bench.figures import Figure, Series, Verdict, answer_sizes, measure, verdicts_beside
from bench.houses import AGENT_ID, ONE_ID
from bench.messages import NUMBER, Target, get_job, schedule_job
from bench.peers import soap
from bench.submits import JOB_ID
from dispatcher.services.kept_jobs import KEPT

_PAGE = 100
#: Three times what the server remembers: who reads all pages, one after the other, finds nothing remembered.
_JOBS = 3 * KEPT
_XML, _JSON = "application/xml", "application/json"
#: How many times as much per CPU second as each peer is the goal; there is none for those that are not here.
_GOALS = {"php": 1.0, "spyne": 6.5}


def run(directory: Path, pairs: int, seconds: float, cores: tuple[int, int]) -> Figure:
    """Measure GetJob of a job of about 1 KB beside the peers, and GetJobs with 100 jobs, in turns."""
    ours = [Series(f"Dispatcher, {name}") for name in ("SOAP", "XML", "JSON")]
    pages = [Series(f"Dispatcher, page of {_PAGE} jobs, {name}") for name in ("SOAP", "XML", "JSON")]
    unread = [Series(f"Dispatcher, {_PAGE} jobs not read lately, {name}") for name in ("XML", "JSON")]
    with (
        houses.dispatcher(directory / "m2", cores[0]) as house,
        houses.spyne_echo(directory / "m2-echo", cores[0]) as echo,
        soap.present(directory / "m2-peers", cores[0]) as (others, notes),
    ):
        _fill(house)
        job_id = next(iter(house.all_jobs()))
        requests = _requests(house.target, job_id)
        below, last = f"jobs?pagesize={_PAGE}&page={NUMBER.decode()}", _JOBS // _PAGE
        every_page = [house.target.get(below, accept) for accept in (_XML, _JSON)]
        calls = [(echo, get_job(echo.target, job_id))]
        calls += [(peer, get_job(peer.target, _one_job(peer))) for peer in others.values()]
        peers = [Series("Spyne 2.14 echo on granian, no store", key="spyne")]
        peers += [Series(f"{soap.PEERS[key].name}, one row read", key=key) for key in others]
        for turn in range(pairs + 1):
            rounds = [measure(house, request, seconds, cores[1])[0] for request in requests]
            rounds += [measure(house, request, seconds, cores[1], last_number=last)[0] for request in every_page]
            rounds += [measure(peer, call, seconds, cores[1])[0] for peer, call in calls]
            if turn:  # the first one only warms up
                for series, one in zip([*ours, *pages, *unread, *peers], rounds, strict=True):
                    series.rounds.append(one)
    verdicts = [verdict for series in ours for verdict in verdicts_beside(series, peers, _GOALS)]
    for series in pages + unread:
        verdicts.append(Verdict(f"{series.name}: at most 3 ms CPU", f"{series.cpu_ms:.2f} ms", series.cpu_ms <= 3))
    notes.append(answer_sizes([*ours, *peers]))
    return Figure("M2", "GetJob of about 1 KB; GetJobs; 16 clients", [*ours, *peers, *pages, *unread], verdicts, notes)


def _requests(target: Target, job_id: str) -> list[bytes]:
    """Return what is asked for again and again: the job, then the first page, each by SOAP, in XML and in JSON."""
    below = f"jobs/{job_id.strip('{}')}"
    one = [get_job(target, job_id), target.get(below, _XML), target.get(below, _JSON)]
    page = target.post_soap("GetJobs", f"<pageSize>{_PAGE}</pageSize>")
    return [*one, page, *(target.get(f"jobs?pagesize={_PAGE}", accept) for accept in (_XML, _JSON))]


def _one_job(peer: houses.Running) -> str:
    """Schedule a job with one parameter; return its id."""
    request = schedule_job(peer.target, ONE_ID, AGENT_ID, {"Text": "hello"})
    return load.run(peer.target.port, request, 5, most=1, connections=1, collect=JOB_ID).collected[0][1]


def _fill(house: houses.Running) -> None:
    """Schedule at least ``_JOBS`` jobs."""
    request = schedule_job(house.target, ONE_ID, AGENT_ID, {"Text": "hello"})
    while house.read("jobs?pagesize=1")["TotalCount"] < _JOBS:
        load.run(house.target.port, request, 1)
