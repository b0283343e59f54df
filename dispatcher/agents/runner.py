"""The agent: enrols once, then runs what its dispatcher orders, until it is asked to end.

Four threads: the poller waits for orders, the delivery reports, the watch looks who is at the console, the foreman
(the main thread) does everything else.
Tasks run below child processes, the slots.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from dispatcher.agents import identity, peers, premises, processes, recovery
from dispatcher.agents.connection import Connection, Refused
from dispatcher.agents.console import Watch, read_session
from dispatcher.agents.content import CACHE_BYTES
from dispatcher.agents.delivery import Delivery
from dispatcher.agents.facts import read_facts, task_facts, with_console
from dispatcher.agents.foreman import Foreman
from dispatcher.agents.holdings import Holdings
from dispatcher.agents.identity import StoredIdentity
from dispatcher.agents.poller import Poller
from dispatcher.agents.premises import Premises
from dispatcher.agents.protocol import Enrol, Facts, Held, RunOrder, dump
from dispatcher.agents.scratch import SCRATCH, discard
from dispatcher.agents.spool import Spool
from dispatcher.agents.task_run import WORK
from dispatcher.core.console import Console
from dispatcher.core.errors import InvalidValue
from dispatcher.core.networks import PRIVATE, Networks
from dispatcher.core.ports import Now
from dispatcher.tasks import outputs

log = logging.getLogger(__name__)

STOPPED = 0
#: The exit code when no dispatcher accepts the agent.
REFUSED = 4
#: The exit code after an error of the agent itself.
CRASHED = 70
#: How long the agent goes on reporting after its last task has ended, in seconds.
LAST_REPORT_S = 5.0
#: How long runs go on while no dispatcher answers, unless the agent is told otherwise, in seconds.
HOLD_S = 2_400.0


@dataclass(slots=True)
class AgentSettings:
    """What an agent has to be told."""

    dispatchers: list[str]  #: URLs, in the order they are tried
    name: str
    home: Path  #: identity, spool and working directory; made if missing
    enrol_token: str = ""  #: not needed once the home holds an identity; a local agent replaces that
    agent_id: UUID | None = None  #: the entry to take over that was made before it enrolled
    slots: int = 2  #: how many runs at a time
    local: bool = False  #: end when standard input ends: the agent is the child of a server
    facts: Mapping[str, str] = field(default_factory=dict)  #: more facts for team rules and ``@[Name]``
    ca_file: str | None = None  #: certificates to trust instead of the usual ones
    pin: str = ""  #: a PEM file with the only certificate to accept, whatever it says
    allowed_targets: Sequence[str] = PRIVATE  #: networks that tasks may call
    allow_power: bool = False  #: whether tasks may restart this computer or switch it off
    cache_bytes: int = CACHE_BYTES  #: how much of what tasks download is kept
    hold_s: float = HOLD_S  #: how long runs go on while no dispatcher answers


def run(settings: AgentSettings, now: Now) -> int:
    """Run an agent until it is asked to end (SIGTERM, SIGINT); return its exit code.

    An agent that cannot reach a dispatcher goes on trying.

    :raises InvalidValue: if no dispatcher is known.
    :raises ValueError: if the stored identity is damaged.
    """
    home = settings.home.absolute()
    (home / WORK).mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _lock(home)
    try:
        return _Agent(settings, home, lock, now).run()
    finally:
        os.close(lock)


def enrol(settings: AgentSettings, now: Now) -> int:
    """Enrol an agent that has not done so, and do nothing else; return the exit code. Each dispatcher is asked once.

    :raises Refused: if a dispatcher does not accept the agent.
    :raises Unavailable: if none answers.
    :raises ValueError: if the stored identity is damaged.
    """
    home = settings.home.absolute()
    (home / WORK).mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _lock(home)
    try:
        if identity.load(home) is None:
            watch = Watch(read_session, now)
            watch.look()
            facts = read_facts(settings.dispatchers[0], settings.facts, watch.seen)
            _enrol(settings, home, Connection(settings.dispatchers, settings.ca_file, settings.pin, home), facts)
        return STOPPED
    finally:
        os.close(lock)


def _enrol(settings: AgentSettings, home: Path, connection: Connection, facts: Facts) -> StoredIdentity:
    message = Enrol(token=settings.enrol_token, name=settings.name, agent_id=settings.agent_id, facts=facts)
    given = connection.enrol(message)
    known = StoredIdentity(
        agent_id=given.agent_id, secret=given.secret, name=settings.name, dispatchers=settings.dispatchers
    )
    identity.save(home, known)
    log.info("agent.enrolled agent_id=%s name=%r", known.agent_id, known.name)
    return known


class _Agent:
    def __init__(self, settings: AgentSettings, home: Path, lock: int, now: Now) -> None:
        processes.become_subreaper()
        self._settings = settings
        self._home = home
        self._exit_code = STOPPED
        self._spool = Spool(home / "spool.log")
        _clear(home, self._spool)
        holdings = Holdings(settings.slots, _recover(self._spool, now))
        self._identity = self._known()
        self._dispatchers = settings.dispatchers or (self._identity.dispatchers if self._identity else [])
        if not self._dispatchers:
            raise InvalidValue("dispatchers", "the URL of at least one is needed")
        premises.save(home, _premises(settings, self._dispatchers))
        self._watch = Watch(read_session, now)
        self._watch.look()
        self._facts = facts = read_facts(self._dispatchers[0], settings.facts, self._watch.seen)
        self._reporting = self._connection()
        self._foreman = Foreman(
            home,
            settings.slots,
            spool=self._spool,
            holdings=holdings,
            facts=task_facts(settings.name, facts),
            lock=lock,
            now=now,
            news=lambda is_urgent: self._delivery.news(is_urgent=is_urgent),
            freed=lambda: self._poller.slot_freed(),
        )
        self._poller = self._new_poller(holdings)
        self._delivery = Delivery(
            self._reporting,
            self._spool,
            holdings,
            standing=lambda aborts, lost: self._obey([], aborts, lost),
            refused=self._refused,
            forsaken=self._forsaken,
            hold_s=settings.hold_s,
        )

    def _new_poller(self, holdings: Holdings) -> Poller:
        networks = Networks.parse(self._settings.allowed_targets)
        return Poller(
            self._connection(),
            holdings,
            self._facts,
            enrol=self._identify,
            heard=self._obey,
            refused=self._refused,
            wake=lambda macs: peers.wake(networks, macs),
        )

    def _known(self) -> StoredIdentity | None:
        # A server gives its own agent a token only if the stored identity is not, or no longer, of use.
        is_new = self._settings.local and self._settings.enrol_token
        return None if is_new else identity.load(self._home)

    def _connection(self) -> Connection:
        return Connection(self._dispatchers, self._settings.ca_file, self._settings.pin, self._home)

    def _obey(self, runs: list[RunOrder], aborts: list[UUID], lost: list[Held]) -> None:
        self._foreman.post(lambda: self._foreman.obey(runs, aborts, lost))

    def run(self) -> int:
        """Run until the end; return the exit code."""
        threading.excepthook = self._crashed
        self._foreman.end_on_signals()
        if self._settings.local:
            self._foreman.end_with(sys.stdin.fileno())
        self._poller.start()
        self._watch.look_for_ever(self._tell)
        self._foreman.serve()
        self._poller.stop()
        self._delivery.stop(LAST_REPORT_S)
        self._spool.close()
        log.info("agent.stopped")
        return self._exit_code

    def _identify(self, connection: Connection) -> StoredIdentity:
        """Return the stored identity, or enrol and store it; the delivery may begin then."""
        known = self._identity or _enrol(self._settings, self._home, connection, self._facts)
        self._reporting.identify(known.agent_id, known.secret)
        self._delivery.start()
        return known

    def _tell(self, console: Console) -> None:
        self._facts = with_console(self._facts, console)
        self._poller.tell(self._facts)

    def _refused(self, error: Refused) -> None:
        log.error("agent.refused error=%s", error.message)
        self._exit_code = REFUSED
        self._foreman.post(lambda: self._foreman.stop("no dispatcher accepts this agent"))

    def _forsaken(self) -> None:
        seconds = self._settings.hold_s
        why = f"no dispatcher for {seconds / 60:.0f} min" if seconds >= 120 else f"no dispatcher for {seconds:.0f} s"
        self._foreman.post(lambda: self._foreman.give_up(why))

    def _crashed(self, crash: threading.ExceptHookArgs) -> None:
        """End rather than go on without one of the threads: whoever started the agent starts it again."""
        if crash.exc_value is not None:
            log.critical("agent.crashed", exc_info=crash.exc_value)
        self._exit_code = CRASHED
        self._foreman.post(lambda: self._foreman.stop("the agent crashed"))


def _premises(settings: AgentSettings, dispatchers: list[str]) -> Premises:
    """Return what tasks may use; an error in it shows now and not in the first task."""
    Networks.parse(settings.allowed_targets)
    return Premises(
        dispatchers=dispatchers,
        ca_file=settings.ca_file,
        pin=settings.pin,
        allowed_targets=list(settings.allowed_targets),
        allows_power=settings.allow_power,
        cache_bytes=settings.cache_bytes,
    )


def _clear(home: Path, spool: Spool) -> None:
    """Put away what an agent that was killed has left: processes whose slot was killed too, and their files."""
    if spool.open_runs():
        killed = processes.kill_marked(outputs.VARIABLE, str(home / SCRATCH))
        log.warning("agent.was_killed left_running=%s survivors=%s", killed.names, killed.survivors)
    # What a run has made undeletable keeps no agent from starting: its name is not used again.
    discard(home / SCRATCH)


def _recover(spool: Spool, now: Now) -> dict[UUID, int]:
    """End the runs that an earlier agent did not finish; return run and fence of those whose ends are to be reported.

    No others: the dispatcher would wait for the end of what is named to it for ever.
    """
    ended = spool.unconfirmed_ends()
    for run in spool.open_runs():
        if recovery.is_harmless(run):
            # Nothing is said: the lease ends, and the dispatcher orders it again.
            spool.close_run(run.run_id)
            continue
        log.warning("run.cut_off run_id=%s", run.run_id)
        for event in recovery.last_words(run, "the agent stopped", now()):
            spool.add(dump(event))
        ended[run.run_id] = run.fence
    spool.sync()
    return ended


def _lock(home: Path) -> int:
    """Wait until this process has *home* for itself; return the descriptor that holds it.

    The slots inherit it: an agent that follows a killed one waits until those have killed what they ran.
    """
    descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("agent.waiting home=%s reason='another agent uses it'", home)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor
