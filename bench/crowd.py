"""Crowds: agents by the thousand, laid in a datastore directly, and the process that simulates them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from types import TracebackType
from uuid import UUID

from sqlalchemy import insert

from bench.simulated import Spec, Tally
from dispatcher.datastore import revisions
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.teams import Team, TeamMember
from dispatcher.datastore.transactions import Datastore
from dispatcher.real_ports import new_id, now

#: How often a crowd is asked how far it is, in seconds.
ASK_EVERY_S = 0.02
#: How many faults of a crowd are shown.
_SHOWN = 5

Members = list[tuple[str, str]]


def lay(datastore: Datastore, count: int, team_id: UUID | None = None) -> Members:
    """Store *count* enrolled agents, all in the team *team_id* if there is one; return their ids and secrets.

    Enrolment one by one is not what is measured here: it would take a commit each.
    """
    members = [(new_id(), f"bench-secret-{number:08}") for number in range(count)]
    updated = {"updated_at": now(), "updated_by": "bench"}
    common = {**updated, "enrolled_at": now(), "os": "linux"}
    rows = [
        {"id": key, "name": f"SIM-{number:05}", "secret_hash": hashlib.sha256(secret.encode()).digest(), **common}
        for number, (key, secret) in enumerate(members)
    ]
    with datastore.begin() as session:
        session.execute(insert(Agent), rows)
        if team_id is not None:
            session.add(Team(id=team_id, name="SIMULATED", description="", enabled=True, **updated))
            session.flush()
            session.execute(insert(TeamMember), [{"team_id": team_id, "agent_id": key} for key, _ in members])
        revisions.bump(session, revisions.TOPOLOGY)
    return [(str(key), secret) for key, secret in members]


class Crowd:
    """The process that simulates *members* on one gateway. A context manager: it ends with it.

    :raises RuntimeError: from every method, if the process has ended.
    """

    def __init__(self, port: int, members: Members, slots: int = 2) -> None:
        self._size = len(members)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.simulated"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._write(json.dumps(asdict(Spec(port, members, slots))))

    def __enter__(self) -> Crowd:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def tally(self) -> Tally:
        """Return what the agents have seen so far."""
        self._write("tell")
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the simulated agents have ended")
        return Tally(**json.loads(line))

    def wait_until_all_wait(self, seconds: float) -> None:
        """Return when every agent's poll is under way.

        :raises RuntimeError: if that takes longer than *seconds*.
        """
        self.wait(lambda tally: tally.waiting >= self._size, seconds, "polls wait")

    def wait(self, is_reached: Callable[[Tally], bool], seconds: float, what: str) -> Tally:
        """Return the first tally that *is_reached* accepts.

        :raises RuntimeError: if that takes longer than *seconds*; *what* says what was waited for.
        """
        deadline = time.monotonic() + seconds
        while not is_reached(tally := self.tally()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"not in {seconds:.0f} s: {what}: {tally}")
            time.sleep(ASK_EVERY_S)
        return tally

    def check(self) -> Tally:
        """Return the tally.

        :raises RuntimeError: if an agent was refused, lost its connection, or was given a run twice.
        """
        tally = self.tally()
        if tally.faults or tally.doubled or tally.reconnects:
            shown = "\n".join(tally.samples[:_SHOWN])
            raise RuntimeError(
                f"{tally.faults} faults, {tally.doubled} runs twice, {tally.reconnects} cut connections:\n{shown}"
            )
        return tally

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError("the simulated agents have ended") from None
