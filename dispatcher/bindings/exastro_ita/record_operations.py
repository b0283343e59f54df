"""The operations on records: they are found, counted, looked back at and changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dispatcher.bindings.exastro_ita import contract
from dispatcher.bindings.exastro_ita.bodies import Bodies, Changes
from dispatcher.bindings.exastro_ita.door import BASE, Door
from dispatcher.bindings.exastro_ita.translate import to_wire_counts
from dispatcher.services.exastro_ita.messages import ItaError
from dispatcher.services.exastro_ita.records import Action
from dispatcher.services.exastro_ita.rights import Privilege
from dispatcher.services.exastro_ita.suite import ExastroIta
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.submits import SubmitKey
from dispatcher.wire.http import Request
from dispatcher.wire.json_api.operations import operation

_MENU = f"{BASE}/menu/<menu>"
_FILTER = f"{_MENU}/filter"
_MAINTENANCE = f"{_MENU}/maintenance"
#: What changes of records are refused with in maintenance mode.
_STOPPED = "498-00001"


class RecordOperations:
    """Reads and changes records."""

    TAG = "Records"

    def __init__(self, suite: ExastroIta, door: Door, bodies: Bodies) -> None:
        self._records = suite.records
        self._maintenance = suite.maintenance
        self._rights = suite.rights
        self._door = door
        self._bodies = bodies
        #: What lets large messages in, by operations.
        self.gates: dict[str, Callable[..., object]] = {
            "change_records": self._open,
            "register_record": self._open,
            "change_record": self._open,
        }

    @operation(f"GET {_FILTER}", summary="Get all records of a menu")
    def get_records(
        self, request: Request, organization: str, workspace: str, menu: str, query: contract.FileQuery
    ) -> contract.Records:
        """Return all records, discarded ones too."""
        entered = self._door.enter(request, organization, workspace)
        self._door.open(request, entered, menu)
        return self._found(request, entered, menu, {}, query)

    @operation(f"POST {_FILTER}", summary="Find records of a menu", takes=contract.Terms | None)
    def find_records(
        self, request: Request, organization: str, workspace: str, menu: str, query: contract.FileQuery
    ) -> contract.Records:
        """Return the records that fit the terms."""
        entered = self._door.enter(request, organization, workspace)
        self._door.open(request, entered, menu)
        return self._found(request, entered, menu, self._bodies.terms(request), query)

    @operation(f"GET {_FILTER}/count", summary="Count all records of a menu")
    def count_all(self, request: Request, organization: str, workspace: str, menu: str) -> contract.Count:
        """Return how many records there are."""
        entered = self._door.enter(request, organization, workspace)
        self._door.open(request, entered, menu)
        return self._counted(request, entered, menu, {})

    @operation(f"POST {_FILTER}/count", summary="Count records of a menu", takes=contract.Terms | None)
    def count_records(self, request: Request, organization: str, workspace: str, menu: str) -> contract.Count:
        """Return how many records fit the terms."""
        entered = self._door.enter(request, organization, workspace)
        self._door.open(request, entered, menu)
        return self._counted(request, entered, menu, self._bodies.terms(request))

    @operation(f"GET {_FILTER}/journal/<uuid>", summary="Get what a record has been")
    def get_journal(
        self, request: Request, organization: str, workspace: str, menu: str, uuid: str, query: contract.FileQuery
    ) -> contract.Records:
        """Return what the record was after each change, latest first."""
        entered = self._door.enter(request, organization, workspace)
        self._door.open(request, entered, menu)
        caller, with_files = request.caller, query.file != "no"
        found = self._records.journal(entered, menu, uuid, caller, language=caller.language, with_files=with_files)
        return contract.Records.of(found, self._door.now())

    @operation(
        f"POST {_MAINTENANCE}/all",
        summary="Change records of a menu",
        takes=contract.RecordChanges,
        has_files=True,
        takes_key=True,
        samples=(ItaError(_STOPPED),),
    )
    def change_records(self, request: Request, organization: str, workspace: str, menu: str) -> contract.Changed:
        """Register, update, discard, restore and delete records: all of them, or none."""
        entered, privilege = self._open(request, organization, workspace, menu)
        changes = self._bodies.changes(request)
        _check_deletes(menu, privilege, changes)
        return self._changed(request, entered, menu, changes)

    @operation(
        f"POST {_MAINTENANCE}",
        summary="Register a record",
        takes=contract.RecordChange,
        has_files=True,
        takes_key=True,
        samples=(ItaError(_STOPPED),),
    )
    def register_record(self, request: Request, organization: str, workspace: str, menu: str) -> contract.Changed:
        """Register one record."""
        entered, privilege = self._open(request, organization, workspace, menu)
        changes = self._bodies.change(request)
        changes.items[0].setdefault("type", Action.REGISTER.value)
        _check_deletes(menu, privilege, changes)
        return self._changed(request, entered, menu, changes)

    @operation(
        f"PATCH {_MAINTENANCE}/<uuid>",
        summary="Update, discard or restore a record",
        takes=contract.RecordChange,
        has_files=True,
        takes_key=True,
        samples=(ItaError(_STOPPED),),
    )
    def change_record(
        self, request: Request, organization: str, workspace: str, menu: str, uuid: str
    ) -> contract.Changed:
        """Change the record that the path names, whatever key the message has."""
        entered, privilege = self._open(request, organization, workspace, menu)
        changes = self._bodies.change(request)
        changes.items[0].setdefault("type", Action.UPDATE.value)
        changes.items[0]["parameter"][self._rights.key_of(menu)] = uuid
        _check_deletes(menu, privilege, changes)
        return self._changed(request, entered, menu, changes)

    def _open(
        self, request: Request, organization: str, workspace: str, menu: str, **_: str
    ) -> tuple[Workspace, Privilege]:
        """Return the workspace in which records of the menu may be changed, and how far that may go."""
        entered = self._door.enter(request, organization, workspace, _STOPPED)
        return entered, self._door.open(request, entered, menu, Privilege.WRITE)

    def _found(
        self, request: Request, entered: Workspace, menu: str, terms: dict[str, Any], query: contract.FileQuery
    ) -> contract.Records:
        caller, with_files = request.caller, query.file != "no"
        found = self._records.filter(entered, menu, terms, caller, language=caller.language, with_files=with_files)
        return contract.Records.of(found, self._door.now())

    def _counted(self, request: Request, entered: Workspace, menu: str, terms: dict[str, Any]) -> contract.Count:
        caller = request.caller
        return contract.Count.of(
            self._records.count(entered, menu, terms, caller, language=caller.language), self._door.now()
        )

    def _changed(self, request: Request, entered: Workspace, menu: str, changes: Changes) -> contract.Changed:
        caller = request.caller
        done = self._maintenance.change(
            entered,
            menu,
            changes.items,
            caller,
            language=caller.language,
            contents=changes.files,
            key=SubmitKey.of(request.key, request.asked),
        )
        return contract.Changed.of(to_wire_counts(done), self._door.now())


def _check_deletes(menu: str, privilege: Privilege, changes: Changes) -> None:
    if privilege > Privilege.DELETE and any(item.get("type") == Action.DELETE for item in changes.items):
        raise ItaError("401-00001", menu)
