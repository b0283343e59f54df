"""Orders for ``apply`` and ``conductor/execute``: what is refused before anything is looked up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.services.exastro_ita.messages import ItaError
from dispatcher.services.exastro_ita.orders import ApplyOrder, ExecuteOrder, Part, read_apply, read_execute, read_moment

TOKYO = ZoneInfo("Asia/Tokyo")
RECORD = {"type": "Register", "parameter": {"host_name": "h1"}}


@pytest.mark.parametrize(
    ("body", "result", "values"),
    [
        ({}, "499-01901", ("None",)),
        ({"conductor_class_name": ""}, "499-01901", ("",)),
        ({"parameter_info": "x"}, "499-01902", (None, "<class 'str'>")),
        ({"parameter_info": 1.5}, "499-01902", (None, "<class 'float'>")),
        ({"parameter_info": True}, "499-01902", (None, "<class 'bool'>")),
        ({"parameter_info": [RECORD, "x"]}, "499-01902", ("type", "<class 'list'>")),
        ({"parameter_info": ["x"]}, "499-01902", (None, "<class 'list'>")),
        ({"parameter_info": {"a": "x"}}, "499-01902", ("a", "<class 'list'>")),
        ({"parameter_info": {"a": [{"type": "Register"}]}}, "499-01903", ("a",)),
        ({"parameter_info": {"a": [{"parameter": {}}]}}, "499-01903", ("a",)),
        ({"parameter_info": {"a": [7]}}, "499-01903", ("a",)),
        ({"parameter_info": {"a": [{**RECORD, "parameter": []}]}}, "499-01903", ("a",)),
        ({"parameter_info": {"a": [{**RECORD, "type": "register"}]}}, "499-01904", ("a", "register")),
        ({"parameter_info": {"a": [{**RECORD, "type": "Delete"}]}}, "499-01904", ("a", "Delete")),
        ({"parameter_info": {"a": [{**RECORD, "type": None}]}}, "499-01904", ("a", "None")),
        ({"parameter_info": {"a": [{**RECORD, "type": "x" * 1_001}]}}, "499-01904", ("a", "x" * 1_000 + "…")),
    ],
)
def test_what_cannot_be_an_order_is_refused(body: dict[str, Any], result: str, values: tuple[object, ...]) -> None:
    whole = body if result == "499-01901" else {"conductor_class_name": "nightly", **body}
    with pytest.raises(ItaError) as refused:
        read_apply(whole)
    assert (refused.value.result, refused.value.values) == (result, values)


def test_one_object_stands_for_a_list_of_one() -> None:
    order = read_apply({"conductor_class_name": "c", "parameter_info": {"a": RECORD, "b": [RECORD, RECORD]}})
    assert order.parts == [Part("a", [RECORD]), Part("b", [RECORD, RECORD])]
    assert (order.has_info, order.menus) == (True, ["a", "b"])


def test_menus_stay_in_the_order_of_the_request() -> None:
    order = read_apply({"conductor_class_name": "c", "parameter_info": [{"b": RECORD}, {"a": RECORD}, {"b": RECORD}]})
    assert ([part.menu for part in order.parts], order.menus) == (["b", "a", "b"], ["b", "a"])


@pytest.mark.parametrize("nothing", [{}, [], "", None])
def test_without_parameter_info_or_a_name_there_is_none(nothing: object) -> None:
    order = read_apply({"conductor_class_name": "c", "operation_name": nothing, "parameter_info": nothing})
    assert order == ApplyOrder("c", None, None)


def test_execution_is_by_names_or_ids() -> None:
    names = {"conductor_class_name": "c", "operation_name": "o", "schedule_date": ""}
    ids = {"conductor_class_id": "1", "operation_id": "2"}
    assert read_execute({**ids, **names}) == ExecuteOrder("c", "o", "")
    assert read_execute(ids) == ExecuteOrder("1", "2", None, by_id=True)
    with pytest.raises(ItaError) as refused:
        read_execute({"conductor_class_name": "c"})
    assert (refused.value.result, refused.value.values) == ("499-00814", ("{'conductor_class_name': 'c'}",))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, True),
        ({"conductor": {"id": "1"}, "node-1": {"skip_flag": "0"}, "line-1": {}}, True),
        ({"node-1": {"skip_flag": 1}}, False),
        ("x", False),
    ],
)
def test_what_is_to_be_skipped_is_no_plain_order(data: object, expected: bool) -> None:
    assert ExecuteOrder("c", "o", None, data=data).is_plain is expected


@pytest.mark.parametrize("text", ["2031/06/01 02:00", "2031/06/01 02:00:00"])
def test_moments_are_read_by_the_clocks_of_the_site(text: str) -> None:
    assert read_moment(text, TOKYO) == datetime(2031, 5, 31, 17, 0, tzinfo=UTC)


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_moment_is_none(nothing: str | None) -> None:
    assert read_moment(nothing, TOKYO) is None


@pytest.mark.parametrize(
    "text",
    [
        *("2031-06-01 02:00", "2031/6/1 02:00", "2031/02/30 02:00", "2031/06/01 24:00", "0999/01/01 00:00"),
        *(" 2031/06/01 02:00", "2031/06/01 02:00:00.5", "2031/06/01 02:00Z", "2031/06/01 02:00\n", "٢٠٣١/06/01 02:00"),
        *(5, ["2031/06/01 02:00"]),
    ],
)
def test_anything_else_is_no_moment(text: object) -> None:
    with pytest.raises(ValueError, match=r"moment|range|month|hour"):
        read_moment(text, TOKYO)


@settings(max_examples=30)
@given(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31, 23, 59)))  # noqa: DTZ001 - what a client writes
def test_every_moment_of_the_calendar_is_read(local: datetime) -> None:
    whole = local.replace(second=0, microsecond=0)
    found = read_moment(f"{whole.year:04}/{whole:%m/%d %H:%M}", TOKYO)
    assert found is not None
    assert found.astimezone(TOKYO).replace(tzinfo=None) == whole
