"""Library import: files become modules, projects, run books, agents and teams, all of them or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.permissions import SYSTEM, Caller
from dispatcher.core.ports import Ports
from dispatcher.datastore import revisions
from dispatcher.datastore.revisions import Revision
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import key_checks
from dispatcher.services.library import changes, clear_texts, mentions, versions
from dispatcher.services.library.aliases import AliasStore
from dispatcher.services.library.items import Item, Outcome
from dispatcher.services.library.names import Names
from dispatcher.services.library.problems import Problems
from dispatcher.services.library.registry import sections
from dispatcher.services.library.sections import Importing, PreparingSection
from dispatcher.services.library.source import Source, read
from dispatcher.services.library.validation import note_errors
from dispatcher.services.library.versions import InvalidDefinition
from dispatcher.services.secrets import Secrets


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one entry."""

    section: str
    name: str
    id: UUID
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of every entry, in the order of the sections and files."""

    entries: tuple[Imported, ...]

    def count(self, outcome: Outcome, section: str | None = None) -> int:
        """Return how many entries (of *section*, if given) had this outcome."""
        return sum(entry.outcome is outcome and section in (None, entry.section) for entry in self.entries)


def import_files(datastore: Datastore, ports: Ports, secrets: Secrets, paths: Sequence[FilePath]) -> ImportReport:
    """Import the library files at *paths* in one transaction. What they say already is not touched.

    :raises LibraryErrors: with everything that is wrong with them; nothing is stored then.
    """
    problems, contents = Problems(), {}
    for path in paths:
        try:
            contents[str(path)] = path.read_bytes()
        except OSError as error:
            problems.add(str(path), 0, "", f"cannot be read: {error.strerror}")
    return import_texts(datastore, ports, secrets, contents, problems)


def import_texts(
    datastore: Datastore,
    ports: Ports,
    secrets: Secrets,
    contents: Mapping[str, bytes],
    problems: Problems | None = None,
    *,
    caller: Caller = SYSTEM,
    new_key: bool = False,
) -> ImportReport:
    """Import the library files *contents*, by the names that errors call them, as ``import_files`` does.

    *problems* are those that are known already. The audit says that *caller* has done it, whose rights are not asked.
    With *new_key* the key becomes the one of the datastore.

    :raises LibraryErrors: with everything that is wrong with them; nothing is stored then.
    :raises KeyDoesNotFit: if the key is not the one of the datastore.
    """
    problems = problems or Problems()
    parsed = [read(file, content, problems) for file, content in contents.items()]
    sources = [source for source in parsed if source is not None]
    items, broken = _items(sources)
    if not items and not broken:
        problems.refuse()
        return ImportReport(())
    _prepare(items, datastore, ports, problems)
    with datastore.begin() as session:
        # One import at a time: names are unique in a folder, the root too, which no database can check.
        session.execute(select(Revision.value).where(Revision.name == revisions.LIBRARY).with_for_update())
        key_checks.note(session, secrets) if new_key else key_checks.require(session, secrets)
        clear_texts.seal_within(session, ports, secrets)
        names = _names(session, broken)
        importing = Importing(session, ports, secrets, names, AliasStore(session), ports.now(), caller)
        _store(importing, items, broken, problems)
        problems.refuse()
    return ImportReport(tuple(Imported(item.section, item.entry.name, item.row.id, item.outcome) for item in items))


def _items(sources: Sequence[Source]) -> tuple[list[Item[Any]], list[Item[Any]]]:
    """Return the entries that are right in themselves, section by section, and the others, as the files have them."""
    items: list[Item[Any]] = []
    broken: list[Item[Any]] = []
    for source in sources:
        for name in source.data:
            if name not in sections():
                source.add((name,), f"no such section; there are {', '.join(sections())}")
    for name in sections():
        for source in sources:
            for place, value in enumerate(_members(source, name)):
                item = _item(source, name, place, value)
                if item is not None:
                    items.append(item)
                elif isinstance(value, dict):
                    broken.append(Item[Any](name, value, source, (name, place)))
    return items, broken


def _members(source: Source, name: str) -> Iterator[Any]:
    members = source.data.get(name)
    if isinstance(members, list):
        yield from members
    elif members is not None:
        source.add((name,), "a section is a list")


def _item(source: Source, name: str, place: int, value: Any) -> Item[Any] | None:
    section, path = sections()[name], (name, place)
    try:
        item = Item(name, section.entry.model_validate(value), source, path)
    except ValidationError as error:
        note_errors(source, error, path)
        return None
    before = source.problems.count
    section.check(item)
    return item if source.problems.count == before else None


def _prepare(items: Sequence[Item[Any]], datastore: Datastore, ports: Ports, problems: Problems) -> None:
    for item in items:
        section = sections()[item.section]
        # What is not going to be imported need not be stored.
        if not problems.count and isinstance(section, PreparingSection):
            section.prepare(item, datastore, ports)


def _names(session: Session, broken: Sequence[Item[Any]]) -> dict[str, Names]:
    """Return what is stored, by section, with the names of what would be there if it were right."""
    names = {name: section.names(session) for name, section in sections().items()}
    for item in broken:
        names[item.section].broken.add(str(item.entry.get("name", "")).strip().casefold())
    return names


def _store(importing: Importing, items: Sequence[Item[Any]], broken: Sequence[Item[Any]], problems: Problems) -> None:
    for item in items:
        sections()[item.section].claim(importing, item)
    for item in items:
        if item.row is not None:
            sections()[item.section].fill(importing, item)
    for item in broken:
        mentions.check(importing, item)
    for item in importing.aliases.store():
        item.changed(importing.now, importing.caller.name)
    if problems.count:
        return  # nothing of this will be kept
    changed = [item for item in items if item.outcome is not Outcome.UNCHANGED]
    frozen: dict[versions.Key, versions.Frozen] = {}
    keys = {key: item for key, item in importing.touched.items() if item.outcome is not Outcome.UNCHANGED}
    try:
        frozen = versions.freeze(importing.session, importing.ports, importing.secrets, keys)
    except InvalidDefinition as error:
        culprits = [importing.touched[key] for key in error.keys if key in importing.touched]
        (culprits or changed)[0].problem(error.message)
    for revision in {sections()[item.section].revision for item in changed} - {revisions.LIBRARY}:
        revisions.bump(importing.session, revision)
    changes.record(importing, changed, frozen)
