"""Apply: an operation, its parameters and a conductor run in one transaction: all of it, or nothing.

The order of the checks, and the codes, are those of the vendor's ``common_libs/apply/apply.py`` (contract section 3.5).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from dispatcher.core.attempts import again
from dispatcher.core.jobs import Job
from dispatcher.core.permissions import Caller
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.messages import ItaError
from dispatcher.services.exastro_ita.operations import Operation, Operations, to_id
from dispatcher.services.exastro_ita.orders import (
    ApplyOrder,
    ExecuteOrder,
    Sent,
    read_apply,
    read_execute,
    read_moment,
    told,
)
from dispatcher.services.exastro_ita.parameters import Parameters
from dispatcher.services.exastro_ita.records import Scope, Source
from dispatcher.services.exastro_ita.starting import Conductor, ConductorRuns, InvalidConductor, NotStartable
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.settings import Settings
from dispatcher.services.submits import SubmitKey, Submits


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for something, where, in which language, and under which key."""

    workspace: Workspace
    caller: Caller
    language: str
    key: SubmitKey | None


class Apply:
    """Applies parameters and starts conductors. Each method is one transaction; agents hear of it after its commit."""

    def __init__(
        self,
        datastore: Datastore,
        ports: Ports,
        *,
        conductors: Source,
        operations: Operations,
        parameters: Parameters,
        runs: ConductorRuns,
        settings: Settings,
        submits: Submits,
    ) -> None:
        """*conductors* is the source of the records of ``conductor_class_list``."""
        self._datastore = datastore
        self._ports = ports
        self._conductors = conductors
        self._operations = operations
        self._parameters = parameters
        self._runs = runs
        self._settings = settings
        self._submits = submits

    def check(self, workspace: Workspace, caller: Caller) -> None:
        """Check what ``apply`` asks for whatever it is to do.

        :raises ItaError: 401-00001 if the caller may not register operations, or run conductors.
        """
        with self._datastore.read() as session:
            self._parameters.check_apply(Scope(session, workspace, caller, self._ports.now()))

    def check_execution(self, workspace: Workspace, caller: Caller) -> None:
        """Check what ``execute`` asks for whatever it is to run.

        :raises ItaError: 401-00001 if the caller may not run conductors.
        """
        with self._datastore.read() as session:
            self._parameters.check_execution(Scope(session, workspace, caller, self._ports.now()))

    def apply(
        self, workspace: Workspace, body: Sent, caller: Caller, *, language: str = "ja", key: SubmitKey | None = None
    ) -> UUID:
        """Find or register the operation, change the records, and start or book the conductor; for one *key* once.

        Return the id of the conductor run.

        :raises ItaError: with the codes of contract section 3.5; nothing is stored then.
        :raises InvalidRecords: if records are wrong: those of the first menu that has any.
        :raises Forbidden: without the rights of the core on what is changed, and on what runs.
        """
        self._refuse_in_maintenance("498-00001")
        order = read_apply(body)

        def make(scope: Scope) -> Job:
            self._parameters.check(scope, order.parts)
            operation, is_new = self._operation(scope, order.operation_name)
            if is_new and not order.has_info:
                raise ItaError("499-01905")
            self._parameters.change(scope, order.parts, operation if is_new else None)
            return self._run(scope, order, operation)

        return self._once("ita.apply", Asker(workspace, caller, language, key), self._parameters.check_apply, make)

    def execute(
        self, workspace: Workspace, body: Sent, caller: Caller, *, language: str = "ja", key: SubmitKey | None = None
    ) -> UUID:
        """Start or book the conductor for the operation, both of which are there; for one *key* only once.

        Return the id of the conductor run.

        :raises ItaError: 499-00814 if one is not there, or they cannot run so.
        :raises Forbidden: as ``apply``.
        """
        self._refuse_in_maintenance("498-00006")
        order = read_execute(body)

        def make(scope: Scope) -> Job:
            return self._execute(scope, order)

        asker = Asker(workspace, caller, language, key)
        return self._once("ita.execute", asker, self._parameters.check_execution, make)

    def _refuse_in_maintenance(self, result: str) -> None:
        if self._settings.current().text("exastro_ita.maintenance_mode") == "ON":
            raise ItaError(result)

    def _once(self, what: str, asker: Asker, check: Callable[[Scope], None], make: Callable[[Scope], Job]) -> UUID:
        """Return the id of the run that *make* makes in one transaction, or made for the same key before.

        *check* comes first, so that whoever has not the rights is told the same with a key and without one.
        """

        def work() -> UUID:
            with self._datastore.begin() as session:
                scope = Scope(session, asker.workspace, asker.caller, self._ports.now(), asker.language)
                check(scope)
                return self._submits.once(asker.caller, what, asker.key, lambda: make(scope)).id

        try:
            return again(work)
        except IntegrityError:
            # Somebody was quicker who had not to wait for us: this time he is seen.
            return again(work)

    def _operation(self, scope: Scope, name: Any) -> tuple[Operation, bool]:
        """Return the operation of this name, and whether it was registered for this; one without a name always is."""
        if name is None:
            return self._operations.register_unnamed(scope), True
        return self._operations.find_or_register(scope, name)

    def _run(self, scope: Scope, order: ApplyOrder, operation: Operation) -> Job:
        """Start the conductor; whatever keeps it from that has one code (contract section 3.5, step 7)."""
        failed = ItaError("499-00804", told(order.conductor_name), operation.name, told(order.schedule_date))
        try:
            booked_for = self._moment(order.schedule_date)
        except ValueError:
            raise failed from None
        conductor = self._conductor(scope, order.conductor_name)
        # The records may have been those of operations.
        found = self._operations.find(scope, operation.name)
        if conductor is None or found is None:
            raise failed
        try:
            return self._runs.start(scope, conductor, found, booked_for)
        except NotStartable:
            raise failed from None

    def _execute(self, scope: Scope, order: ExecuteOrder) -> Job:
        conductor_word, operation_word = order.words
        conductor = (self._conductor_with_id if order.by_id else self._conductor)(scope, order.conductor)
        find = self._operations.with_id if order.by_id else self._operations.find
        operation = find(scope, order.operation)
        wrong = [] if conductor else [f"{conductor_word}:{told(order.conductor)}"]
        wrong += [] if operation else [f"{operation_word}:{told(order.operation)}"]
        booked_for: datetime | None = None
        try:
            booked_for = self._moment(order.schedule_date)
        except ValueError:
            wrong.append(f"schedule_date:{told(order.schedule_date)}")
        wrong += [] if order.is_plain else ["conductor_data"]
        if conductor is None or operation is None or wrong:
            raise ItaError("499-00814", ", ".join(wrong))
        try:
            return self._runs.start(scope, conductor, operation, booked_for)
        except InvalidConductor:
            raise ItaError("499-00814", f"{conductor_word}:{told(order.conductor)}") from None
        except NotStartable:  # it is for want of hosts, mostly
            raise ItaError("499-00814", f"{operation_word}:{told(order.operation)}") from None

    def _moment(self, text: Any) -> datetime | None:
        return read_moment(text, self._settings.site_zone())

    def _conductor(self, scope: Scope, name: Any) -> Conductor | None:
        """Return the live conductor of exactly this name; None if several have it."""
        if not isinstance(name, str):
            return None
        found = [one for one in self._live(scope) if one.name == name]
        return found[0] if len(found) == 1 else None

    def _conductor_with_id(self, scope: Scope, text: Any) -> Conductor | None:
        """Return the live conductor with this id."""
        key = to_id(text)
        return None if key is None else next(self._live(scope, [key]), None)

    def _live(self, scope: Scope, ids: Collection[UUID] | None = None) -> Iterator[Conductor]:
        found = self._conductors.read(scope, ids)
        return (Conductor(record.id, record.values["conductor_name"]) for record in found if not record.is_discarded)
