"""Library changes: what an import has made of the stored objects, as the audit has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dispatcher.services import audit
from dispatcher.services.audit import Change, Subject
from dispatcher.services.library.items import Item, Outcome
from dispatcher.services.library.revised import differences
from dispatcher.services.library.sections import Importing
from dispatcher.services.library.versions import Frozen, Key

#: Noted by name as well, which says more.
_IDS = ("folder_id", "primary_team_id", "gateway_id")


def record(importing: Importing, changed: Sequence[Item[Any]], frozen: Mapping[Key, Frozen]) -> None:
    """Note every object that was made or changed, and every other one that has a new version by that."""
    audit.record_all(importing.session, importing.now, importing.caller, _changes(importing, changed, frozen))


def _changes(importing: Importing, changed: Sequence[Item[Any]], frozen: Mapping[Key, Frozen]) -> Iterator[Change]:
    by_item = {id(item): frozen[key] for key, item in importing.touched.items() if key in frozen}
    told = set()
    for item in changed:
        subject = Subject(importing.names[item.section].noun, item.entry.name, item.row.id)
        yield _change(item, subject, by_item.get(id(item)))
        told.add(item.row.id)
    for (kind, key), version in frozen.items():
        if key not in told:
            old, new = _versions(version)
            yield _told("changed", Subject(kind.noun, version.name, key), old, new)


def _change(item: Item[Any], subject: Subject, version: Frozen | None) -> Change:
    old = {name: value for name, value in item.old.items() if name not in _IDS}
    new = {name: value for name, value in item.new.items() if name not in _IDS}
    if version is not None:
        before, after = _versions(version)
        old, new = old | before, new | after
    if item.outcome is Outcome.CREATED:
        return _told("created", subject, None, new)
    if any(old.get(name) != value for name, value in new.items()):
        return _told("changed", subject, old, new)
    # Nothing that has a part in what runs, such as a task that is disabled.
    return _told("changed", subject, {}, {"disabled": "changed"})


def _versions(frozen: Frozen) -> tuple[dict[str, Any], dict[str, Any]]:
    if frozen.before is None:
        return {}, {"version": frozen.version}
    old, new = differences(frozen.before, frozen.document)
    return {"version": frozen.version - 1, **old}, {"version": frozen.version, **new}


def _told(action: str, subject: Subject, old: audit.Values | None, new: audit.Values) -> Change:
    kind = subject.kind.replace(" ", "")
    return Change(f"{kind}.{action}", Subject(kind, subject.name, subject.id), old, new)
