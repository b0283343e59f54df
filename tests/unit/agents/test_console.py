"""The console of a computer: who is there by what the system says, and that the dispatcher hears of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from dispatcher.agents import console, protocol
from dispatcher.agents.connection import Connection
from dispatcher.agents.console import Session, Watch, read_session
from dispatcher.agents.facts import read_facts, with_console
from dispatcher.agents.holdings import Holdings
from dispatcher.agents.identity import StoredIdentity
from dispatcher.agents.poller import Poller
from dispatcher.agents.translate import to_facts
from dispatcher.core.console import NOBODY, Console

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANNA, BEN = Session("anna", AT), Session("ben", AT + HOUR)


@pytest.fixture(autouse=True)
def logind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where logind would write; it is not there yet."""
    monkeypatch.setattr(console, "_LOGIND", tmp_path / "systemd")
    return tmp_path / "systemd"


def users(monkeypatch: pytest.MonkeyPatch, *found: tuple[str, str | None, datetime]) -> None:
    """Make these the users that the system tells of: name, terminal, since when."""
    told = [psutil._ntuples.suser(name, terminal, "", since.timestamp(), 1) for name, terminal, since in found]
    monkeypatch.setattr(psutil, "users", lambda: told)


@pytest.mark.parametrize("terminal", ["tty1", "ttyS0", ":0", ":1.0", "seat0", "console", "hvc0"])
def test_a_terminal_of_the_computer_itself_counts(monkeypatch: pytest.MonkeyPatch, terminal: str) -> None:
    users(monkeypatch, ("anna", terminal, AT))
    assert read_session() == ANNA


@pytest.mark.parametrize("terminal", ["pts/0", "ttys001", "tmux(17).%0", "", None])
def test_a_login_over_a_network_or_inside_another_session_does_not(
    monkeypatch: pytest.MonkeyPatch, terminal: str | None
) -> None:
    users(monkeypatch, ("anna", terminal, AT))
    assert read_session() is None


def test_of_several_the_last_one_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    users(monkeypatch, ("ben", "tty2", AT + HOUR), ("anna", "tty1", AT), ("carl", "pts/1", AT + 2 * HOUR))
    assert read_session() == BEN


def seat(logind: Path, active: str, session: str) -> None:
    (logind / "seats").mkdir(parents=True, exist_ok=True)
    (logind / "sessions").mkdir(exist_ok=True)
    (logind / "seats/seat0").write_text(f"# This is private data. Do not parse.\nIS_SEAT0=1\nACTIVE={active}\n")
    (logind / "sessions/c1").write_text(session)


@pytest.mark.parametrize(
    ("session", "found"),
    [
        (f"UID=1000\nUSER=anna\nCLASS=user\nREALTIME={AT.timestamp():.0f}000000\n", ANNA),
        ("USER=anna\nCLASS=user-early\n", Session("anna", None)),
        ("USER=gdm\nCLASS=greeter\n", None),
        ("CLASS=user\n", None),
    ],
)
def test_logind_knows_who_is_on_the_screen(
    monkeypatch: pytest.MonkeyPatch, logind: Path, session: str, found: Session | None
) -> None:
    users(monkeypatch, ("carl", "tty3", AT + HOUR))
    seat(logind, "c1", session)
    assert read_session() == found


@pytest.mark.parametrize("active", ["", "c2", "../sessions/c1"])
def test_a_seat_without_a_session_has_nobody(monkeypatch: pytest.MonkeyPatch, logind: Path, active: str) -> None:
    users(monkeypatch, ("carl", "tty3", AT))
    seat(logind, active, "USER=anna\n")
    assert read_session() is None


def test_windows_tells_the_domain_and_psutil_since_when(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console.windows_console, "user", lambda: "CORP\\anna")
    users(monkeypatch, ("anna", None, AT), ("ben", None, AT + HOUR))
    assert console._windows_session() == Session("CORP\\anna", AT)
    users(monkeypatch)
    assert console._windows_session() == Session("CORP\\anna", None)
    monkeypatch.setattr(console.windows_console, "user", lambda: "")
    assert console._windows_session() is None


def test_the_session_service_of_windows_is_asked_for_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, freed = {5: "anna", 7: "CORP"}, []

    def ask(server: Any, session: Any, what: int, text: Any, size: Any) -> int:
        assert (server, session.value) == (None, 3)
        text._obj.value = texts[what]
        return 1

    kernel = SimpleNamespace(WTSGetActiveConsoleSessionId=lambda: 3)
    service = SimpleNamespace(WTSQuerySessionInformationW=ask, WTSFreeMemory=freed.append)
    libraries = SimpleNamespace(kernel32=kernel, wtsapi32=service)
    monkeypatch.setattr(console.windows_console.ctypes, "windll", libraries, raising=False)
    assert console.windows_console.user() == "CORP\\anna"
    assert len(freed) == 2
    texts[7] = ""
    assert console.windows_console.user() == "anna"
    kernel.WTSGetActiveConsoleSessionId = lambda: -1
    assert console.windows_console.user() == ""


def test_the_watch_tells_what_has_changed_and_nothing_else() -> None:
    found: list[Session | Exception | None] = [
        None, ANNA, ANNA, OSError("no answer"), None, None, BEN, Session("ben", None), Session("ben", AT + 2 * HOUR)
    ]  # fmt: skip
    sequence = iter(found)

    def read() -> Session | None:
        one = next(sequence)
        if isinstance(one, Exception):
            raise one
        return one

    watch = Watch(read, lambda: AT + 5 * HOUR)
    seen = [watch.seen if watch.look() else None for _ in found]
    assert seen == [
        *(None, Console("anna", "anna", AT), None, None, Console("", "anna", AT + 5 * HOUR), None),
        *(Console("ben", "ben", AT + HOUR), None, Console("ben", "ben", AT + 2 * HOUR)),
    ]


def test_without_a_known_beginning_it_is_now() -> None:
    watch = Watch(lambda: Session("anna", None), lambda: AT)
    assert watch.look()
    assert watch.seen == Console("anna", "anna", AT)
    assert not watch.look()


def test_the_watch_looks_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "LOOK_EVERY_S", 0.001)
    there: list[Session] = []
    told: SimpleQueue[Console] = SimpleQueue()
    Watch(lambda: there[-1] if there else None, lambda: AT).look_for_ever(told.put)
    there.append(ANNA)
    assert told.get(timeout=10) == Console("anna", "anna", AT)
    there.append(BEN)
    assert told.get(timeout=10) == Console("ben", "ben", AT + HOUR)


def test_what_is_seen_reaches_the_services() -> None:
    facts = with_console(read_facts("http://127.0.0.1:1", {}), Console("", "anna", AT))
    kept = to_facts(protocol.Facts.model_validate_json(protocol.dump(facts)))
    assert kept.console == Console("", "anna", AT)
    assert to_facts(protocol.Facts()).console == NOBODY


@pytest.fixture
def poller(gateway: Any) -> Any:
    """A poller of the gateway, which has been asked once."""
    identity = StoredIdentity(agent_id=gateway.agent_id, secret=gateway.secret, name="pc-1", dispatchers=[gateway.url])
    poller = Poller(
        Connection([gateway.url], None, ""),
        Holdings(2, {}),
        protocol.Facts(os="linux"),
        enrol=lambda _: identity,
        heard=lambda *_: None,
        refused=lambda error: pytest.fail(str(error)),
        wake=lambda _: None,
    )
    poller.start()
    gateway.wait(lambda: gateway.polls)
    yield poller
    poller.stop()


def test_news_of_the_console_replace_the_poll_that_waits(gateway: Any, poller: Poller) -> None:
    poller.tell(protocol.Facts(os="linux", console_user="anna"))
    gateway.wait(lambda: len(gateway.polls) > 1)
    assert gateway.polls[1].facts.console_user == "anna"


def test_news_that_no_dispatcher_has_heard_are_told_later(gateway: Any, poller: Poller) -> None:
    with gateway.changed:
        gateway.is_down = True
        gateway.changed.notify_all()
    poller.tell(protocol.Facts(os="linux", console_user="anna"))
    poller.tell(protocol.Facts(os="linux", last_console_user="anna"))
    with gateway.changed:
        gateway.is_down = False
    # A poll in between may have told the first of them alone.
    gateway.wait(lambda: any(poll.facts and poll.facts.last_console_user == "anna" for poll in gateway.polls))
