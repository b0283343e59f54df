"""Parameters: what ``apply`` does with records, menu by menu, before a conductor runs with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dispatcher.core.permissions import Node, Right
from dispatcher.services.exastro_ita.catalogue import Catalogue
from dispatcher.services.exastro_ita.maintenance import Maintenance
from dispatcher.services.exastro_ita.menus import ORDINARY, SHEETS, Menu
from dispatcher.services.exastro_ita.messages import InvalidRecords, ItaError
from dispatcher.services.exastro_ita.operations import MENU as OPERATIONS
from dispatcher.services.exastro_ita.operations import Operation, Operations
from dispatcher.services.exastro_ita.orders import Part, Sent
from dispatcher.services.exastro_ita.records import Scope
from dispatcher.services.exastro_ita.rights import CONDUCTOR_EDIT, find_menu, require_read, require_write
from dispatcher.services.exastro_ita.rows import OPERATION as OPERATION_SELECT
from dispatcher.services.settings import Settings

#: The menu that lets whoever may read it run conductors.
CONDUCTORS = "conductor_class_edit"
#: The sheet types of the menus that records may be sent for.
_CHANGED = (ORDINARY, "2", *SHEETS)
#: The columns of other menus that name the operation, by its name alone.
_NAMED_IN = {"conductor_regularly_execution": "operation_name", "host_link_list": "operation"}


class Parameters:
    """Changes records for ``apply``. Every method works inside the transaction of its scope."""

    def __init__(
        self, catalogue: Catalogue, maintenance: Maintenance, operations: Operations, settings: Settings
    ) -> None:
        self._catalogue = catalogue
        self._settings = settings
        self._maintenance = maintenance
        self._operations = operations

    def check(self, scope: Scope, parts: Sequence[Part]) -> None:
        """Check that the records of *parts* may be changed.

        From then on nobody else changes records of the workspace, if there are any of *parts*.

        :raises ItaError: 499-00002, 499-00003, 499-00001 or 401-00001, for the first menu that is not fit; 499-00223 if
            there are too many records for one.
        """
        sizes: Counter[str] = Counter()
        for part in parts:
            sizes[part.menu] += len(part.records)
        menus = []
        for name in sizes:
            menus.append(find_menu(scope.session, self._catalogue, name, _CHANGED))
            require_write(scope, menus[-1])
        limit = self._settings.current().number("exastro_ita.max_records")
        if max(sizes.values(), default=0) > limit:
            raise ItaError("499-00223", limit)
        if menus:
            self._maintenance.lock(scope, menus)

    def check_apply(self, scope: Scope) -> None:
        """Check that an operation may be registered, and a conductor run.

        :raises ItaError: 401-00001 if not.
        """
        require_write(scope, find_menu(scope.session, self._catalogue, OPERATIONS, (ORDINARY,)))
        self.check_execution(scope)

    def check_execution(self, scope: Scope) -> None:
        """Check that a conductor may be run.

        :raises ItaError: 401-00001 if not.
        """
        require_read(scope, find_menu(scope.session, self._catalogue, CONDUCTORS, CONDUCTOR_EDIT))
        if not scope.caller.may_some(Right.MODIFY, Node.SCHEDULING):
            raise ItaError("401-00001", CONDUCTORS)

    def change(self, scope: Scope, parts: Sequence[Part], new: Operation | None) -> None:
        """Change the records of *parts*, part by part; those of a *new* operation that name none are its own.

        :raises InvalidRecords: if some are wrong: those of the first such part, counted within their menu.
        """
        done: Counter[str] = Counter()
        forms = self._maintenance.forms(scope)
        for part in parts:
            menu = find_menu(scope.session, self._catalogue, part.menu, _CHANGED)
            try:
                records = [*self._filled(scope, menu, part.records, new)]
                self._maintenance.change_within(scope, menu, records, forms=forms)
            except InvalidRecords as error:
                faults = {done[part.menu] + index: found for index, found in error.faults.items()}
                raise InvalidRecords(faults, part.menu) from None
            done[part.menu] += len(part.records)
            forms = forms.after_sheet() if menu.is_sheet else self._maintenance.forms(scope)

    def _filled(self, scope: Scope, menu: Menu, records: Iterable[Sent], new: Operation | None) -> Iterator[Sent]:
        """Give *records* with the *new* operation where they name none (seed section 3.3.4)."""
        member, text = "", ""
        if new is not None and menu.is_sheet:
            member, text = OPERATION_SELECT, self._operations.select_text(scope, new)
        elif new is not None:
            member, text = _NAMED_IN.get(menu.name, ""), new.name
        for record in records:
            parameter: Mapping[str, Any] = record["parameter"]
            is_given = not member or parameter.get(member)
            yield record if is_given else {**record, "parameter": {**parameter, member: text}}
