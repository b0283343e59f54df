"""M9: how long one job takes on thousands of agents, until every result is durable."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from uuid import UUID

from bench import crowd, houses, load, stored
from bench.crowd import Crowd, Members
from bench.figures import Figure, Round, Series, Verdict
from bench.houses import NOTHING_ID, Running
from bench.messages import schedule_team_job
from dispatcher.datastore.transactions import Datastore

#: How many agents the job is for.
AGENTS = 5_000
#: How many jobs are measured, one after the other.
JOBS = 3
_TEAM_ID = UUID("b0000000-0000-4000-8000-000000000050")
_PATIENCE_S = 300
_GOAL_S = 10.0


def run(directory: Path, agents: int) -> Figure:
    """Give a team of so many *agents* a job, several times, and wait for the last receipt of each.

    The agents are simulated: each has its two connections, polls and reports, but starts no process. All are there
    before the first job, as idle ones that wait.

    :raises RuntimeError: if an agent is refused or cut off, or a run is lost or doubled.
    """
    members: Members = []

    def prepare(datastore: Datastore) -> None:
        members.extend(crowd.lay(datastore, agents, _TEAM_ID))

    series = Series(f"Dispatcher, one job to {agents} agents")
    acknowledged: list[float] = []
    with houses.dispatcher(directory / "m9", None, prepare=prepare) as house:
        with Crowd(house.agents_port, members) as simulated:
            simulated.wait_until_all_wait(_PATIENCE_S)
            for number in range(1, JOBS + 1):
                used, accepted_s, total_s = _one(house, simulated, number * agents)
                acknowledged.append(accepted_s)
                series.rounds.append(Round(agents, 0, agents / total_s, agents / max(used, 0.01)))
            simulated.check()
        stored.check_done_once(house.directory, JOBS, JOBS * agents)
    seconds = [agents / one.per_second for one in series.rounds]
    return Figure(
        "M9",
        f"One job to {agents} agents at once, all results durable",
        [series],
        [Verdict(f"at most {_GOAL_S:g} s", f"{median(seconds):.1f} s", median(seconds) <= _GOAL_S)],
        [
            f"Each of {JOBS} jobs: {', '.join(f'{one:.1f} s' for one in seconds)}; "
            f"acknowledged after {', '.join(f'{one:.2f} s' for one in acknowledged)}.",
            f"All {JOBS * agents} runs were done, once; no agent was cut off.",
        ],
        unit="run",
    )


def _one(house: Running, simulated: Crowd, reported: int) -> tuple[float, float, float]:
    """Run one job until there are so many runs *reported*.

    :returns: the server's processor time, the time until the job was acknowledged, and until the last receipt.
    """
    simulated.wait_until_all_wait(_PATIENCE_S)
    before = house.server.cpu_s()
    request = schedule_team_job(house.target, NOTHING_ID, f"{{{_TEAM_ID}}}")
    report = load.run(house.target.port, request, _PATIENCE_S, most=1, connections=1)
    if report.errors or report.answers != 1:
        raise RuntimeError(f"the job was refused:\n{report.sample}")
    accepted_s = report.p50_ms / 1000
    # From the sending of the call on: the start of the process that sends it does not count.
    begun = time.time() - (time.perf_counter() - report.begun_at)
    tally = simulated.wait(lambda seen: seen.reported >= reported, _PATIENCE_S, f"{reported} runs are reported")
    return house.server.cpu_s() - before, accepted_s, tally.last_report_at - begun
