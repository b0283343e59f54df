"""Rounds: all computers that a discovery has found are visited, several at a time."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Container, Iterator, Sequence

from dispatcher.core import references
from dispatcher.core.accounts import Account
from dispatcher.core.computers import AgentChange, FoundComputer
from dispatcher.core.errors import InvalidValue
from dispatcher.tasks.agent_setup import computers
from dispatcher.tasks.agent_setup.order import INPUT, PASSWORD_INPUT, TOKEN_INPUT, SetupOrder, SetupSettings
from dispatcher.tasks.agent_setup.visits import FAILURES, Deed, Outcome, Round, visit
from dispatcher.tasks.discovering.findings import Findings, clean
from dispatcher.tasks.work import TaskFailed, Tools

_PASSWORD = "_PASSWORD"  # noqa: S105 - the end of a variable's name
#: How much is told of a computer, in characters.
_MOST_DETAIL = 1_000


def go(settings: SetupSettings, tools: Tools, deed: Deed, done: Container[AgentChange | None]) -> str:
    """Do *deed* on every computer that was found, tell each, and return how many of what became of them.

    *done* is what an earlier attempt of the task can have changed: there nothing is left to do.

    :raises TaskFailed: if one of them failed, or the order cannot be understood.
    """
    about = begin(settings, tools)
    found = [computer for computer in computers.found(tools.scratch) if computer.change not in done]
    findings = Findings(tools.scratch)
    counts = Counter[str]()
    for computer, outcome in _visits(about, found, deed):
        if outcome.computer is not None:
            findings.add(outcome.computer)
        counts[outcome.status] += 1
        tools.say(f"{computers.target_of(computer)}\t{outcome.status}\t{clean(outcome.detail, _MOST_DETAIL)}")
    listed = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    summary = f"{len(found)} computer{'' if len(found) == 1 else 's'}{f': {listed}' if listed else ''}"
    tools.say(f"# {summary}")
    failed = sum(counts[status] for status in FAILURES)
    if failed:
        raise TaskFailed(f"{failed} of {len(found)} computers failed ({listed})")
    return summary


def begin(settings: SetupSettings, tools: Tools) -> Round:
    """Return what the visits have in common: as the inputs of the run say, else the settings.

    :raises InvalidValue: if there is no sense in them.
    """
    given = {one.name: one.value for one in tools.inputs}
    if INPUT in given:
        try:
            order = SetupOrder.of_input(given[INPUT])
        except ValueError as error:
            raise InvalidValue(INPUT, f"is no order: {error}") from None
        user, password = order.username, str(given.get(PASSWORD_INPUT) or "")
        token = str(given.get(TOKEN_INPUT) or "")
    else:
        order = settings
        user, password = _credentials(settings, tools)
        token = tools.fill(settings.token) if settings.token else ""
    return Round(order, tools, _account(user, password), token)


def _account(user: str, password: str) -> Account | None:
    """Return as whom to log in; None if nobody can. A password that is the text of a private key is one."""
    if not user or not password:
        return None
    is_key = password.lstrip().startswith("-----BEGIN ")
    return Account(user, private_key=password) if is_key else Account(user, password)


def _credentials(settings: SetupSettings, tools: Tools) -> tuple[str, str]:
    if settings.credentials is None:
        return settings.username, ""
    user = tools.fill(settings.credentials)
    (reference,) = references.find(settings.credentials)
    password = tools.values.get(reference.variable + _PASSWORD)
    if password is None:
        raise InvalidValue("credentials", f"{reference} is no credentials parameter")
    return user, password


def _visits(about: Round, found: Sequence[FoundComputer], deed: Deed) -> Iterator[tuple[FoundComputer, Outcome]]:
    """Visit all *found*, so many at a time as the order says; give each with what became of it, as that is known."""
    waiting: queue.SimpleQueue[FoundComputer] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[FoundComputer, Outcome]] = queue.SimpleQueue()
    for computer in found:
        waiting.put(computer)

    def work() -> None:
        while True:
            try:
                computer = waiting.get_nowait()
            except queue.Empty:
                return
            done.put((computer, visit(about, computer, deed)))

    # They end with this process, whatever they wait for: the other computers notice, and undo what is half done.
    for _ in range(min(about.order.parallel, len(found))):
        threading.Thread(target=work, daemon=True).start()
    for _ in found:
        yield done.get()
