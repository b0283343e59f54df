"""Examining: all questions to one computer, in their order, and what their answers make of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from dispatcher.core.computers import FoundComputer, Way
from dispatcher.tasks.discovering import hardware
from dispatcher.tasks.discovering.findings import cleaned
from dispatcher.tasks.discovering.icmp import NotPermitted
from dispatcher.tasks.discovering.lines import Outcome, Status
from dispatcher.tasks.discovering.order import PARALLEL
from dispatcher.tasks.discovering.probes import Answer, Probe, Waiting, together

NOTHING_ASKED = "nothing was asked: no option is set"
#: Whose word counts first about what several tell.
_TRUST = (Way.DNS, Way.MAC, Way.WINDOWS, Way.SNMP, Way.NETBIOS)
_MOST_DESCRIPTION = 120


class Examiner:
    """Asks computers.

    *ping* and *ports* find them, and so do *probes*, which also describe them; *describers* describe what was found.
    *must_ping*: what does not echo is asked nothing else. Where echoes may not be asked for, ports are tried instead,
    and *say* is told that once. Any number of addresses may be examined at a time: where only an echo is waited for
    that costs no descriptor. All else is asked of *at_a_time* of them.
    """

    def __init__(
        self,
        *,
        ping: Probe | None,
        must_ping: bool,
        instead: Probe,
        probes: Sequence[Probe],
        describers: Sequence[Probe],
        say: Callable[[str], None],
        at_a_time: int = PARALLEL,
    ) -> None:
        self._ping = ping
        self._must_ping = must_ping
        self._instead = instead
        self._probes = probes
        self._describers = describers
        self._say = say
        self._free = asyncio.Semaphore(at_a_time)
        self._may_ping = True

    @property
    def asks(self) -> bool:
        """Whether anything is asked at all."""
        return self._ping is not None or bool(self._probes or self._describers)

    @property
    def waits_for_echoes(self) -> bool:
        """Whether an echo is all that a computer is asked for before it has shown that it is there."""
        return self._ping is not None and (self._must_ping or not self._probes)

    async def examine(self, address: str, waiting: Waiting, given_name: str = "", ways: Sequence[Way] = ()) -> Outcome:
        """Ask the computer at *address*, which may be asked. *given_name* and *ways* are what is known of it before.

        Where nothing is asked that a computer answers, none is found; what others say of the address is told then.
        """
        if not self.asks:
            return Outcome(Status.NO_ANSWER, NOTHING_ASKED)
        try:
            answers = await self._present(address, waiting)
            is_found = bool(answers)
            if is_found or not (self._ping or self._probes):
                answers |= await self._ask_few(self._describers, address, waiting)
        except OSError as error:
            return Outcome(Status.FAILED, str(error))
        computer = merged(address, given_name, answers, ways if is_found else ())
        remarks = [answers[way].remark for way in _TRUST if way in answers]
        return Outcome(
            Status.FOUND if is_found else Status.NO_ANSWER,
            "; ".join(filter(None, [said_of(computer, given_name), *remarks])),
            computer if is_found else None,
        )

    async def close(self) -> None:
        """Let go of everything."""
        for probe in (self._ping, self._instead, *self._probes, *self._describers):
            if probe is not None:
                await probe.close()

    async def _present(self, address: str, waiting: Waiting) -> dict[Way, Answer]:
        if self._ping is None:
            return await self._ask_few(self._probes, address, waiting)
        if not self._must_ping:
            first, others = await together(
                [self._echo(address, waiting), self._ask_few(self._probes, address, waiting)]
            )
            return first | others
        first = await self._echo(address, waiting)
        if not first:
            return {}
        return first | await self._ask_few([one for one in self._probes if one.way not in first], address, waiting)

    async def _echo(self, address: str, waiting: Waiting) -> dict[Way, Answer]:
        assert self._ping is not None  # noqa: S101 - nobody asks otherwise
        if self._may_ping:
            try:
                return await self._ask([self._ping], address, waiting)
            except NotPermitted as error:
                if self._may_ping:
                    self._say(f"# ICMP: not permitted ({error}); a connection to TCP ports is tried instead")
                self._may_ping = False
        if not self._must_ping and self._instead in self._probes:
            return {}  # it is asked anyway
        return await self._ask_few([self._instead], address, waiting)

    async def _ask_few(self, probes: Sequence[Probe], address: str, waiting: Waiting) -> dict[Way, Answer]:
        """Ask when it is this computer's turn. Whoever holds a turn waits for no other one."""
        if not probes:
            return {}
        async with self._free:
            return await self._ask(probes, address, waiting)

    async def _ask(self, probes: Sequence[Probe], address: str, waiting: Waiting) -> dict[Way, Answer]:
        answers = await together(self._answer(probe, address, waiting) for probe in probes)
        return {probe.way: answer for probe, answer in zip(probes, answers, strict=True) if answer is not None}

    async def _answer(self, probe: Probe, address: str, waiting: Waiting) -> Answer | None:
        try:
            return await probe.ask(address, waiting)
        except OSError:
            raise
        except Exception as error:  # an answer that a library stumbles over ends no discovery
            self._say(f"# {probe.way.upper()}: {address} has answered nonsense: {type(error).__name__}")
            return None


def merged(address: str, given_name: str, answers: Mapping[Way, Answer], ways: Sequence[Way] = ()) -> FoundComputer:
    """Return what *answers* tell of the computer at *address*, as the one whose word counts most has it."""

    def first(member: str) -> str:
        told = (getattr(answers[way], member) for way in _TRUST if way in answers)
        return next((text for text in told if text.strip()), "")

    known = {*ways, *answers}
    dns_name, netbios_name = first("dns_name"), first("netbios_name")
    # Where the system's own table knows it, that alone counts: what a computer says of itself may be another one's.
    tellers = [Way.MAC] if Way.MAC in answers else [way for way in _TRUST if way in answers]
    macs = (hardware.normal(answers[way].mac) for way in tellers)
    return cleaned(
        FoundComputer(
            address=address,
            name=given_name or dns_name or netbios_name or first("name"),
            dns_name=dns_name,
            netbios_name=netbios_name,
            mac=next(filter(None, macs), ""),
            os=first("os"),
            description=_description(answers),
            ports=answers[Way.PORTS].ports if Way.PORTS in answers else (),
            ways=tuple(way for way in Way if way in known),
        )
    )


def _description(answers: Mapping[Way, Answer]) -> str:
    """Return what it says of itself: SNMP's words are written for that."""
    order = (Way.SNMP, Way.WINDOWS, Way.NETBIOS)
    return next((text for way in order if way in answers and (text := answers[way].description.strip())), "")


def said_of(computer: FoundComputer, known: str = "") -> str:
    """Return the detail of *computer* for people, without the name that is *known*."""
    names = {name.casefold(): name for name in (computer.name, computer.dns_name, computer.netbios_name) if name}
    parts = [
        *(name for key, name in names.items() if key != known.casefold()),
        computer.mac,
        computer.os,
        f"ports {', '.join(map(str, computer.ports))}" if computer.ports else "",
        computer.description[:_MOST_DESCRIPTION].rstrip(),
        f"by {', '.join(computer.ways)}" if computer.ways else "",
    ]
    return "; ".join(filter(None, parts))
