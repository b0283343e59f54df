"""Exastro's codecs: what records, conditions and orders are read into, over menus that nothing is stored of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from dispatcher.bindings.exastro_ita.bodies import Bodies
from dispatcher.bindings.exastro_ita.texts import text
from dispatcher.core.errors import BadRequest
from dispatcher.services.exastro_ita import drafts, files
from dispatcher.services.exastro_ita.columns import Kind
from dispatcher.services.exastro_ita.columns_of.devices import device_list
from dispatcher.services.exastro_ita.device_checks import faults_of
from dispatcher.services.exastro_ita.filters import compile_filter
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.messages import InvalidRecords, ItaError, Message
from dispatcher.services.exastro_ita.orders import read_apply, read_execute, read_moment
from dispatcher.services.exastro_ita.records import Action, Record
from dispatcher.services.exastro_ita.sent_values import Unfit
from dispatcher.services.exastro_ita.sheets import to_menu
from dispatcher.services.exastro_ita.values import Forms
from dispatcher.services.secrets import Secrets
from dispatcher.wire.http import Request
from dispatcher.wire.quotas import Quotas

_SITE = ZoneInfo("Europe/Berlin")
_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_NOWHERE: Any = None
_SHEET = to_menu(
    UUID(int=1),
    {
        "name": "sheet_a",
        "columns": [
            {"name": "column_1", "max_bytes": 8, "pattern": "^(a|o|k)*$"},
            *({"name": kind, "kind": kind} for kind in ("lines", "number", "moment", "file", "link")),
            {"name": "whole", "kind": "integer", "min": -5, "max": 5},
            {"name": "day", "kind": "date"},
            {"name": "one_of", "kind": "choice", "choices": ["x", "y"]},
            {"name": "secret", "kind": "password", "max_bytes": 8},
        ],
    },
    _NOWHERE,
)
_MENUS = (_SHEET, device_list(_NOWHERE))


class _Lists:
    """Every list has the same two choices."""

    def id_of(self, _: str, sent: str) -> str | None:
        return {"x": "1", "machine": "2"}.get(sent)

    def text_of(self, _: str, key: str) -> str:
        return {"1": "x", "2": "machine"}[key]


_LISTS: Any = _Lists()
_FORMS = Forms(_LISTS, _SITE, Secrets(b"k" * 32), "ja")
_BODIES = Bodies(Quotas())


def _request(content_type: bytes, body: bytes) -> Request:
    return Request("POST", "/", "", {"content-type": content_type.decode("latin-1")}, body)


def _told(message: Message) -> None:
    """It has a text in both languages that can be written."""
    for language in ("ja", "en"):
        text(message, language).encode()


def records(data: bytes) -> None:
    """Read records of a sheet and of devices: what fits is stored, shown, and the same when that is sent again."""
    content_type, _, body = data.partition(b"\n")
    try:
        changes = _BODIES.changes(_request(content_type, body))
    except (BadRequest, ItaError):
        return
    menu = _MENUS[len(body) % len(_MENUS)]
    for index, item in enumerate(changes.items):
        draft = drafts.read(menu, index, item, {})
        values = _stored(menu, draft)
        record = Record(UUID(int=index), values, False, _NOW, "ann")
        orjson.dumps([_FORMS.parameter(menu, record)])
        if wrong := drafts.dated(draft, record, _SITE):
            _told(wrong)
        if draft.action is not None:
            drafts.becomes(draft, draft.action, record)
            assert draft.action in Action
        if menu is not _SHEET and values.get("host_name"):
            for found in faults_of({}, values).values():
                for message in found:
                    _told(message)


def _stored(menu: Menu, draft: drafts.Draft) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column in draft.columns:
        if column.kind in drafts.OF_RECORD:
            continue
        try:
            stored = values[column.name] = _FORMS.stored(column, draft.parameter[column.name])
        except Unfit as wrong:
            _told(wrong.message)
            continue
        if stored is not None and column.kind is Kind.FILE:
            values[column.name] = files.named(str(stored), b"")
        elif column.kind not in (Kind.PASSWORD, Kind.CHOICE):
            # Trailing zeros and parts of a moment may come in several spellings, which are stored alike.
            assert _FORMS.stored(column, _FORMS.shown(column, stored)) == stored, (column.name, stored)
    return values


_SHOWN = Record(
    UUID(int=1),
    {
        "host_name": "1",
        "column_1": "ok",
        "whole": 5,
        "number": 1.5,
        "day": "2031/06/01",
        "lines": "a\nb",
        "moment": "2031-06-01T00:00:00+00:00",
        "file": files.named("a.txt", b"x"),
        "secret": None,
        "one_of": None,
    },
    False,
    _NOW,
    "ann",
)


def filters(data: bytes) -> None:
    """Read conditions, and look whether a record meets them."""
    try:
        found = compile_filter(_SHEET, _BODIES.terms(_request(b"application/json", data)))
    except InvalidRecords as error:
        for faults in error.faults.values():
            for messages in faults.values():
                for message in messages:
                    _told(message)
        return
    except ItaError as error:
        _told(Message(error.result, error.values))
        return
    except BadRequest:
        return
    assert found.matches(_FORMS, _SHOWN) in (True, False)


def orders(data: bytes) -> None:
    """Read what is asked of ``apply``, and of ``conductor/execute``."""
    try:
        body = _BODIES.order(_request(b"application/json", data))
    except (BadRequest, ItaError):
        return
    for read in (read_apply, read_execute):
        try:
            order = read(body)
        except ItaError as error:
            _told(Message(error.result, error.values))
            continue
        try:
            moment = read_moment(order.schedule_date, _SITE)
        except ValueError:
            continue
        assert moment is None or moment.tzinfo is not None
