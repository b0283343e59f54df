"""Drafts: what a request says of one record, judged as far as the menu alone tells.

Which checks there are, their order, and what the messages name: ``common_libs/loadtable/load_table.py`` of the vendor's
(``exec_maintenance``, ``chk_lastupdatetime``, ``convert_cmd_type``, ``exclusion_parameter``, ``chk_required``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any
from uuid import UUID

from dispatcher.services.exastro_ita.columns import Column, Kind
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.messages import Message
from dispatcher.services.exastro_ita.records import Action, Record

Sent = Mapping[str, Any]
"""A record as it was sent: ``parameter``, perhaps ``type``, and perhaps ``file`` with contents in BASE64."""

#: The columns by which clients say what they know of a record.
DISCARD, CHANGED_AT = "discard", "last_update_date_time"
#: Columns whose values are no values of their own in a record.
OF_RECORD = (Kind.KEY, Kind.DISCARD, Kind.CHANGED_AT, Kind.CHANGED_BY, Kind.BUTTON)
_TAKEN = ("1", "3")
_ACTIONS = frozenset(one.value for one in Action)


@dataclass(slots=True)
class Draft:
    """A record of the request: ``columns`` are those that were sent and are taken, in their order."""

    index: int
    action: Action | None  #: None if it is none of the vendor's
    type: Any
    key: Any  #: as it was sent; "" for none
    parameter: Mapping[str, Any]
    columns: list[Column]
    unknown: list[str]
    contents: Mapping[str, bytes | None] = field(default_factory=dict)  #: of files; None where it was no BASE64

    @property
    def id(self) -> UUID | None:
        """The id of the record that is there already; None if there can be none."""
        if self.action is Action.REGISTER or not isinstance(self.key, str):
            return None
        try:
            return UUID(self.key) if len(self.key) == 36 else None  # as ids are written
        except ValueError:
            return None


def read(menu: Menu, index: int, sent: Sent, contents: Mapping[str, bytes | None]) -> Draft:
    """Return what the record *sent* says, with the *contents* of its files.

    What it says of columns that are not taken is passed over.
    """
    parameter: Mapping[str, Any] = sent["parameter"]
    key = parameter.get(menu.key.name)
    key = "" if key is None else key
    kind = sent.get("type", Action.REGISTER if key == "" else Action.UPDATE)
    action = Action(kind) if isinstance(kind, str) and kind in _ACTIONS else None
    columns, unknown = [], []
    for name in parameter:
        column = menu.by_name.get(name)
        if column is None:
            unknown.append(str(name))
        elif column.input in _TAKEN and column.kind is not Kind.CHANGED_BY:
            columns.append(column)
    return Draft(index, action, kind, key, parameter, columns, unknown, contents)


def dated(draft: Draft, record: Record, zone: tzinfo) -> Message | None:
    """Return what is wrong with the moment that *draft* says *record* was last changed at.

    Moments are in the time zone *zone*, to the microsecond; ``-`` is taken for ``/``.
    """
    text = draft.parameter.get(CHANGED_AT)
    if not isinstance(text, str):
        return Message("MSG-00028", (text,))
    text, known = text.replace("-", "/"), record.changed_at.astimezone(zone).replace(tzinfo=None)
    if text == f"{known.year:04}/{known:%m/%d %H:%M:%S.%f}":
        return None
    try:
        # Aware or not, it is compared with what the clocks of the site showed.
        same = datetime.strptime(text, "%Y/%m/%d %H:%M:%S.%f") == known  # noqa: DTZ007
    except ValueError:
        return Message("MSG-00028", (text,))
    return None if same else Message("MSG-00005", (draft.key,))


def becomes(draft: Draft, action: Action, record: Record) -> tuple[Action, Message | None]:
    """Return what *action* is in truth, by what *draft* says of ``discard``, and what is wrong with it."""
    said = draft.parameter.get(DISCARD)
    if action is Action.DELETE:
        return action, None
    if said is not None:
        if said in ("1", 1):
            action = Action.DISCARD
        elif said in ("0", 0) and record.is_discarded:
            action = Action.RESTORE
        else:
            action = Action.UPDATE
    # The vendor would change it, or bring it back in silence where nothing is said (contract section 3.4).
    is_refused = record.is_discarded and action in (Action.DISCARD, Action.UPDATE)
    return action, Message("MSG-00023", (draft.key,)) if is_refused else None


def required(menu: Menu) -> list[str]:
    """Return the columns that a new record must have."""
    return [one.name for one in menu.columns if one.is_required and one.input in _TAKEN and not one.is_auto]


def missing(draft: Draft, names: Sequence[str], key: str) -> dict[str, Message]:
    """Return what is wrong, by column ("" for none), if a new record lacks some of the columns *names*."""
    if len(names) > len(draft.columns) + (key in draft.parameter and all(one.name != key for one in draft.columns)):
        # A list with one text in it: the vendor's message shows it so.
        return {"": Message("MSG-00024", (str([",".join(names)]),))}
    return {name: Message("MSG-00030") for name in names if name not in draft.parameter}


def kept_of(action: Action, columns: Sequence[Column]) -> list[Column]:
    """Return those of *columns* that an action changes; of what goes for good none is judged any more."""
    if action is Action.DELETE:
        return []
    if action in (Action.DISCARD, Action.RESTORE):
        return [one for one in columns if one.kind is Kind.REMARKS]
    return [one for one in columns if one.kind not in OF_RECORD]
