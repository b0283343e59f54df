"""Visits: what is done on one computer, and what is said of that."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from dispatcher.core.accounts import Account
from dispatcher.core.computers import AgentChange, FoundComputer
from dispatcher.core.errors import DispatcherError
from dispatcher.core.networks import RefusedByPolicy
from dispatcher.tasks import targets
from dispatcher.tasks.agent_setup import bundle, computers, newcomer, ssh_way, winrm_way
from dispatcher.tasks.agent_setup.order import SetupOrder
from dispatcher.tasks.agent_setup.sessions import NewAgent, Session
from dispatcher.tasks.ssh_client import LoginRefused
from dispatcher.tasks.work import TaskFailed, Tools

#: How long it may take to connect, in seconds.
_CONNECT_S = 10.0


class Status(StrEnum):
    """What became of a computer."""

    INSTALLED = "Installed"
    REPLACED = "Replaced"
    KEPT = "Already installed"
    REMOVED = "Uninstalled"
    NONE = "No agent"
    DENIED = "Access Denied"
    REFUSED = "Refused by policy"
    FAILED = "Failed"


#: What counts as a failure of the task.
FAILURES = frozenset({Status.DENIED, Status.FAILED})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a computer, in words; and the computer with what has changed there, if that is known."""

    status: Status
    detail: str = ""
    computer: FoundComputer | None = None


@dataclass
class Round:
    """What all visits of a task have in common. May be used by many threads."""

    order: SetupOrder
    tools: Tools
    account: Account | None  #: as whom to log in; None: nobody may
    token: str = field(default="", repr=False)
    installed: set[UUID] = field(default_factory=set)  #: by this task; a computer may be found by several addresses
    _bundle: bundle.Bundle | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def bundle(self) -> bundle.Bundle:
        """Return the program, which is made for the first who asks.

        :raises TaskFailed: if it cannot be made.
        """
        with self._lock:
            if self._bundle is None:
                folder = self.tools.scratch / "agent-program"
                folder.mkdir(exist_ok=True)
                self._bundle = bundle.make(folder)
            return self._bundle


Deed = Callable[[Round, FoundComputer, Session, str], Outcome]


def visit(about: Round, computer: FoundComputer, deed: Deed) -> Outcome:
    """Log in to *computer* and do *deed* there. Nothing raises but what ends the task."""
    if about.account is None:
        return Outcome(Status.DENIED, "no credentials are given")
    try:
        with _logged_in(about, computer, about.account) as (session, address):
            return deed(about, computer, session, address)
    except RefusedByPolicy as error:
        return Outcome(Status.REFUSED, error.message)
    except LoginRefused as error:
        return Outcome(Status.DENIED, error.message)
    except (DispatcherError, OSError) as error:
        return Outcome(Status.FAILED, error.message if isinstance(error, DispatcherError) else str(error))
    except Exception as error:  # a defect: it costs this computer, and none of the others
        return Outcome(Status.FAILED, f"{type(error).__name__}: {error}")


def install(about: Round, computer: FoundComputer, session: Session, address: str) -> Outcome:
    """Install an agent, unless there is one that is to be kept."""
    state = session.state
    if state.is_whole and (not about.order.overwrite or state.agent_id in about.installed):
        kept = _told(computer, AgentChange.KEPT, now=(state.agent_id, state.proof))
        return Outcome(Status.KEPT, f"agent {state.agent_id}", kept)
    _check(about, session)
    if not about.token:
        raise TaskFailed("there is no token by which an agent could enrol")
    program = about.bundle()
    fits = program.fits(state.build, state.glibc)
    urls = newcomer.dispatchers(about.order, about.tools, address)
    agent = NewAgent(
        program.whole if fits else program.own,
        () if fits else program.requirements,
        newcomer.files(about.order, about.tools, state.host_name, state.directory, urls),
        about.token,
    )
    done = session.install(agent)
    about.installed.add(done.agent_id)
    gone = state.agent_id
    change = AgentChange.INSTALLED if gone is None else AgentChange.REPLACED
    changed = _told(computer, change, now=(done.agent_id, done.proof), before=(gone, state.proof))
    libraries = "" if fits else "; libraries by pip"
    before = f" in place of {gone}" if gone else ""
    detail = f"agent {done.agent_id}{before} in {state.directory}, {done.how}{libraries}"
    return Outcome(Status.INSTALLED if gone is None else Status.REPLACED, detail, changed)


def uninstall(about: Round, computer: FoundComputer, session: Session, _address: str) -> Outcome:
    """Remove the agent, if there is one, or what is left of it."""
    gone = session.state.agent_id
    if gone is not None:
        _check(about, session)
    if session.state.problem:
        return Outcome(Status.NONE, session.state.problem)
    session.remove()  # without an agent, too: what a setup has left that was cut off
    if gone is None:
        return Outcome(Status.NONE, f"none in {session.state.directory}")
    changed = _told(computer, AgentChange.REMOVED, before=(gone, session.state.proof))
    return Outcome(Status.REMOVED, f"agent {gone} from {session.state.directory}", changed)


#: The id of an agent, and the proof that it is there.
_Agent = tuple[UUID | None, str]


def _told(
    computer: FoundComputer, change: AgentChange, *, now: _Agent = (None, ""), before: _Agent = (None, "")
) -> FoundComputer:
    """Return *computer* with what was done there: which agent is there *now*, and which one was *before*."""
    return replace(
        computer,
        change=change,
        agent_id=now[0],
        agent_proof=now[1],
        gone_agent_id=before[0],
        gone_agent_proof=before[1] if before[0] is not None else "",
    )


def _check(about: Round, session: Session) -> None:
    """Check that the agent there may be removed.

    :raises TaskFailed: if it may not.
    """
    state = session.state
    if state.problem:
        raise TaskFailed(state.problem)
    if state.agent_id is not None and state.agent_id == about.tools.agent_id:
        raise TaskFailed("it is the agent that does this task: have another one do it")


@contextmanager
def _logged_in(about: Round, computer: FoundComputer, account: Account) -> Iterator[tuple[Session, str]]:
    """Give a session on *computer*, by whatever way answers there, and the address that it is at."""
    host, home = computers.target_of(computer), about.tools.home
    stream = _connect(about.tools, host, about.order.ssh_port)
    if stream is not None:
        address = str(stream.getpeername()[0])
        with ssh_way.session(stream, (host, about.order.ssh_port), account, home, about.order) as session:
            yield session, address
        return
    for port in winrm_way.PORTS:
        stream = _connect(about.tools, host, port)
        if stream is not None:
            address = str(stream.getpeername()[0])
            stream.close()  # the library makes its own, to the address that has been checked
            with winrm_way.session(address, port, account, about.order) as session:
                yield session, address
            return
    ports = "/".join(map(str, winrm_way.PORTS))
    raise TaskFailed(f"neither SSH (port {about.order.ssh_port}) nor WinRM (port {ports}) answers")


def _connect(tools: Tools, host: str, port: int) -> socket.socket | None:
    """Return a connection; None if nobody answers.

    :raises RefusedByPolicy: if the address may not be called.
    """
    try:
        return targets.connect(tools.networks, host, port, _CONNECT_S)
    except OSError:
        return None
