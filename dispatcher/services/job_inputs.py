"""Job inputs: values that the runs of a job get, each for its agent, from whoever has said that it has some.

A job names where they come from in its option ``inputs``. What can give some, a *provider*, is given to ``provide``
under its name when a dispatcher is put together. Those who are asked for nothing cost nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from traceback import extract_tb
from typing import Protocol
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from dispatcher.core.errors import DispatcherError, Unavailable
from dispatcher.core.inputs import Input
from dispatcher.core.jobs import InputsFrom, Options
from dispatcher.core.permissions import Caller
from dispatcher.services.secrets import Secrets

log = structlog.get_logger(__name__)


class ProviderUnknown(Unavailable):
    """Nobody gives inputs under this name here."""

    code = "inputs.provider_unknown"

    def __init__(self, name: str) -> None:
        super().__init__(f"nobody gives the inputs of {name[:100]}")


class InputsFailed(Unavailable):
    """Whoever has the inputs could not give them, by a defect."""

    code = "inputs.failed"

    def __init__(self) -> None:
        super().__init__("its inputs could not be found: see the log")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The inputs of ``of``, whatever that is to its provider, for an agent."""

    of: str
    agent_id: UUID
    run_id: UUID | None = None  #: if its provider has something of its own for each run


@dataclass(frozen=True, slots=True)
class Called:
    """The inputs that a step asks for by a name of its own, and the agents that there are some for, by name."""

    of: str
    agents: Sequence[UUID]


class InputProvider(Protocol):
    """Something that has inputs for agents."""

    #: Whether each run gets something of its own, so that it has to be asked for each.
    is_per_run: bool

    def inputs(self, session: Session, wanted: Collection[Wanted]) -> Mapping[Wanted, Sequence[Input]]:
        """Return what there is of *wanted*, by as many statements for thousands as for one; secrets stay sealed."""

    def called(self, session: Session, of: str, name: str) -> Called:
        """Return what a step of a job with the inputs of *of* means by *name*.

        :raises InvalidValue: if there is nothing of this name.
        """

    def agents(self, session: Session, of: str) -> Sequence[UUID]:
        """Return the agents that there are inputs of *of* for now, by name."""

    def require(self, session: Session, of: str, caller: Caller) -> None:
        """Check that *caller* may start a job with the inputs of *of*, beside what everybody needs who starts one.

        :raises Forbidden: if not.
        """


class JobInputs:
    """Finds the inputs of runs."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._providers: dict[str, InputProvider] = {}

    def provide(self, name: str, provider: InputProvider) -> None:
        """Ask *provider* from now on for the inputs that jobs say to come from *name*."""
        self._providers[name] = provider

    def find(
        self, session: Session, runs: Iterable[tuple[UUID, InputsFrom, UUID]]
    ) -> dict[UUID, Sequence[Input] | Unavailable]:
        """Return the inputs of *runs* (each with where they come from and the id of its agent), secrets sealed.

        Each provider is asked once, unless it fails: then again for fewer, so that nobody else's runs go with those
        whose inputs it fails over. Where there is none, or it fails, that is said instead.
        """
        by_provider: defaultdict[str, dict[UUID, Wanted]] = defaultdict(dict)
        for run_id, source, agent_id in runs:
            provider = self._providers.get(source["provider"])
            is_own = provider is not None and provider.is_per_run
            wanted_by = by_provider[source["provider"]]
            wanted_by[run_id] = Wanted(source["of"], agent_id, run_id if is_own else None)
        found: dict[UUID, Sequence[Input] | Unavailable] = {}
        for name, wanted in by_provider.items():
            if name not in self._providers:
                found |= dict.fromkeys(wanted, ProviderUnknown(name))
                continue
            given = self._given(session, name, list(dict.fromkeys(wanted.values())))
            found |= {run_id: given.get(one, ()) for run_id, one in wanted.items()}
        return found

    def _given(
        self, session: Session, name: str, wanted: Sequence[Wanted]
    ) -> Mapping[Wanted, Sequence[Input] | Unavailable]:
        """Return what the provider *name* has of *wanted*, and for which of them it fails."""
        try:
            return self._providers[name].inputs(session, set(wanted))
        except (DispatcherError, SQLAlchemyError):
            raise
        except Exception as error:  # it must not keep agents from the runs of others
            if len(wanted) == 1:
                _log_defect(error, provider=name, of=wanted[0].of, agent_id=str(wanted[0].agent_id))
                return {wanted[0]: InputsFailed()}
        half = len(wanted) // 2
        return {**self._given(session, name, wanted[:half]), **self._given(session, name, wanted[half:])}

    def open(self, found: Sequence[Input] | Unavailable) -> list[Input]:
        """Return what was *found* for a run, secrets open.

        :raises Unavailable: if a secret cannot be opened, whatever it is, or nothing could be found.
        """
        if isinstance(found, Unavailable):
            raise found
        return [replace(one, value=self._open(one)) if one.is_secret else one for one in found]

    def _open(self, one: Input) -> str:
        try:
            return self._secrets.open(one.value)
        except Unavailable:
            raise
        except Exception as error:  # such as of a number, which was never sealed; as above
            _log_defect(error, name=one.name)
            raise InputsFailed from None

    def called(self, session: Session, source: InputsFrom, name: str) -> tuple[InputsFrom, Sequence[UUID]]:
        """Return where the inputs come from that a step calls *name*, and the agents that there are some for.

        *source* is where those of its run book come from.

        :raises InvalidValue: if there is nothing of this name.
        :raises Unavailable: if nobody can be asked.
        """
        found = self._provider(source["provider"]).called(session, source["of"], name)
        return {"provider": source["provider"], "of": found.of}, found.agents

    def agents(self, session: Session, source: InputsFrom) -> Sequence[UUID] | None:
        """Return the agents that there are inputs from *source* for now; None if nobody can be asked."""
        provider = self._providers.get(source["provider"])
        return None if provider is None else provider.agents(session, source["of"])

    def require(self, session: Session, options: Options | None, caller: Caller) -> None:
        """Check that *caller* may start a job with *options*, as far as its inputs are concerned.

        :raises Forbidden: if not.
        """
        source = (options or {}).get("inputs")
        if source is not None and source["provider"] in self._providers:
            self._providers[source["provider"]].require(session, source["of"], caller)

    def _provider(self, name: str) -> InputProvider:
        if name not in self._providers:
            raise ProviderUnknown(name)
        return self._providers[name]


def _log_defect(error: Exception, **of: str) -> None:
    """Log where *error* is from, but not its message, which may have values in it."""
    frames = [f"{frame.filename}:{frame.lineno}" for frame in extract_tb(error.__traceback__)]
    log.error("inputs.failed", error=type(error).__name__, frames=frames, **of)
