"""Selections: what a job is to run and whom on, as a request names it; found once for all that name the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from dispatcher.core.errors import InvalidValue
from dispatcher.core.ids import text_of
from dispatcher.core.jobs import Invoker, JobRequest, WhatChoice, WhatKind, Who, WhoChoice
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.datastore import revisions
from dispatcher.services import late
from dispatcher.services.access import WHAT_NODES, WHO_NODES
from dispatcher.services.chosen import chosen, require_chosen
from dispatcher.services.lasting import Lasting
from dispatcher.services.library.catalogue import Library, LibraryEntry
from dispatcher.services.starting import NEW_JOB, to_entry
from dispatcher.services.topology import Topology

#: How many selections are kept; when there are more, all are forgotten.
KEPT = 1_000
#: One of more things is not kept, nor one by longer names: they may be spelled with any number of blanks.
LARGEST, LONGEST = 20, 255

_Key = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """What a job is to run, and whom on. Selections are shared: nothing in one may be changed."""

    entries: Sequence[LibraryEntry]
    who: Sequence[tuple[WhoChoice, Who]]
    columns: Mapping[str, Any]  #: of a new job, as far as that decides them
    nodes: frozenset[Node]  #: what all of it is below

    @property
    def is_runbook(self) -> bool:
        """Whether it is a run book; that is alone."""
        return self.entries[0].kind is WhatKind.RUNBOOK


class Selections:
    """Finds what requests name. May be used by many threads.

    What is named is kept until the library or the topology changes. What the caller may do is never kept.
    """

    def __init__(self, library: Library, topology: Topology) -> None:
        self._library = library
        self._topology = topology
        self._kept = Lasting[dict[_Key, Selection]](dict, revisions.LIBRARY, revisions.TOPOLOGY)

    def find(self, session: Session, request: JobRequest, caller: Caller, has: Collection[UUID] = ()) -> Selection:
        """Return what *request* names. What the job *has* already it may keep, though that was disabled since.

        :raises InvalidValue: if something names nothing, or does not go together.
        :raises Forbidden: without Read on every what and who.
        """
        kept = self._kept.of(session)
        key = _key(request)
        selection = kept.get(key)
        if selection is not None:
            if not caller.may_wholly(Right.READ, selection.nodes):
                for entry in selection.entries:
                    caller.require_some(Right.READ, WHAT_NODES[entry.kind])
                    _require(entry, caller)
                require_chosen(session, Right.READ, selection.who, caller)
            return selection
        selection = self._read(session, request, caller, has)
        if key and _may_be_kept(selection):
            if len(kept) >= KEPT:
                kept.clear()
            kept[key] = selection
        return selection

    def _read(self, session: Session, request: JobRequest, caller: Caller, has: Collection[UUID]) -> Selection:
        entries = [self._entry(session, choice, place, caller, has) for place, choice in enumerate(request.what)]
        choices = ((choice, f"Who[{place}]/ID") for place, choice in enumerate(request.who))
        who = chosen(session, self._topology, Right.READ, choices, caller)
        if len(entries) > 1 and any(entry.kind is WhatKind.RUNBOOK for entry in entries):
            raise InvalidValue("What", "a run book must be scheduled alone")
        columns = {
            **NEW_JOB,
            "description": entries[0].name,
            "is_runbook": entries[0].kind is WhatKind.RUNBOOK,
            "what": [_to_item(entry) for entry in entries],
            "who": [to_entry(one) for one in who],
            "invoker": Invoker.USER,
        }
        nodes = {WHAT_NODES[entry.kind] for entry in entries} | {WHO_NODES[one.kind] for one in who}
        return Selection(entries, list(zip(request.who, who, strict=True)), columns, frozenset(nodes))

    def _entry(
        self, session: Session, choice: WhatChoice, place: int, caller: Caller, has: Collection[UUID]
    ) -> LibraryEntry:
        caller.require_some(Right.READ, WHAT_NODES[choice.kind])
        key = choice.id if choice.alias is None else late.find(session, choice.alias)
        entry = None if key is None else self._library.definition(session, choice.kind, key)
        if entry is None or not (entry.enabled or (choice.alias is None and key in has)):
            if choice.alias is None:
                raise InvalidValue(f"What[{place}]/ID", f"no {choice.kind.noun} {choice.id}")
            caller.require_all(Right.READ, WHAT_NODES[choice.kind])  # what it will be cannot be known yet
            return late.entry_of(choice)
        _require(entry, caller)
        return entry if choice.alias is None else replace(entry, alias=choice.alias)


def _require(entry: LibraryEntry, caller: Caller) -> None:
    if caller.fine:  # else the node has said it all
        caller.require(Right.READ, entry.thing)


def _may_be_kept(selection: Selection) -> bool:
    names = (name for choice, _ in selection.who for name in choice.identifiers if isinstance(name, str))
    are_short = all(len(name) <= LONGEST for name in names)
    return are_short and all(entry.enabled and entry.alias is None for entry in selection.entries)


def _key(request: JobRequest) -> _Key:
    """Return what *request* names, for look-ups; nothing if it names much."""
    if len(request.what) + len(request.who) > LARGEST:
        return ()
    # The numbers of ids: a look-up of an id itself is two calls.
    what = [(one.kind, one.id.int, one.alias) for one in request.what]
    return (*what, *[(one.kind, *one.identifiers) for one in request.who])


def _to_item(entry: LibraryEntry) -> dict[str, Any]:
    """Return *entry* as a job stores it."""
    what = entry.what
    item: dict[str, Any] = {"kind": what.kind, "id": text_of(what.id), "name": what.name}
    if entry.definition_id != late.UNKNOWN:
        item["definition"] = text_of(entry.definition_id)
    return item if entry.alias is None else {**item, "alias": list(entry.alias)}
