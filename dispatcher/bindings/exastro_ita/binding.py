"""The front door of Exastro IT Automation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from dispatcher.bindings.exastro_ita.bodies import LARGEST, Bodies
from dispatcher.bindings.exastro_ita.door import Door
from dispatcher.bindings.exastro_ita.errors import Errors
from dispatcher.bindings.exastro_ita.menu_operations import MenuOperations
from dispatcher.bindings.exastro_ita.record_operations import RecordOperations
from dispatcher.bindings.exastro_ita.run_operations import RunOperations
from dispatcher.bindings.exastro_ita.tokens import DIALECT, Tokens
from dispatcher.bindings.exastro_ita.user_operations import UserOperations
from dispatcher.core.errors import DispatcherError
from dispatcher.services.exastro_ita.messages import InvalidRecords, ItaError, Message
from dispatcher.services.exastro_ita.suite import build_exastro_ita
from dispatcher.services.exastro_ita.workspaces import NO_WORKSPACE
from dispatcher.services.hall import Hall
from dispatcher.wire.faults import Log
from dispatcher.wire.http import BASIC, BEARER, Admission, Request, Response
from dispatcher.wire.json_api.endpoint import JsonApi
from dispatcher.wire.quotas import Quotas

#: Below the first are the workspaces of all organisations, below the second the tokens.
PREFIXES = ("/api", "/auth/realms")
#: When the failures were told that the description shows.
_EXAMPLE = datetime(2031, 4, 5, 6, 7, 8, 901_000, tzinfo=UTC)
_TOO_LARGE = f"messages with records have {LARGEST} bytes at most"


class ExastroApi(JsonApi):
    """The dialect. Messages with records that are too large for memory wait in a file until they are all there.

    :param gates: by the names of the operations with such messages: what judges, by the head of one and the variables
        in its path, whether it may come, and fails as the operation would.
    """

    def __init__(self, gates: Mapping[str, Callable[..., object]], quotas: Quotas, **options: Any) -> None:
        super().__init__(quotas=quotas, **options)
        self._gates = gates
        self._small = quotas.message_bytes

    def is_upload(self, request: Request) -> bool:
        """Whether *request* has a large message with records, or one of which nobody knows how large it will be."""
        if "transfer-encoding" not in request.headers:
            declared = request.headers.get("content-length", "")
            if not declared.isascii() or not declared.isdigit() or len(declared) > 18 or int(declared) <= self._small:
                return False
        found = self.asked_for(request)
        return found is not None and found[0].name in self._gates

    def admit(self, request: Request) -> Admission | Response:
        """Return whether the message may come: if its sender may change what its path says that it is for."""
        try:
            if found := self.asked_for(request):
                operation, variables = found
                self._gates[operation.name](request, **variables)
        except DispatcherError as error:
            return self.failed(request, error)
        return Admission(LARGEST, _TOO_LARGE, in_memory=self._small if "transfer-encoding" in request.headers else 0)


def build(hall: Hall, *, log: Log, quotas: Quotas) -> JsonApi:
    """Return the dialect over *hall*."""
    suite = build_exastro_ita(hall)
    door, bodies = Door(suite), Bodies(quotas)
    records, runs = RecordOperations(suite, door, bodies), RunOperations(suite, door, bodies)
    return ExastroApi(
        {**records.gates, **runs.gates},
        quotas,
        dialect=DIALECT,
        title="Exastro IT Automation",
        version="2.7",
        prefixes=PREFIXES,
        handlers=[
            MenuOperations(suite, door),
            records,
            runs,
            UserOperations(suite, door),
            Tokens(hall.access_tokens, suite.workspaces, hall.ports.now),
        ],
        to_error=Errors(hall.ports.now),
        schemes=(BASIC, BEARER),
        to_example=Errors(lambda: _EXAMPLE),
        samples=(ItaError(NO_WORKSPACE), InvalidRecords({0: {"operation_name": [Message("MSG-00030")]}})),
        log=log,
    )
