"""The checker: finds broken promises in what clients, tasks and the server say. It shares no code with the product.

It is given three witnesses. The *history*: one JSON object a line, written by the clients (``submit``, ``read``).
The *effects*: one line for every beginning and every end of a task's work, written and synced by the task itself.
And the server's public API, over plain HTTP.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

COMPLETED, FAILED, CANCELLED = 4, 5, 7
#: Aborted, completed, failed, stopped, cancelled, completed with errors, skipped, timed out.
TERMINAL = frozenset({3, 4, 5, 6, 7, 8, 9, 11})
#: What a job that failed must say, unless its task failed by itself: that nobody knows what it did.
UNKNOWN = "outcome unknown"


@dataclass
class Submit:
    """What a client knows of one submit. ``effects`` are the texts that its tasks write, each once."""

    text: str
    outcome: str  #: acknowledged, refused or unknown (no answer came)
    job: str = ""
    repeatable: bool = False
    effects: list[str] = field(default_factory=list)


@dataclass
class Final:
    """What the server says of a job in the end."""

    state: int
    reasons: str  #: of the job, its runs and its tasks, in one text
    runs: int


@dataclass
class Verdict:
    """What was counted, and everything that must not be."""

    counts: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[str, str]] = field(default_factory=list)
    settled_in_s: float = 0.0

    def accuse(self, kind: str, what: str) -> None:
        """Note a violation: *kind* is lost, twice, zombie, false or changed."""
        self.violations.append((kind, what))

    def number(self, kind: str) -> int:
        """Return how many violations of a kind there are."""
        return sum(one == kind for one, _ in self.violations)


class Server:
    """The server's public API, read only."""

    def __init__(self, url: str) -> None:
        self._service = f"{url}/Dispatcher/SchedulingService"
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def state(self, job: str) -> int | None:
        """Return the state of a job; None if the server knows no such job.

        :raises OSError: if the server does not answer.
        """
        found = self._get(f"jobs/{job}")
        return None if found is None else int(found["Status"]["Type"])

    def final(self, job: str) -> Final | None:
        """Return what became of a job; None if the server knows no such job."""
        state = self.state(job)
        if state is None:
            return None
        document = self._get(f"jobs/{job}/results?overview=True&detailed=True")["Xml"]
        text = bytes(document).decode("utf-16-le")
        root = ElementTree.fromstring(text.partition("?>")[2])
        reasons = [one.text or "" for tag in ("reason", "details") for one in root.iter(tag)]
        return Final(state, "; ".join(filter(None, reasons)), len(root.findall("./masterjobresult/overview/agent")))

    def jobs(self) -> Iterator[tuple[str, str]]:
        """Give all jobs: id and description."""
        page = 1
        while True:
            found = self._get(f"jobs?page={page}") or {}
            for job in found["Items"]:
                yield job["JobID"], job["Description"]
            if page >= found["PageCount"]:
                return
            page += 1

    def _get(self, path: str) -> Any:
        request = urllib.request.Request(f"{self._service}/{path}", headers={"Accept": "application/json"})
        try:
            with self._opener.open(request, timeout=20) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code in (400, 404):
                return None
            raise


def read_submits(history: Path) -> list[Submit]:
    """Return the submits of a history, in order."""
    lines = map(json.loads, history.read_text().splitlines())
    known = Submit.__dataclass_fields__.keys()
    return [Submit(**{name: line[name] for name in known & line}) for line in lines if line["call"] == "submit"]


def read_states(history: Path) -> dict[str, list[int]]:
    """Return the states that clients have seen of each job, in order."""
    states: dict[str, list[int]] = defaultdict(list)
    for line in map(json.loads, history.read_text().splitlines()):
        if line["call"] == "read":
            states[line["job"]].append(line["state"])
    return states


def read_effects(effects: Path) -> tuple[Counter[str], Counter[str]]:
    """Return how often each text was begun, and how often it was ended."""
    begun: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    for line in effects.read_text().splitlines() if effects.exists() else []:
        text, kind = line.split()[:2]
        (begun if kind == "begin" else ended)[text] += 1
    return begun, ended


def wait_for_ends(server: Server, jobs: Iterable[str], history: Path, limit_s: float) -> tuple[float, list[str]]:
    """Wait until every job has ended; return after how many seconds, and those that have not by *limit_s*."""
    began = time.monotonic()
    left = list(jobs)
    with history.open("a") as log:
        while left:
            still = []
            for job in left:
                try:
                    state = server.state(job)
                except OSError:  # it may be on its way up again
                    still.append(job)
                    continue
                if state is not None:
                    log.write(json.dumps({"call": "read", "job": job, "state": state, "at": time.monotonic()}) + "\n")
                if state is not None and state not in TERMINAL:
                    still.append(job)
            left = still
            if time.monotonic() - began > limit_s:
                break
            time.sleep(0.1 if left else 0)
    return time.monotonic() - began, left


def check(url: str, history: Path, effects: Path, limit_s: float) -> Verdict:
    """Judge: wait until all is quiet, but at most *limit_s*, then compare what the three witnesses say."""
    verdict = Verdict()
    server = Server(url)
    submits = read_submits(history)
    stored = defaultdict(list)
    for job, description in server.jobs():
        stored[description].append(job)
    mine = [job for submit in submits for job in stored.get(submit.text, [])]
    verdict.settled_in_s, restless = wait_for_ends(server, mine, history, limit_s)
    begun, ended = read_effects(effects)
    states = read_states(history)
    for submit in submits:
        verdict.counts[submit.outcome] += 1
        _judge(verdict, submit, stored.get(submit.text, []), server, begun, ended)
    for job in restless:
        verdict.accuse("zombie", job)
    for job, seen in states.items():
        ends = [state for state in seen if state in TERMINAL]
        if ends and (len(set(ends)) > 1 or seen[seen.index(ends[0]) :] != ends):
            verdict.accuse("changed", f"{job} was {seen}")
    return verdict


def _judge(
    verdict: Verdict, submit: Submit, jobs: list[str], server: Server, begun: Counter[str], ended: Counter[str]
) -> None:
    """Compare what is known of one submit."""
    name = submit.text
    texts = submit.effects or [name]
    if submit.outcome == "refused" and (jobs or any(begun[text] for text in texts)):
        verdict.accuse("false", f"{name} was refused, and is there")
    if submit.outcome == "acknowledged" and submit.job not in jobs:
        verdict.accuse("lost", f"{name} was acknowledged as {submit.job}, and is not there")
    if len(jobs) > 1:
        verdict.accuse("twice", f"{name} became the jobs {jobs}")
    if not submit.repeatable:
        for text in texts:
            if begun[text] > max(1, len(jobs)):
                verdict.accuse("twice", f"{text} was begun {begun[text]} times")
    for job in jobs:
        final = server.final(job)
        if final is not None and final.state in TERMINAL:
            _judge_end(verdict, submit, texts, final, begun, ended)


def _judge_end(
    verdict: Verdict, submit: Submit, texts: list[str], final: Final, begun: Counter[str], ended: Counter[str]
) -> None:
    """Compare the recorded outcome of a job with what was really done."""
    name = submit.text
    if final.runs != 1:
        verdict.accuse("twice", f"{name} has {final.runs} outcomes on one agent")
    if final.state == COMPLETED:
        verdict.counts["completed"] += 1
        undone = [text for text in texts if not begun[text] or not ended[text]]
        if undone:
            verdict.accuse("false", f"{name} is completed, and {undone} was not done")
        if not submit.repeatable and any(ended[text] > 1 for text in texts):
            verdict.accuse("twice", f"{name} was done more than once")
    elif final.state == FAILED and UNKNOWN in final.reasons:
        verdict.counts["outcome unknown"] += 1
        if submit.repeatable:
            verdict.accuse("lost", f"{name} may be done again, and was given up: {final.reasons}")
    elif final.state == CANCELLED and not any(begun[text] for text in texts):
        verdict.counts["cancelled"] += 1
    else:
        verdict.accuse("lost", f"{name} ended as {final.state}, and nobody asked for that: {final.reasons}")
