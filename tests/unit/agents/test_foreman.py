"""The foreman: what is on disk when, and what becomes of a run whose slot dies before it has begun."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import psutil
import pytest

from dispatcher.agents import deadlines, processes, rounds, slot_process
from dispatcher.agents import foreman as foreman_module
from dispatcher.agents.foreman import Foreman
from dispatcher.agents.holdings import Holdings
from dispatcher.agents.protocol import Held, RunOrder
from dispatcher.agents.slot_process import Assignment, SlotProcess
from dispatcher.agents.spool import Spool


class Journal(Spool):
    """A spool that notes when something is told and when it is synced. *before_sync* is called first."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.steps: list[str] = []
        self.before_sync: Callable[[], object] = lambda: None

    def sync(self) -> None:
        self.before_sync()
        super().sync()
        self.steps.append(f"sync {len(self.batch(1 << 20, 100).events)}")

    def kinds(self) -> list[str]:
        return [event.split(b'"')[3].decode() for event in self.batch(1 << 20, 100).events]


@pytest.fixture
def spool(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "spool.log")


@pytest.fixture
def foreman(tmp_path: Path, spool: Journal, monkeypatch: pytest.MonkeyPatch):
    """A foreman that serves up to the end of a run that is told of, and for a sync more."""
    # An agent's process has no other children than its slots; this one may have database servers.
    kill, others = processes.kill, frozenset(child.pid for child in psutil.Process().children())
    monkeypatch.setattr(processes, "kill", lambda wait, spare: kill(wait, spare=spare | others))

    def news(is_urgent: bool) -> None:
        spool.steps.append(f"news {is_urgent}")
        if "run_finished" in spool.kinds():
            foreman.post(lambda: foreman.stop("done"))

    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    (tmp_path / "work").mkdir()
    foreman = Foreman(
        tmp_path,
        1,
        spool=spool,
        holdings=Holdings(1, {}),
        facts={},
        lock=lock,
        now=lambda: datetime.now(UTC),
        news=news,
        freed=lambda: None,
    )

    yield foreman
    os.close(lock)


@pytest.fixture
def serve(foreman: Foreman):
    """Has an order done."""

    def do(order: RunOrder) -> None:
        foreman.post(lambda: foreman.obey([order], [], []))
        foreman.serve()

    return do


def mortal(monkeypatch: pytest.MonkeyPatch, deaths: int) -> list[SlotProcess]:
    """Let the first slots die as soon as they have been told of a run; return all slots as they are started."""
    started: list[SlotProcess] = []
    begin = SlotProcess.start

    def start(home: Path, keep_open: int) -> SlotProcess:
        if len(started) < deaths:
            command = ["/bin/sh", "-c", "read line"]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
            started.append(SlotProcess(process))
        else:
            started.append(begin(home, keep_open))
        return started[-1]

    monkeypatch.setattr(SlotProcess, "start", start)
    return started


def test_start_is_on_disk_before_the_task_begins(serve, spool: Journal, an_order, tmp_path: Path) -> None:
    begun: list[bool] = []
    spool.before_sync = lambda: begun.append((tmp_path / "begun").exists())
    serve(an_order(f"touch {tmp_path}/begun"))
    assert spool.steps[0] == "sync 2"
    assert begun[0] is False
    assert spool.kinds() == ["run_started", "task_started", "task_finished", "run_finished"]


def test_end_is_told_of_at_once_and_on_disk_soon_after(serve, spool: Journal, an_order) -> None:
    serve(an_order("true"))
    assert "sync 4" not in spool.steps[: spool.steps.index("news True")]
    assert spool.steps[-1] == "sync 4"


def test_first_task_that_has_a_condition_starts_when_its_slot_says_so(serve, spool: Journal, an_order) -> None:
    serve(an_order({"settings": {"command": "true"}, "condition": {"rule": "false"}}))
    assert spool.kinds() == ["run_started", "task_finished", "run_finished"]


@pytest.mark.parametrize(("deaths", "state"), [(2, "completed"), (3, "failed")])
def test_run_whose_slot_dies_before_it_can_begin_is_tried_again(
    serve, spool: Journal, an_order, monkeypatch, deaths, state
) -> None:
    slots = mortal(monkeypatch, deaths)
    spool.before_sync = lambda: [slot.process.wait(10) for slot in slots[:deaths]]
    serve(an_order("true"))
    assert spool.kinds() == ["run_started", "task_started", "task_finished", "run_finished"]
    end = spool.batch(1 << 20, 100).events[-1].decode()
    assert f'"state":"{state}"' in end
    assert ("the slot died before anything had started" in end) is (state == "failed")


@pytest.fixture(params=["_bury", "_cut_off"])
def meanwhile(request, monkeypatch: pytest.MonkeyPatch, foreman: Foreman, spool: Journal):
    """Has something posted when the first slot has died before its run began: before that is judged, or during it."""
    slots = mortal(monkeypatch, 1)
    spool.before_sync = lambda: slots[0].process.wait(10)
    step = getattr(foreman, request.param)

    def arrange(work: Callable[[], None]) -> None:
        def posting(*arguments: object) -> None:
            foreman.post(work)
            step(*arguments)

        monkeypatch.setattr(foreman, request.param, posting)

    return arrange


def test_run_that_is_lost_when_its_slot_has_died_is_not_done(
    serve, foreman: Foreman, spool: Journal, meanwhile, an_order, tmp_path: Path
) -> None:
    order, other = an_order(f"touch {tmp_path}/begun"), an_order("true")
    meanwhile(lambda: foreman.obey([other], [], [Held(run_id=order.run_id, fence=order.fence)]))
    serve(order)
    assert not (tmp_path / "begun").exists()
    assert spool.open_runs() == []


def test_run_that_is_ordered_anew_when_its_slot_has_died_is_done_once(
    serve, foreman: Foreman, meanwhile, an_order, tmp_path: Path
) -> None:
    order = an_order(f"echo old >> {tmp_path}/begun")
    newer = an_order(f"echo new >> {tmp_path}/begun", run_id=order.run_id, fence=2)
    meanwhile(lambda: foreman.obey([newer], [], []))
    serve(order)
    assert (tmp_path / "begun").read_text() == "new\n"


def test_run_that_is_aborted_when_its_slot_has_died_is_not_done(
    serve, foreman: Foreman, spool: Journal, meanwhile, an_order, tmp_path: Path
) -> None:
    order = an_order(f"touch {tmp_path}/begun")
    meanwhile(lambda: foreman.obey([], [order.run_id], []))
    serve(order)
    assert not (tmp_path / "begun").exists()
    assert '"state":"aborted"' in spool.batch(1 << 20, 100).events[-1].decode()


def test_what_a_dead_slot_had_in_its_directory_goes_with_it(serve, an_order, tmp_path: Path) -> None:
    serve(an_order('echo left > "$(dirname "$DISPATCHER_OUTPUT")/file"; kill -9 $PPID; sleep 60'))
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("how", ["aborted", "timed_out"])
def test_slot_that_its_task_has_stopped_is_killed_when_it_should_be_done(
    serve, foreman: Foreman, spool: Journal, an_order, monkeypatch, when_begun, how
) -> None:
    for module in (deadlines, slot_process):
        monkeypatch.setattr(module, "END_S", 0.1)
    monkeypatch.setattr(slot_process, "STOPPED_S", 0.1)
    slots = mortal(monkeypatch, 0)
    limit = {"timeout_s": 1} if how == "timed_out" else {}
    order = an_order({"settings": {"command": "kill -STOP $PPID; sleep 20"}, **limit})

    def abort_when_stopped() -> None:
        slot, deadline = psutil.Process(slots[0].pid), time.monotonic() + 10
        while slot.status() != psutil.STATUS_STOPPED and time.monotonic() < deadline:
            time.sleep(0.01)
        foreman.post(lambda: foreman.obey([], [order.run_id], []))

    if how == "aborted":
        when_begun(lambda: Thread(target=abort_when_stopped).start())
    serve(order)
    task, run = (event.decode() for event in spool.batch(1 << 20, 100).events[-2:])
    for end in (task, run):
        assert f'"state":"{how}"' in end
        assert "the slot stood still" in end


@pytest.fixture
def skip(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets so many seconds pass, for the agent alone."""
    skipped = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + sum(skipped), sleep=time.sleep)
    for module in (foreman_module, rounds, slot_process):
        monkeypatch.setattr(module, "time", clock)
    return skipped.append


def wait_for_news_of(slot: SlotProcess) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(slot.events, selectors.EVENT_READ)
        assert selector.select(10)


@pytest.fixture
def when_begun(monkeypatch: pytest.MonkeyPatch):
    """Has something done by the foreman as soon as a task has begun."""

    def arrange(work: Callable[[], object]) -> None:
        begin = Assignment.begin

        def begin_and_work(assignment: Assignment, position: int) -> None:
            begin(assignment, position)
            work()

        monkeypatch.setattr(Assignment, "begin", begin_and_work)

    return arrange


def test_slot_that_is_done_while_the_disk_is_slow_is_not_late(
    serve, spool: Journal, an_order, monkeypatch, skip, when_begun
) -> None:
    slots = mortal(monkeypatch, 0)
    when_begun(lambda: (wait_for_news_of(slots[0]), skip(1000)))
    # More than a pipe takes: its slot has to wait until that is read.
    serve(an_order({"settings": {"command": "head -c 300000 /dev/zero | tr '\\0' x"}, "timeout_s": 60}))
    assert '"state":"completed"' in spool.batch(1 << 20, 100).events[-1].decode()


def test_slot_is_not_late_because_it_was_stopped_with_the_agent(
    serve, foreman: Foreman, spool: Journal, an_order, monkeypatch, skip, when_begun, tmp_path: Path
) -> None:
    judged: list[float | None] = []
    judge = foreman._kill_late_slots
    slots = mortal(monkeypatch, 0)

    def stand_still() -> None:
        def judge_and_go_on() -> None:
            judge()
            judged.append(slots[0].end_by)
            # In the round that stood still, and in the next one.
            foreman.post(lambda: None)
            if len(judged) == 2:
                (tmp_path / "go").touch()

        monkeypatch.setattr(foreman, "_kill_late_slots", judge_and_go_on)
        skip(1000)

    when_begun(lambda: foreman.post(stand_still))
    command = f"until [ -e {tmp_path}/go ]; do sleep 0.05; done"
    serve(an_order({"settings": {"command": command}, "timeout_s": 60}))
    assert '"state":"completed"' in spool.batch(1 << 20, 100).events[-1].decode()


def test_slot_is_not_late_if_what_it_has_told_was_not_seen(
    serve, foreman: Foreman, spool: Journal, an_order, monkeypatch, skip, when_begun
) -> None:
    slots = mortal(monkeypatch, 0)
    select = foreman._selector.select

    def see_nothing(_timeout: float | None = None) -> list[object]:
        # As an agent that is stopped just now and goes on at the deadline.
        monkeypatch.setattr(foreman._selector, "select", select)
        wait_for_news_of(slots[0])
        assert slots[0].end_by is not None
        skip(slots[0].end_by - foreman_module.time.monotonic())
        return []

    late: list[SlotProcess] = []
    monkeypatch.setattr(SlotProcess, "kill_late", late.append)
    when_begun(lambda: monkeypatch.setattr(foreman._selector, "select", see_nothing))
    serve(an_order({"settings": {"command": "true"}, "timeout_s": 60}))
    assert late == []
    assert '"state":"completed"' in spool.batch(1 << 20, 100).events[-1].decode()
