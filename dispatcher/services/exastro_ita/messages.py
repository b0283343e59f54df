"""Messages: texts of the vendor's by their ids, with what is put into them; the binding has the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dispatcher.core.errors import DispatcherError

#: Where a fault stands that is of no single column ("individual check" in the vendor's words).
NO_COLUMN = ""


@dataclass(frozen=True, slots=True)
class Message:
    """The vendor's text *id*, such as ``MSG-00008`` or ``499-00001``, with *values* for its braces."""

    id: str
    values: tuple[object, ...] = ()


#: What is wrong with one record, by column; ``NO_COLUMN`` for what is of none.
Faults = Mapping[str, Sequence[Message]]


class ItaError(DispatcherError):
    """A request that is refused with a result code of the vendor's; ``code`` stays ours, ``result`` is theirs."""

    code = "exastro_ita.refused"

    def __init__(self, result: str, *values: object) -> None:
        super().__init__(f"{result}: {', '.join(map(str, values))}" if values else result)
        self.result = result
        self.values = values


class InvalidRecords(ItaError):
    """Records that cannot be stored: all their faults, by the index of the record in the request."""

    code = "exastro_ita.invalid_records"

    def __init__(self, faults: Mapping[int, Faults], menu: str = "") -> None:
        super().__init__("499-00201")
        self.faults = faults
        self.menu = menu  #: said by the answers of apply only
