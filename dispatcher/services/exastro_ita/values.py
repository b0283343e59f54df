"""Values: the forms that they have, sent, stored and shown, and how one becomes another."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

from dispatcher.services.exastro_ita.columns import Column, Kind
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.moments import to_local
from dispatcher.services.exastro_ita.records import Record
from dispatcher.services.exastro_ita.sent_values import Unfit, read, text_of, told
from dispatcher.services.secrets import Secrets

if TYPE_CHECKING:
    from dispatcher.services.exastro_ita.choices import Lists


@dataclass(frozen=True, slots=True)
class Forms:
    """Brings values from one form (``services.exastro_ita.columns``) into another, for the records of one menu."""

    lists: Lists
    zone: tzinfo
    secrets: Secrets
    language: str

    def after_sheet(self) -> Forms:
        """Return this with the lists as they are once records of a sheet have changed."""
        return replace(self, lists=self.lists.after_sheet())

    def stored(self, column: Column, sent: Any) -> Any:
        """Return *sent* as it is stored; None, which is nothing, stays that. What is required is not asked for.

        :raises Unfit: if it does not fit the column.
        """
        if sent is None:
            return None
        if column.kind is Kind.CHOICE:
            return self._several(column, sent) if column.is_many else self._choice(column, sent)
        value = read(column, sent, self.zone)
        if column.kind is Kind.PASSWORD:
            return self.secrets.seal(value) if value else None
        return value

    def shown(self, column: Column, stored: Any) -> Any:
        """Return *stored* as it is shown."""
        if column.is_many:
            texts = [self.lists.text_of(column.choices, key) for key in stored or ()]
            return json.dumps(list(dict.fromkeys(texts)), ensure_ascii=False)
        if stored is None:
            return None
        shower = _SHOWERS.get(column.kind)
        return stored if shower is None else shower(self, column, stored)

    def _choice(self, column: Column, sent: Any) -> str:
        key = None if isinstance(sent, dict | list) else self.lists.id_of(column.choices, text_of(sent))
        if key is None:
            raise Unfit("MSG-00032", told(sent))
        return key

    def _several(self, column: Column, sent: Any) -> list[str] | None:
        """Return the ids of several texts: a list of them, or JSON for one, as answers have it."""
        try:
            texts = json.loads(sent) if isinstance(sent, str) and sent else sent or []
        except (ValueError, RecursionError):
            texts = None
        if not isinstance(texts, list):
            raise Unfit("499-01701")
        return sorted({self._choice(column, text) for text in texts}) or None

    def parameter(self, menu: Menu, record: Record) -> dict[str, Any]:
        """Return the member ``parameter`` of the answer for a record: the values of the columns that are shown."""
        return {
            column.name: self.of_record(column, record)
            for column in menu.columns
            if column.is_viewed and column.kind is not Kind.BUTTON
        }

    def of_record(self, column: Column, record: Record) -> Any:
        """Return what is shown of *record* in *column*."""
        match column.kind:
            case Kind.KEY:
                return str(record.id)
            case Kind.DISCARD:
                return "1" if record.is_discarded else "0"
            case Kind.CHANGED_AT:
                return moment_text(record.changed_at, self.zone, is_exact=True)
            case Kind.CHANGED_BY:
                return record.changed_by
            case _:
                return self.shown(column, record.values.get(column.name))


def moment_text(moment: datetime, zone: tzinfo, *, is_exact: bool = False) -> str:
    """Return how *moment* is shown by the clocks of *zone*: to the second, or with its microseconds."""
    local = to_local(moment, zone)
    text = f"{local.year:04}/{local:%m/%d %H:%M:%S}"  # %Y has fewer digits before the year 1000
    return f"{text}.{local.microsecond:06}" if is_exact else text


def _show_choice(forms: Forms, column: Column, stored: Any) -> str:
    return forms.lists.text_of(column.choices, str(stored))


def _show_moment(forms: Forms, _column: Column, stored: Any) -> str:
    try:
        return moment_text(datetime.fromisoformat(stored), forms.zone)
    except (TypeError, ValueError):
        return str(stored)  # left from a column of another kind that had this name


def _show_nothing(_forms: Forms, _column: Column, _stored: Any) -> None:
    return None


def _show_file(_forms: Forms, _column: Column, stored: Any) -> str:
    return str(stored["name"]) if isinstance(stored, dict) else str(stored)


_SHOWERS: Mapping[Kind, Callable[[Forms, Column, Any], Any]] = {
    Kind.CHOICE: _show_choice,
    Kind.MOMENT: _show_moment,
    Kind.PASSWORD: _show_nothing,
    Kind.BUTTON: _show_nothing,
    Kind.FILE: _show_file,
}
