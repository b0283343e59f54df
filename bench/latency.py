"""M6: how long it takes on an idle server from the acknowledgement of a job until its task starts."""

from __future__ import annotations

import http.client
import time
from pathlib import Path

from bench import houses
from bench.figures import Figure, Verdict
from bench.houses import STAMP_ID, Running
from bench.load import percentile
from bench.messages import schedule_job

#: How long the server is left alone between two jobs, in seconds.
PAUSE_S = 0.1
#: How long a task may take to start, in seconds, before the figure counts as failed.
START_S = 10


def run(directory: Path, samples: int) -> Figure:
    """Measure with one agent on the same computer; the task itself writes down when it has started.

    The first jobs are not counted. Nothing is pinned to a core: server, agent and task are as they would be.
    """
    with houses.dispatcher(directory / "m6", None, with_agent=True) as house:
        agent = _wait_for_agent(house)
        measured = [_one(house, agent, directory / "m6" / "stamps", number) for number in range(samples + 10)][10:]
    after_answer, after_call = ([1000 * pair[place] for pair in measured] for place in (0, 1))
    p50, p99 = (percentile(after_answer, share) for share in (50, 99))
    total50, total99 = (percentile(after_call, share) for share in (50, 99))
    return Figure(
        "M6",
        f"Idle server: from the acknowledgement of a job to the start of its task, {samples} jobs",
        verdicts=[
            Verdict("p50 at most 5 ms", f"{p50:.1f} ms", p50 <= 5),
            Verdict("p99 at most 10 ms", f"{p99:.1f} ms", p99 <= 10),
        ],
        notes=[
            f"From sending the call instead of from its answer: p50 {total50:.1f} ms, p99 {total99:.1f} ms.",
            "The start of /bin/sh and of date is included: the task writes its own time stamp.",
        ],
    )


def _one(house: Running, agent_id: str, stamps: Path, number: int) -> tuple[float, float]:
    """Schedule one job; return the seconds from its acknowledgement, and from its call, until its task started."""
    mark = f"mark-{number:06}"
    request = schedule_job(house.target, STAMP_ID, agent_id, {"Mark": mark, "File": str(stamps.resolve())})
    sent, answered = _exchange(house.target.port, request)
    started = _stamp(stamps, mark)
    time.sleep(PAUSE_S)
    return started - answered, started - sent


def _exchange(port: int, request: bytes) -> tuple[float, float]:
    """Send *request* and return when it was sent and when it was answered, in seconds of the computer's clock."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, path, _ = first.split(" ")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_S)
    connection.connect()
    sent = time.time()
    connection.request(method, path, body, dict(line.split(": ", 1) for line in lines))
    answer = connection.getresponse()
    content = answer.read()
    answered = time.time()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"the job was refused: {answer.status} {content[:500]!r}")
    return sent, answered


def _stamp(stamps: Path, mark: str) -> float:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        lines = stamps.read_text().splitlines() if stamps.exists() else []
        for line in reversed(lines):
            name, _, nanoseconds = line.partition(" ")
            if name == mark and len(nanoseconds) == 19:
                return int(nanoseconds) / 1e9
        time.sleep(0.02)
    raise RuntimeError(f"the task of {mark} has not started within {START_S} s")


def _wait_for_agent(house: Running) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for who in house.read("who?teams=false&online=true"):
            return str(who["ID"])
        time.sleep(0.2)
    raise RuntimeError("the local agent has not come online")
