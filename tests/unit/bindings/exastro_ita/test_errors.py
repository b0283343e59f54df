"""Errors: which code, status and members each failure is told by."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from dispatcher.bindings.exastro_ita.binding import _TOO_LARGE
from dispatcher.bindings.exastro_ita.envelope import to_status, to_wire_moment
from dispatcher.bindings.exastro_ita.errors import Errors
from dispatcher.core.errors import (
    BadRequest,
    Conflict,
    DispatcherError,
    Forbidden,
    InvalidValue,
    JobNotFound,
    KeyReused,
    NotAuthenticated,
    QuotaExceeded,
    Unavailable,
)
from dispatcher.core.permissions import Caller
from dispatcher.services.exastro_ita.messages import NO_COLUMN, InvalidRecords, ItaError, Message
from dispatcher.web.receiving import Refused, too_large
from dispatcher.wire.faults import status_of
from dispatcher.wire.http import Request
from dispatcher.wire.json_api.failures import STATUSES, Failure, InvalidMessage, NoSuchPath, Problem
from dispatcher.wire.json_reader import read_json
from dispatcher.wire.quotas import Quotas

NOW = datetime(2031, 4, 5, 6, 7, 8, 901_234, UTC)
BASE = "/api/org9/workspaces/ws2/ita"
FORBIDDEN = Forbidden("ann", "Modify", "Jobs/Scheduling")


def tell(error: DispatcherError | None, path: str = "menu/m/filter/", language: str = "en", status: int = 0) -> Any:
    request = Request("POST", f"{BASE}/{path}", caller=Caller("ann", language=language))
    failure = Failure(request, status, "why", None)
    if error is not None:
        failure = Failure(request, status_of(STATUSES, error), error.message, error)
    reply = Errors(lambda: NOW)(failure)
    assert reply.body["ts"] == "2031-04-05T06:07:08.901Z"
    return reply.status, reply.body


@pytest.mark.parametrize(
    ("error", "path", "status", "result", "message"),
    [
        (
            ItaError("499-00002", "m"),
            "menu/m/",
            499,
            "499-00002",
            'The target menu does not exist in "Menu list". (menu: m)',
        ),
        (ItaError("498-00001"), "apply", 498, "498-00001", "Data cannot be registered or updated due to maintenance."),
        (ItaError("999-99999"), "apply", 500, "999-99999", "System Error"),
        (
            ItaError("401-00002", "Delete", "m"),
            "menu/m/",
            401,
            "401-00002",
            "You do not have permission to operate Delete on the target menu. (menu: m)",
        ),
        (
            FORBIDDEN,
            "menu/m/x",
            401,
            "401-00001",
            "You do not have access privileges to the target menu. (menu: m)",
        ),
        (
            FORBIDDEN,
            "apply/",
            401,
            "401-00001",
            "You do not have access privileges to the target menu. (menu: conductor_class_edit)",
        ),
        (InvalidValue("x", "is wrong"), "apply", 400, "400-00002", "Request-Body Paramater(x) is Invalid"),
        (InvalidMessage([Problem("a.b", "x")]), "apply", 400, "400-00002", "Request-Body Paramater(a.b) is Invalid"),
        (BadRequest("x"), "apply", 400, "400-00002", "Request-Body Paramater(json_format) is Invalid"),
        (QuotaExceeded("too {deep}"), "apply", 400, "400-00002", "Request-Body Paramater(too {deep}) is Invalid"),
        (NoSuchPath("/x"), "x", 404, "404-00001", "There is nothing here. (no path /x)"),
        (JobNotFound("x"), "x", 404, "404-00001", "There is nothing here. (no job x)"),
        (Conflict("taken"), "x", 409, "409-00001", "This contradicts what is stored. (taken)"),
        (
            KeyReused(),
            "x",
            409,
            "409-00001",
            "This contradicts what is stored. (the idempotency key (or MessageID) was given for another "
            "request before)",
        ),
        (Unavailable("busy"), "x", 503, "503-00001", "This is not available for now. (busy)"),
        (DispatcherError("secret"), "x", 500, "999-99999", "System Error"),
    ],
)
def test_errors_have_codes(error: DispatcherError, path: str, status: int, result: str, message: str) -> None:
    told_status, body = tell(error, path)
    body.pop("ts")
    assert (told_status, body) == (status, {"message": message, "result": result})
    assert tell(error, path, "ja")[1]["message"] != message


def test_the_platform_has_data_in_its_errors() -> None:
    assert tell(NotAuthenticated())[1].items() >= {"data": None, "message": "認証に失敗しました。"}.items()
    assert tell(FORBIDDEN, "version")[1].items() >= {"data": None, "message": "Permission error"}.items()
    assert tell(ItaError("403-00001"))[1].items() >= {"data": None, "result": "403-00001"}.items()


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (400, "400-00001"),
        (403, "403-00001"),
        (408, "408-00001"),
        (413, "413-00001"),
        (503, "503-00001"),
        (500, "999-99999"),
        (431, "999-99999"),
    ],
)
def test_what_the_web_layer_refuses_is_told_with_its_reason(status: int, result: str) -> None:
    told_status, body = tell(None, status=status)
    assert (body["result"], body.keys()) == (result, {"message", "result", "ts"})
    assert told_status == (500 if result == "999-99999" else status)
    assert ("why" in body["message"]) == (result != "999-99999")


def test_a_wrong_method_is_named_alone() -> None:
    assert tell(None, status=405)[1]["message"] == "This method is not possible here. (POST)"
    assert tell(None, status=405, language="ja")[1]["message"] == "使用できないメソッドです。(POST)"


QUOTAS = Quotas(message_bytes=90, json_depth=2, json_containers=3, string_chars=4, json_integer_digits=5)


@pytest.mark.parametrize("sent", [" " * 91, "[[[[]]]]", "[[],[],[],[]]", '["aaaaa"]', "[123456]"])
def test_what_other_layers_say_is_told_in_japanese_too(sent: str) -> None:
    with pytest.raises(QuotaExceeded) as caught:
        read_json(sent.encode(), None, QUOTAS)
    assert caught.value.message in tell(caught.value)[1]["message"]
    assert told_in_japanese(tell(caught.value, language="ja"))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NoSuchPath("/1\n2"), 0),
        (KeyReused(), 0),
        (too_large(9), 413),
        (QuotaExceeded(_TOO_LARGE), 0),
        (Refused(408, "the message was not received in time"), 408),
    ],
)
def test_reasons_for_refusals_are_told_in_japanese_too(error: Any, status: int) -> None:
    if status == 0:
        assert told_in_japanese(tell(error, language="ja"))
        return
    request = Request("POST", BASE, caller=Caller("ann", language="ja"))
    reply = Errors(lambda: NOW)(Failure(request, status, error.message))
    assert told_in_japanese((reply.status, reply.body))


def told_in_japanese(answer: Any) -> bool:
    told = answer[1]["message"].replace("JSON", "").replace("byte", "").replace("Idempotency-Key", "")
    return re.search("[A-Za-z]", told) is None


def test_only_who_is_known_is_told_so_in_the_own_language() -> None:
    request = Request("POST", BASE, caller=Caller("ann", language="en", is_first_login_pending=True))
    failure = Failure(request, 401, "why", NotAuthenticated())
    assert Errors(lambda: NOW)(failure).body["message"] == "Certification failed."


FAULTS = InvalidRecords(
    {
        2: {NO_COLUMN: [Message("MSG-00028", (None,))]},
        1: {"column_1": [Message("MSG-00008", (8, 30)), Message("MSG-00030")]},
    },
    "sheet_a",
)


def test_records_are_told_as_a_text_but_by_apply_as_an_object() -> None:
    status, body = tell(FAULTS, language="ja")
    assert (status, body["result"]) == (499, "499-00201")
    assert body["message"] == (
        '{"1": {"column_1": ["文字長エラー (閾値:値<=8byte, 値:30byte)", "必須項目です。"]}, '
        '"2": {"(個別チェック)": ["最終更新日時が不正です。(None)"]}}'
    )
    # Contract section 3.7: the sample's own spelling.
    assert tell(FAULTS, "apply/", "ja")[1]["message"] == {
        "1": {
            "column_1": [
                "文字長エラー (閾値 : 値<=8byte, 値 : 30byte), menu : sheet_a",
                "必須項目です。, menu : sheet_a",
            ]
        },
        "2": {"(個別チェック)": ["最終更新日時が不正です。(None), menu : sheet_a"]},
    }
    assert json.loads(tell(FAULTS)[1]["message"])["2"] == {
        "Individual check": ["last_update_date_time is invalid (None)"]
    }


def test_the_status_is_the_first_three_digits() -> None:
    assert [to_status(one) for one in ("000-00000", "401-00001", "499-00201", "500-00001", "999-99999")] == [
        200,
        401,
        499,
        500,
        500,
    ]


def test_moments_are_utc_with_milliseconds() -> None:
    local = datetime(2031, 4, 5, 15, 7, 8, 999_999, timezone(timedelta(hours=9)))
    assert to_wire_moment(local) == "2031-04-05T06:07:08.999Z"
