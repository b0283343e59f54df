"""Lists are filtered, sorted, cut and shown as the words of their query say; every other word is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote, quote_plus
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from letters_api import letters_api
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from pydantic import Field

from dispatcher.core.errors import BadRequest, InvalidValue
from dispatcher.wire.http import Request
from dispatcher.wire.json_api import odata
from dispatcher.wire.json_api.models import LaxBool, Model
from dispatcher.wire.json_api.odata import Order, Query, fields_of, parse_query
from dispatcher.wire.json_api.odata_filter import Kind, Operator, Term
from dispatcher.wire.json_api.openapi import document
from dispatcher.wire.json_api.operations import operation


class Stamp(Model):
    Price: int


class Parcel(Model):
    context: str | None = Field(None, alias="@odata.context")
    Id: int
    Name: str | None = None
    Sent: Annotated[datetime | None, "when"] = None
    Guid: UUID | None = None
    IsUrgent: LaxBool = False
    Weight: float | None = None
    Stamps: list[Stamp] = []
    Either: int | str = 0


FIELDS = fields_of(Parcel)
PARCELS = [
    Parcel(Id=1, Name="beta", Weight=2.5),
    Parcel(Id=2, Name="Alpha", IsUrgent=True, Stamps=[Stamp(Price=1)]),
    Parcel(Id=3, Name=None, Guid=UUID(int=7)),
    Parcel(Id=4, Name="gamma", Sent=datetime(2031, 5, 1, tzinfo=UTC), IsUrgent=True),
    Parcel(Id=5, Name="alphabet"),
]


def test_fields_are_those_of_the_model_with_what_they_hold() -> None:
    assert FIELDS == {
        "Id": Kind.NUMBER,
        "Name": Kind.TEXT,
        "Sent": Kind.MOMENT,
        "Guid": Kind.GUID,
        "IsUrgent": Kind.FLAG,
        "Weight": Kind.NUMBER,
        "Stamps": Kind.OTHER,
        "Either": Kind.OTHER,
    }


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", Query()),
        ("_=1&format=json&&x", Query()),
        ("$top=2&$skip=3&$count=true", Query(top=2, skip=3, is_counted=True)),
        ("%24TOP=0&%24Count=False&$skip=+0+", Query(top=0)),
        ("$orderby=name", Query(order=Order("Name"))),
        ("$orderby=Name+ASC", Query(order=Order("Name"))),
        ("$orderby=%20id%20Desc%20", Query(order=Order("Id", is_descending=True))),
        ("$select=Stamps,%20ID", Query(select=("Id", "Stamps"))),
        ("$select=*", Query()),
        ("$filter=&$select=&$orderby=", Query()),
        ("$filter=Name+eq+%27a%2Bb%26c%27", Query(terms=(Term("Name", Operator.EQUALS, "a+b&c"),))),
        ("$filter=contains(Name,'ä%C3%A4')", Query(terms=(Term("Name", Operator.CONTAINS, "ää"),))),
    ],
)
def test_words_are_read(text: str, query: Query) -> None:
    assert parse_query(text, FIELDS) == query


@pytest.mark.parametrize(
    ("text", "member"),
    [
        ("$top=-1", "$top"),
        ("$top=", "$top"),
        ("$top=1.0", "$top"),
        ("$top=1_0", "$top"),
        ("$top=1234567890", "$top"),
        ("$skip=x", "$skip"),
        ("$skip=%D9%A1", "$skip"),
        ("$count=yes", "$count"),
        ("$expand=Stamps", "$expand"),
        ("$search=x", "$search"),
        ("$format=json", "$format"),
        ("$apply=x", "$apply"),
        ("$skiptoken=x", "$skiptoken"),
        ("$=x", "$"),
        ("$orderby=Name,Id", "$orderby"),
        ("$orderby=Name up", "$orderby"),
        ("$orderby=Name desc asc", "$orderby"),
        ("$orderby=Stamps", "$orderby"),
        ("$orderby=Nothing", "$orderby"),
        ("$select=Id,Nothing", "$select"),
        ("$select=Id,", "$select"),
        ("$select=Stamps/Price", "$select"),
        ("$filter=Id lt 3", "$filter"),
        ("$filter=Nothing eq 'x'", "$filter"),
        ("$top=1&$TOP=2", "$top"),
        ("$filter=" + "x" * 8_193, "$filter"),
        ("$select=" + "Id," * 101, "$select"),
        ("&" * 100, "query"),
        ("$filter=Name eq '%00'", "$filter"),
    ],
)
def test_everything_else_is_told_by_its_word(text: str, member: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_query(text, FIELDS)
    assert caught.value.message.startswith(f"{member}: ")


@pytest.mark.parametrize(
    ("text", "ids", "total"),
    [
        ("", [1, 2, 3, 4, 5], 5),
        ("$filter=contains(Name,'ALPHA')", [2, 5], 2),
        ("$filter=IsUrgent eq true and contains(Name,'a')", [2, 4], 2),
        ("$filter=Name eq null", [3], 1),
        ("$filter=Weight eq 2.5", [1], 1),
        (f"$filter=Guid eq {UUID(int=7)}", [3], 1),
        ("$filter=Sent eq 2031-05-01T00:00:00Z", [4], 1),
        ("$orderby=Name", [3, 2, 5, 1, 4], 5),
        ("$orderby=Name desc", [4, 1, 5, 2, 3], 5),
        ("$orderby=IsUrgent", [1, 3, 5, 2, 4], 5),
        ("$orderby=IsUrgent desc", [2, 4, 1, 3, 5], 5),
        ("$orderby=Sent desc&$top=1", [4], 5),
        ("$top=2&$skip=1", [2, 3], 5),
        ("$skip=4&$top=10", [5], 5),
        ("$skip=999999999", [], 5),
        ("$top=0", [], 5),
        ("$filter=Id eq 3&$top=0", [], 1),
    ],
)
def test_lists_are_filtered_sorted_and_cut(text: str, ids: list[int], total: int) -> None:
    page, found = parse_query(text, FIELDS).apply(PARCELS)
    assert ([one.Id for one in page], found) == (ids, total)


def test_values_may_be_found_in_another_way() -> None:
    rows = [{"Id": 2}, {"Id": 1}]
    page, _ = parse_query("$orderby=Id", {"Id": Kind.NUMBER}).apply(rows, lambda row, field: row[field])
    assert page == [{"Id": 1}, {"Id": 2}]


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_can_be_asked_for_in_either_encoding(text: str) -> None:
    literal = text.replace("'", "''")
    term = Term("Name", Operator.EQUALS, text)
    for encoded in (quote(f"Name eq '{literal}'"), quote_plus(f"Name eq '{literal}'")):
        assert parse_query(f"$filter={encoded}", FIELDS).terms == (term,)


@given(st.text("$filterop=&%20+24orderbyselect'Nameq()1,-", max_size=40) | st.text(max_size=40))
def test_any_query_is_read_or_refused(text: str) -> None:
    try:
        query = parse_query(text, FIELDS)
    except BadRequest:
        return
    page, total = query.apply(PARCELS)
    assert len(page) <= total <= len(PARCELS)


class Parcels:
    @operation("GET /letters/v1/Parcels", summary="List parcels")
    def parcels(self, request: Request, query: odata.Words) -> odata.Listed[Parcel]:
        wanted = query.query(FIELDS)
        page, total = wanted.apply(PARCELS)
        return odata.Listed[Parcel].of(odata.context(request, "/letters/v1", "Parcels"), page, total, wanted)

    @operation("GET /letters/v1/Parcels(<parcel>)", "GET /letters/v1/Parcels/<parcel>", summary="Get a parcel")
    def parcel(self, request: Request, parcel: str) -> Parcel:
        context = odata.context(request, "/letters/v1", "Parcels/$entity")
        return PARCELS[int(parcel) - 1].model_copy(update={"context": context})


API = letters_api(handlers=[Parcels()], any_case=True)


def get(path: str, query: str = "", omit_none: bool = False) -> tuple[int, Any]:
    api = letters_api(handlers=[Parcels()], any_case=True, omit_none=omit_none)
    response = api(Request("GET", path, query, host="jobs.example:8080"))
    return response.status, json.loads(response.body)


def test_a_list_is_answered_with_its_context() -> None:
    status, answer = get("/letters/v1/parcels", "$top=1&$skip=1")
    assert status == 200
    assert [*answer] == ["@odata.context", "value"]
    assert answer["@odata.context"] == "http://jobs.example:8080/letters/v1/$metadata#Parcels"
    (entity,) = answer["value"]
    assert (entity["Name"], entity["Stamps"], entity["Guid"]) == ("Alpha", [{"Price": 1}], None)


def test_it_is_counted_before_it_is_cut_if_that_is_asked_for() -> None:
    _, answer = get("/letters/v1/parcels", "$top=1&$count=true&$filter=contains(Name,'a')")
    assert [*answer] == ["@odata.context", "@odata.count", "value"]
    assert (answer["@odata.count"], len(answer["value"])) == (4, 1)


@pytest.mark.parametrize("omit_none", [True, False])
def test_fields_are_shown_as_they_are_selected_in_the_order_of_the_model(omit_none: bool) -> None:
    _, answer = get("/letters/v1/parcels", "$select=name,ID&$filter=Id eq 2", omit_none=omit_none)
    assert json.dumps(answer["value"]) == '[{"Id": 2, "Name": "Alpha"}]'


def test_one_is_found_by_its_key_with_a_context_of_its_own() -> None:
    for path in ("/letters/v1/Parcels(2)", "/letters/v1/parcels('2')", "/letters/v1/PARCELS/2/"):
        status, answer = get(path)
        assert (status, answer["Name"]) == (200, "Alpha")
        assert answer["@odata.context"] == "http://jobs.example:8080/letters/v1/$metadata#Parcels/$entity"


def test_wrong_words_are_told_in_the_dialect_s_own_way() -> None:
    for query, member in (("$top=-1", "$top"), ("$expand=x", "$expand"), ("$filter=Id ne 1", "$filter")):
        status, told = get("/letters/v1/parcels", query)
        assert (status, told["Members"]) == (400, [member])


def test_where_a_list_goes_on_the_same_is_asked_for() -> None:
    raw = "$filter=contains(Name,'a%26b+%25 ä')&$orderby=Name desc&$top=9&$skip=2&$count=TRUE&$select=Id,Name"
    words = odata.Words.model_validate(odata.read_words(raw))
    following = odata.Words.model_validate(odata.read_words(words.behind(4)))
    assert following == words.model_copy(update={"top": 5, "skip": 6})
    assert odata.Words().behind(4) == "$skip=4"


def test_words_and_lists_are_described() -> None:
    described = document(API)
    validate(described, cls=OpenAPIV31SpecValidator)
    assert [*described["paths"]] == [
        "/letters/v1/Parcels",
        "/letters/v1/Parcels({parcel})",
        "/letters/v1/Parcels/{parcel}",
    ]
    listing = described["paths"]["/letters/v1/Parcels"]["get"]
    words = {one["name"]: one for one in listing["parameters"]}
    assert [*words] == ["$filter", "$orderby", "$top", "$skip", "$count", "$select"]
    assert all(one["description"] and not one["required"] for one in words.values())
    reference = listing["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    answer = described["components"]["schemas"][reference.rpartition("/")[2]]
    assert [*answer["properties"]] == ["@odata.context", "@odata.count", "value", "@odata.nextLink"]
    entity = answer["properties"]["value"]["items"]["$ref"].rpartition("/")[2]
    assert "Stamps" in described["components"]["schemas"][entity]["properties"]
    keyed = described["paths"]["/letters/v1/Parcels({parcel})"]["get"]
    assert [one["name"] for one in keyed["parameters"]] == ["parcel"]


def test_a_wrong_query_of_a_service_is_an_error_of_its_word() -> None:
    with pytest.raises(InvalidValue) as caught:
        odata.Words().model_copy(update={"orderby": "x"}).query(FIELDS)
    assert caught.value.member == "$orderby"
