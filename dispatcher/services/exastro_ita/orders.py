"""Orders: what a client asks ``apply`` and ``conductor/execute`` for, as far as it can be judged without looking.

What is asked and in which order, and the values of the messages: ``common_libs/apply/apply.py`` and
``common_libs/conductor/classes/exec_util.py`` of the vendor's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from dispatcher.services.exastro_ita.messages import ItaError
from dispatcher.services.exastro_ita.moments import from_local
from dispatcher.services.exastro_ita.records import Action

#: What ``apply`` may do with records: there is no Delete here.
APPLIED = (Action.REGISTER, Action.UPDATE, Action.RESTORE, Action.DISCARD)
#: The request has both forms (contract section 3.5); nothing may stand around them.
_MOMENT = re.compile(r"([0-9]{4})/([0-9]{2})/([0-9]{2}) ([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?")

#: How much of what was sent a message repeats, in characters.
_TOLD = 1_000
#: MariaDB has none before it.
_FIRST_YEAR = "1000"

Sent = Mapping[str, Any]
"""A record as it was sent: ``type``, ``parameter`` and perhaps ``file``."""


@dataclass(frozen=True, slots=True)
class Part:
    """The records for one menu that stand together in the request."""

    menu: str
    records: Sequence[Sent]


@dataclass(frozen=True, slots=True)
class ApplyOrder:
    """What ``apply`` is asked for. ``has_info`` says whether there was any ``parameter_info``, be it an empty object.

    ``operation_name`` is None for one that is to be named automatically; ``schedule_date`` stays as it was sent.
    """

    conductor_name: Any
    operation_name: Any
    schedule_date: Any
    parts: Sequence[Part] = ()
    has_info: bool = False

    @property
    def menus(self) -> list[str]:
        """The menus that it has records for, each once, in order."""
        return list(dict.fromkeys(part.menu for part in self.parts))


@dataclass(frozen=True, slots=True)
class ExecuteOrder:
    """What ``conductor/execute`` is asked for: by names or by ids, whichever pair is there; names go first."""

    conductor: Any
    operation: Any
    schedule_date: Any
    by_id: bool = False
    data: Any = None  #: ``conductor_data``: the conductor as the vendor's pages have it, with what is to be skipped

    @property
    def is_plain(self) -> bool:
        """Whether the conductor is to run as it is stored: nothing of it can be skipped here."""
        if self.data is None:
            return True
        if not isinstance(self.data, dict):
            return False
        return not any(isinstance(node, dict) and node.get("skip_flag") in ("1", 1) for node in self.data.values())

    @property
    def words(self) -> tuple[str, str]:
        """The members that name the conductor and the operation."""
        if self.by_id:
            return "conductor_class_id", "operation_id"
        return "conductor_class_name", "operation_name"


def read_apply(body: Sent) -> ApplyOrder:
    """Return the order in *body*.

    :raises ItaError: 499-01901 to 499-01904 if it cannot be one.
    """
    conductor_name = body.get("conductor_class_name")
    if not conductor_name:
        raise ItaError("499-01901", told(conductor_name))
    info = body.get("parameter_info")
    return ApplyOrder(
        conductor_name=conductor_name,
        operation_name=_name(body.get("operation_name")),
        schedule_date=body.get("schedule_date"),
        parts=_parts(info) if info else (),
        has_info=bool(info),
    )


def _name(value: Any) -> Any:
    """Return the name of an operation that *value* is: numbers and ``true`` are, as texts; what is empty is none."""
    return (str(value) if isinstance(value, int | float) else value) if value else None


def _parts(info: Any) -> list[Part]:
    if isinstance(info, dict):
        info = [info]
    if not isinstance(info, list):
        raise ItaError("499-01902", None, _class_of(info))
    parts: list[Part] = []
    for menus in info:
        if not isinstance(menus, dict):
            # It tells the type of the whole, which is right, as the vendor does.
            raise ItaError("499-01902", None, _class_of(info))
        for menu, records in menus.items():
            one = [records] if isinstance(records, dict) else records
            if not isinstance(one, list):
                raise ItaError("499-01902", menu, _class_of(info))
            for record in one:
                _check_record(menu, record)
            parts.append(Part(menu, one))
    return parts


def _class_of(value: Any) -> str:
    """Return how the vendor's messages tell the type of *value*: as Python shows a class."""
    name = next((one.__name__ for one in (bool, int, float, str, list) if isinstance(value, one)), "dict")
    return f"<class '{name}'>"


def _check_record(menu: str, record: Any) -> None:
    # Of what is no object at all both members are missing; the vendor's answer to that is a system error.
    if not isinstance(record, dict) or "type" not in record or not isinstance(record.get("parameter"), dict):
        raise ItaError("499-01903", menu)
    if not isinstance(record["type"], str) or record["type"] not in APPLIED:
        raise ItaError("499-01904", menu, told(record["type"]))


def told(value: Any) -> object:
    """Return what was sent as messages repeat it: as Python shows it, and not all of what is long."""
    text = str(value)
    return text if len(text) <= _TOLD else f"{text[:_TOLD]}…"


def read_execute(body: Sent) -> ExecuteOrder:
    """Return the order in *body*.

    :raises ItaError: 499-00814 if neither both names nor both ids are there.
    """
    for by_id in (False, True):
        conductor, operation = ExecuteOrder(None, None, None, by_id).words
        if conductor in body and operation in body:
            date, data = body.get("schedule_date"), body.get("conductor_data")
            return ExecuteOrder(body[conductor], body[operation], date, by_id, data)
    raise ItaError("499-00814", told(dict(body)))


def read_moment(text: Any, zone: tzinfo) -> datetime | None:
    """Return the moment, aware UTC, that *text* names by the clocks of *zone*; None if it names none.

    Of a time that comes twice it is the first one; one that is leapt over is the moment of the change.

    :raises ValueError: if it is neither ``yyyy/mm/dd hh:mm`` nor ``yyyy/mm/dd hh:mm:ss``, or there is no such day.
    """
    if text is None or text == "":
        return None
    match = _MOMENT.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[1] < _FIRST_YEAR:
        raise ValueError("it is no moment such as 2031/06/01 02:00")
    return from_local(datetime.fromisoformat("{}-{}-{} {}:{}:{}".format(*match.groups("00"))), zone)
