"""Queries: the records of a menu as clients read them: all, those that a filter finds, or the history of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from dispatcher.core.errors import QuotaExceeded
from dispatcher.core.permissions import Caller
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita import files, journal, rights
from dispatcher.services.exastro_ita.catalogue import Catalogue
from dispatcher.services.exastro_ita.choices import Choices
from dispatcher.services.exastro_ita.columns import Kind
from dispatcher.services.exastro_ita.filters import Filter, compile_filter
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.records import Action, Completing, Limited, Record, Scope
from dispatcher.services.exastro_ita.values import Forms, moment_text
from dispatcher.services.exastro_ita.workspaces import Workspace

#: How many bytes the files in one answer may have: all of it is in memory at once.
MOST_BYTES = 256 << 20

Found = dict[str, dict[str, Any]]
"""A record as answers have it: ``parameter`` with what columns show, ``file`` with contents in BASE64."""


class RecordQueries:
    """Reads records. May be used by many threads."""

    def __init__(self, datastore: Datastore, ports: Ports, catalogue: Catalogue, choices: Choices) -> None:
        self._datastore = datastore
        self._ports = ports
        self._catalogue = catalogue
        self._choices = choices

    def filter(
        self,
        workspace: Workspace,
        menu: str,
        body: Any,
        caller: Caller,
        *,
        language: str = "ja",
        with_files: bool = True,
    ) -> list[Found]:
        """Return the records that the filter *body* finds, in their order; None or empty finds all of them.

        Without files their contents are empty texts.

        :raises ItaError: 499-00002, 499-00003, 499-00001, 401-00001, 499-00101 or 400-00002.
        :raises InvalidRecords: if a condition is none.
        :raises QuotaExceeded: if the files are too large for one answer.
        """
        with self._reading(workspace, caller, language) as scope:
            found = self._menu(scope, menu)
            forms = self._choices.forms(scope)
            records = _matching(scope, found, forms, compile_filter(found, body))
            return _told(scope, found, forms, ((record, {}) for record in records), with_files)

    def count(self, workspace: Workspace, menu: str, body: Any, caller: Caller, *, language: str = "ja") -> int:
        """Return how many records ``filter`` would find.

        :raises ItaError: as ``filter`` does.
        """
        with self._reading(workspace, caller, language) as scope:
            found = self._menu(scope, menu)
            forms = self._choices.forms(scope)
            return sum(1 for _ in _matching(scope, found, forms, compile_filter(found, body)))

    def journal(
        self,
        workspace: Workspace,
        menu: str,
        key: str,
        caller: Caller,
        *,
        language: str = "ja",
        with_files: bool = True,
    ) -> list[Found]:
        """Return what the record with the id *key* was after each of its changes, the latest first.

        There is none of a record that is gone, or that the caller does not see in the menu.

        :raises ItaError: 499-00002, 499-00003, 499-00001 or 401-00001.
        """
        with self._reading(workspace, caller, language) as scope:
            found = self._menu(scope, menu)
            forms = self._choices.forms(scope)
            try:
                record_id = UUID(key)
            except ValueError:
                return []
            if not any(record.id == record_id for record in found.source.read(scope, [record_id])):
                return []
            entries = _seen(scope, found, journal.entries(scope, found, record_id))
            if isinstance(found.source, Completing):
                found.source.complete(scope, [entry.record for entry in entries])
            told = ((entry.record, _told_change(entry, forms)) for entry in entries)
            return _told(scope, found, forms, told, with_files)

    @contextmanager
    def _reading(self, workspace: Workspace, caller: Caller, language: str) -> Iterator[Scope]:
        with self._datastore.read() as session:
            yield Scope(session, workspace, caller, self._ports.now(), language)

    def _menu(self, scope: Scope, name: str) -> Menu:
        menu = rights.find_menu(scope.session, self._catalogue, name)
        rights.require_read(scope, menu)
        return menu


def _matching(scope: Scope, menu: Menu, forms: Forms, wanted: Filter) -> Iterator[Record]:
    return (record for record in menu.source.read(scope, wanted.ids) if wanted.matches(forms, record))


def _seen(scope: Scope, menu: Menu, entries: list[journal.Entry]) -> list[journal.Entry]:
    """Return those of *entries* that tell of a record as the caller may see it."""
    if not isinstance(menu.source, Limited):
        return entries
    seen = {id(record) for record in menu.source.visible(scope, [entry.record for entry in entries])}
    return [entry for entry in entries if id(entry.record) in seen]


def _told_change(entry: journal.Entry, forms: Forms) -> dict[str, str]:
    """Return what the vendor tells of a change besides the values of the record."""
    return {
        "journal_id": str(entry.id),
        "journal_datetime": moment_text(entry.record.changed_at, forms.zone, is_exact=True),
        "journal_action": "INSERT" if entry.action is Action.REGISTER else "UPDATE",
    }


def _told(
    scope: Scope, menu: Menu, forms: Forms, found: Iterable[tuple[Record, dict[str, str]]], with_files: bool
) -> list[Found]:
    """Return the answer for records, each with what else is told of it.

    :raises QuotaExceeded: if their files are too large for one answer.
    """
    columns = [one.name for one in menu.columns if one.kind is Kind.FILE and one.is_viewed and not one.is_secret]
    nothing = None if with_files else ""
    answer: list[Found] = []
    named: list[tuple[Found, str, str]] = []
    ids: list[UUID] = []
    size = 0
    for record, more in found:
        ids.append(record.id)
        told: Found = {"parameter": {**more, **forms.parameter(menu, record)}, "file": dict.fromkeys(columns, nothing)}
        answer.append(told)
        if with_files:
            told_files = [(told, one, file) for one in columns if (file := _file(record.values.get(one)))]
            size += sum(file.get("size", 0) for _, _, file in told_files)
            named += ((told, one, file["sha256"]) for told, one, file in told_files)
        if size > MOST_BYTES:
            raise QuotaExceeded(f"the files have more than {MOST_BYTES} bytes: ask with file=no, or for fewer records")
    contents = files.read(scope.session, (sha256 for _, _, sha256 in named)) if named else {}
    if any(sha256 not in contents for _, _, sha256 in named):
        contents = {**files.of_source(scope, menu.source, columns, ids), **contents}
    for told, column, sha256 in named:
        told["file"][column] = contents.get(sha256, "")
    return answer


def _file(value: Any) -> dict[str, Any] | None:
    """Return what a record says of a file, if it has one."""
    return value if isinstance(value, dict) and "sha256" in value else None
