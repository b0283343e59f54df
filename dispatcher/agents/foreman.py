"""The foreman: the agent's main thread, which deals out runs to slots and keeps the spool.

Threads that call dispatchers hand what they hear to it; only it writes events and talks to slots. One ``sync`` of the
spool covers everything that has come in meanwhile; a task begins after the sync that covers its start. Results go to
the dispatcher at once and are on this disk with the next start, or soon after: lost with the power before either, they
make an unknown outcome.
"""

from __future__ import annotations

import logging
import operator
import selectors
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from uuid import UUID

from pydantic import TypeAdapter

from dispatcher.agents import processes, recovery, scratch
from dispatcher.agents.deadlines import END_S
from dispatcher.agents.holdings import Holdings
from dispatcher.agents.pipes import Bell, Inflow
from dispatcher.agents.protocol import Held, Message, RunEvent, RunFinished, RunOrder, RunStarted, TaskStarted, dump
from dispatcher.agents.rounds import Rounds
from dispatcher.agents.slot_messages import Abort, Do, Go
from dispatcher.agents.slot_process import Assignment, SlotProcess
from dispatcher.agents.spool import Spool, TakenTask
from dispatcher.core.ports import Now

log = logging.getLogger(__name__)

#: How many unconfirmed bytes the spool may hold before output is thrown away; everything else is always kept.
BACKLOG_BYTES = 1 << 28
#: How long the slots may take to end when the agent stops, in seconds.
STOP_TIMEOUT_S = END_S + 2.0
#: How often to look for room when the disk is full, in seconds.
FULL_DISK_PAUSE_S = 1.0
#: How many writes may wait for room before output is thrown away; everything else is always kept.
MAX_UNWRITTEN = 100
#: How long the end of a task may wait for a sync, in seconds: one for the next start usually comes first.
RESULT_SYNC_S = 0.05
#: How many slots may die with a run that had not begun before it is given up.
MAX_ATTEMPTS = 3
_EVENT: TypeAdapter[RunEvent] = TypeAdapter(RunEvent)
#: What is thrown away when there is no room. Of a fetched text the dispatcher sees by its digest that it is not whole.
_OUTPUT = (b'{"kind":"output"', b'{"kind":"fetched"')


class Foreman:
    """Runs what the dispatcher orders, in at most *slots* slots. Everything but ``post`` is for one thread."""

    def __init__(
        self,
        home: Path,
        slots: int,
        *,
        spool: Spool,
        holdings: Holdings,
        facts: dict[str, str],
        lock: int,
        now: Now,
        news: Callable[[bool], None],
        freed: Callable[[], None],
    ) -> None:
        self._home = home
        self._most_slots = slots
        self._spool = spool
        self._holdings = holdings
        self._facts = facts
        self._lock = lock
        self._now = now
        self._news = news
        self._freed = freed
        self._slots: list[SlotProcess] = []
        self._dead: list[SlotProcess] = []  #: whose run is still to be judged
        self._waiting: deque[Assignment] = deque()
        self._posted: deque[Callable[[], None]] = deque()
        self._unwritten: deque[Callable[[], None]] = deque()
        self._retry_at = 0.0
        self._sync_by: float | None = None
        self._after_sync: list[Callable[[], None]] = []
        self._has_news = False
        self._has_urgent_news = False
        self._stop_by: float | None = None
        self._rounds = Rounds()
        self._selector = selectors.DefaultSelector()
        self._bell = Bell()
        self._selector.register(self._bell, selectors.EVENT_READ, self._bell.silence)

    def post(self, work: Callable[[], None]) -> None:
        """Have *work* done by the foreman's thread, soon. May be called from any thread and from signal handlers."""
        self._posted.append(work)
        self._bell.ring()

    def end_on_signals(self) -> None:
        """Stop when the process is asked to end. Only in the main thread."""
        # A signal may reach another thread: the bell wakes this one whichever it is.
        self._bell.ring_on_signals()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.post(lambda: self.stop("the agent was stopped")))

    def end_with(self, descriptor: int) -> None:
        """Stop when *descriptor* is closed at its other end: this agent belongs to another process."""
        inflow = Inflow(descriptor)

        def read() -> None:
            if not inflow.read():
                self._selector.unregister(inflow)
                self.stop("the dispatcher that started this agent ended")

        self._selector.register(inflow, selectors.EVENT_READ, read)

    def serve(self) -> None:
        """Serve until ``stop``, then kill what runs, and return when that is reported or time is up."""
        self._start_slot()
        while not self._is_over():
            ready, late_s = self._rounds.begin(self._selector, self._timeout())
            for slot in self._slots:
                slot.put_off(late_s)
            for key, _ in ready:
                key.data()
            while self._posted:
                self._posted.popleft()()
            self._kill_late_slots()
            # While the disk is full nothing begins; a stop, an abort and the end of a run are heeded all the same.
            if self._write():
                self._assign()
            self._settle()
        for slot in list(self._slots):
            self._bury(slot)
        self._settle()
        self._succeeds(self._spool.sync)

    def stop(self, why: str) -> None:
        """Abort what runs and then end. What has not begun is left to the dispatcher."""
        if self._stop_by is not None:
            return
        log.info("agent.stopping reason=%r", why)
        self._stop_by = time.monotonic() + STOP_TIMEOUT_S
        self.give_up(why)

    def give_up(self, why: str) -> None:
        """Abort what runs, and report that for the reason *why*. What has not begun is left to the dispatcher."""
        while self._waiting:
            self._forget(self._waiting.popleft().order)
        for slot in [*self._slots, *self._dead]:
            self._abort(slot, why)

    def obey(self, runs: Sequence[RunOrder], aborts: Sequence[UUID], lost: Sequence[Held]) -> None:
        """Do *runs* that the holdings know already, abort *aborts*, and kill what is *lost* under that very fence."""
        for one in lost:
            self._lose(one.run_id, partial(operator.eq, one.fence))
        for order in runs:
            self._lose(order.run_id, partial(operator.ne, order.fence))
            if self._stop_by is None:
                self._waiting.append(Assignment(order))
        for run_id in aborts:
            self._abort_run(run_id)

    def _abort_run(self, run_id: UUID) -> None:
        for slot in [*self._slots, *self._dead]:
            if slot.assignment is not None and slot.assignment.order.run_id == run_id:
                self._abort(slot)
        for assignment in [one for one in self._waiting if one.order.run_id == run_id]:
            self._waiting.remove(assignment)
            order = assignment.order
            self._add(RunFinished(run_id=run_id, fence=order.fence, at=self._now(), state="aborted"))
            self._ended(order)

    def _lose(self, run_id: UUID, is_meant: Callable[[int], bool]) -> None:
        """Kill a run, if *is_meant* says so of its fence, and report nothing more of it."""

        def is_lost(assignment: Assignment) -> bool:
            return assignment.order.run_id == run_id and is_meant(assignment.order.fence)

        for slot in [*self._slots, *self._dead]:
            assignment = slot.assignment
            if assignment is not None and not assignment.is_lost and is_lost(assignment):
                log.warning("run.lost run_id=%s fence=%d", run_id, assignment.order.fence)
                assignment.is_lost = True
                self._forget(assignment.order)
                self._abort(slot)
        for waiting in [one for one in self._waiting if is_lost(one)]:
            self._waiting.remove(waiting)
            self._forget(waiting.order)

    def _forget(self, order: RunOrder) -> None:
        self._persist(lambda: self._spool.close_run(order.run_id))
        self._holdings.drop(order.run_id, order.fence)

    def _abort(self, slot: SlotProcess, why: str = "") -> None:
        if slot.assignment is not None:
            slot.assignment.abort()
            slot.send(Abort(run_id=slot.assignment.order.run_id, reason=why))

    def _assign(self) -> None:
        while self._waiting and self._stop_by is None:
            idle = next((slot for slot in self._slots if slot.assignment is None), None)
            if idle is None and len(self._slots) < self._most_slots:
                idle = self._start_slot()
            if idle is None:
                return
            self._give(idle, self._waiting.popleft())

    def _give(self, slot: SlotProcess, assignment: Assignment) -> None:
        """Have *slot* do a run. What is known to start goes to disk while the slot prepares it."""
        slot.assignment, order = assignment, assignment.order
        is_begun = _begins_with_a_task(order)
        slot.send(Do(order=order, facts=self._facts, is_begun=is_begun))
        log.debug("run.given run_id=%s fence=%d slot=%d", order.run_id, order.fence, slot.pid)
        if not assignment.attempts:
            events: list[Message] = [RunStarted(run_id=order.run_id, fence=order.fence, at=self._now())]
            if is_begun:
                first = order.tasks[0].position
                events.append(TaskStarted(run_id=order.run_id, fence=order.fence, position=first, at=self._now()))
            tasks = [TakenTask(task.name, task.repeatable) for task in order.tasks]
            self._persist(lambda: self._spool.take(order.run_id, order.fence, tasks, *map(dump, events)))
            self._has_news = True
        if is_begun:
            self._after_sync.append(lambda: self._go(slot, assignment, order.tasks[0].position))

    def _go(self, slot: SlotProcess, assignment: Assignment, position: int) -> None:
        # It may have died meanwhile: then nothing has begun, whatever was written down.
        if slot in self._slots and slot.send(Go(run_id=assignment.order.run_id, position=position)):
            assignment.begin(position)

    def _start_slot(self) -> SlotProcess:
        slot = SlotProcess.start(self._home, self._lock)
        self._slots.append(slot)
        self._selector.register(slot.events, selectors.EVENT_READ, lambda: self._listen(slot))
        return slot

    def _listen(self, slot: SlotProcess) -> None:
        events = slot.read()
        if events is None:
            self._bury(slot)
        elif slot.assignment is not None:
            self._heed(slot, slot.assignment, events)
        elif events:
            log.error("slot.confused pid=%d", slot.pid)

    def _heed(self, slot: SlotProcess, assignment: Assignment, lines: list[bytes]) -> None:
        is_swamped = self._is_swamped()
        kept = [line for line in lines if not (is_swamped and line.startswith(_OUTPUT))]
        if kept and not assignment.is_lost:
            self._persist(lambda: self._spool.add(*kept))
            self._has_news = True
        if not assignment.is_lost:
            assignment.announcer.hear(assignment.order, lines)
        for line in lines:
            if not line.startswith(_OUTPUT):
                self._follow(slot, assignment, _EVENT.validate_json(line))

    def _follow(self, slot: SlotProcess, assignment: Assignment, event: RunEvent) -> None:
        self._has_urgent_news = self._has_urgent_news or event.kind in ("task_finished", "run_finished")
        if event.kind == "task_finished":
            assignment.end()
        if isinstance(event, TaskStarted):
            position = event.position
            self._after_sync.append(lambda: self._go(slot, assignment, position))
        elif isinstance(event, RunFinished):
            log.info("run.ended run_id=%s state=%s", event.run_id, event.state)
            slot.assignment = None
            self._ended(assignment.order)

    def _is_swamped(self) -> bool:
        return self._spool.backlog > BACKLOG_BYTES or len(self._unwritten) > MAX_UNWRITTEN

    def _ended(self, order: RunOrder) -> None:
        self._has_news = self._has_urgent_news = True
        self._holdings.ended(order.run_id, order.fence)
        self._freed()

    def _kill_late_slots(self) -> None:
        """Kill the slots that stand still. They are buried when what they have told has been read."""
        # By the time at which this round began: slots are given what it has taken before they are judged by that.
        late = [slot for slot in self._slots if slot.end_by is not None and slot.end_by <= self._rounds.began_at]
        telling = [key.fileobj for key, _ in self._selector.select(0)] if late else []
        for slot in late:
            # What one has told meanwhile is read first.
            if slot.events not in telling and not slot.may_go_on():
                log.error("slot.late pid=%d", slot.pid)
                slot.kill_late()

    def _bury(self, slot: SlotProcess) -> None:
        """Make an end of a slot that has died or is not needed any more, and of all that it has left behind."""
        self._selector.unregister(slot.events)
        code = slot.end()
        self._slots.remove(slot)
        killed = processes.kill(time.sleep, spare=frozenset(other.pid for other in self._slots))
        scratch.discard_all(self._home, slot.pid)
        assignment = slot.assignment
        if assignment is not None:
            run_id = assignment.order.run_id
            names = processes.limited(killed.names)
            log.error("slot.died pid=%d code=%d run_id=%s killed=%s", slot.pid, code, run_id, names)
            assignment.killed += names
            # Afterwards, because what to say depends on what the spool has heard of the run.
            self._dead.append(slot)
            self._after_sync.append(lambda: self._cut_off(slot, assignment))

    def _cut_off(self, slot: SlotProcess, assignment: Assignment) -> None:
        """Begin a run whose slot has died again if nothing of it had begun; otherwise report its end."""
        self._dead.remove(slot)
        order = assignment.order
        run = self._spool.open_run(order.run_id)
        if run is None or assignment.is_lost:
            return
        assignment.attempts += 1
        if not (assignment.has_begun or assignment.is_aborted) and assignment.attempts < MAX_ATTEMPTS:
            self._waiting.appendleft(assignment)
            self._bell.ring()
            return
        for event in recovery.last_words_of(assignment, run, self._now()):
            self._add(event)
        self._ended(order)

    def _add(self, event: Message) -> None:
        self._persist(lambda: self._spool.add(dump(event)))

    def _settle(self) -> None:
        """Tell of what has been written, and sync it and do what waits for that; later if the disk is full."""
        while self._write() and (self._after_sync or self._has_news or self._is_sync_due()):
            if self._has_urgent_news:
                self._tell()
            if self._after_sync or self._is_sync_due():
                if not self._succeeds(self._spool.sync):
                    return
                self._sync_by = None
                done, self._after_sync = self._after_sync, []
                for action in done:
                    action()
            # Not before: the thread that delivers would compete with the start of a task.
            if self._has_news:
                self._tell()

    def _tell(self) -> None:
        is_urgent = self._has_urgent_news
        self._has_news = self._has_urgent_news = False
        if is_urgent and self._sync_by is None:
            self._sync_by = time.monotonic() + RESULT_SYNC_S
        self._news(is_urgent)

    def _is_sync_due(self) -> bool:
        return self._sync_by is not None and time.monotonic() >= self._sync_by

    def _persist(self, write: Callable[[], None]) -> None:
        """Do *write* when everything before it is written: now, unless the disk is full or broken."""
        self._unwritten.append(write)
        self._write()

    def _write(self) -> bool:
        """Write what waits for that, in order; return whether nothing is left."""
        while self._unwritten and self._succeeds(self._unwritten[0]):
            self._unwritten.popleft()
        return not self._unwritten

    def _succeeds(self, write: Callable[[], None]) -> bool:
        if time.monotonic() < self._retry_at:
            return False
        try:
            write()
        except OSError as error:
            log.error("spool.failed error=%s", error)
            self._retry_at = time.monotonic() + FULL_DISK_PAUSE_S
            return False
        return True

    def _timeout(self) -> float | None:
        """Return how long the foreman may sleep, in seconds; None if only news can wake it."""
        moments = [] if self._stop_by is None else [self._stop_by]
        if self._unwritten or self._after_sync or self._has_news:
            moments.append(self._retry_at)
        if self._sync_by is not None:
            moments.append(max(self._sync_by, self._retry_at))
        moments += [slot.end_by for slot in self._slots if slot.end_by is not None]
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _is_over(self) -> bool:
        if self._stop_by is None:
            return False
        is_done = not self._unwritten and all(slot.assignment is None for slot in self._slots)
        return is_done or time.monotonic() >= self._stop_by


def _begins_with_a_task(order: RunOrder) -> bool:
    """Whether nothing but an abort can keep the first task from starting: it has no condition to meet."""
    first = next(iter(order.tasks), None)
    return first is not None and first.condition is None and order.modules[first.module].condition is None
