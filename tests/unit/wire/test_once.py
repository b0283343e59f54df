"""Once: what is sent again is written as if it were written anew, and is not; alike around texts."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire_values import MODELS, MOMENTS, XML_CHARACTERS, values

from dispatcher.bindings.ivanti_automation.contract import (
    Job,
    JobPage,
    JobParameter,
    JobWhat,
    JobWhen,
    ParameterContainer,
)
from dispatcher.wire import once
from dispatcher.wire.json_codec import encode_json
from dispatcher.wire.once import GAP, Blanks, Filled, Once
from dispatcher.wire.types import DataContract, new
from dispatcher.wire.xml_codec import encode_xml, result_encoder

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
BERLIN = ZoneInfo("Europe/Berlin")
ANY_CHARACTERS = st.characters()
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("model", MODELS, ids=lambda one: one.get_type_name())
@given(data=st.data())
@quick
def test_every_record_is_written_as_without_it(model: Any, data: st.DataObject) -> None:
    record = data.draw(values(model, XML_CHARACTERS, MOMENTS))
    kept, in_soap = Once(record), result_encoder(model, "Result")

    for _ in range(2):
        assert encode_xml(model, kept) == encode_xml(model, record)
        assert in_soap(kept) == in_soap(record)
        assert encode_json(model, kept) == encode_json(model, record)


@pytest.mark.parametrize("model", MODELS, ids=lambda one: one.get_type_name())
@given(data=st.data())
@quick
def test_every_list_is_written_as_without_it(model: Any, data: st.DataObject) -> None:
    record = data.draw(values(model, XML_CHARACTERS, MOMENTS))
    kept, in_soap = with_lists_once(record), result_encoder(model, "Result")

    for _ in range(2):
        assert encode_xml(model, kept) == encode_xml(model, record)
        assert in_soap(kept) == in_soap(record)
        assert encode_json(model, kept, BERLIN) == encode_json(model, record, BERLIN)


def with_lists_once(value: Any) -> Any:
    """Return a copy of a record in which every list stands once."""
    if isinstance(value, list):
        return Once([with_lists_once(item) for item in value])
    if not isinstance(value, DataContract):
        return value
    return new(type(value), **{name: with_lists_once(member) for name, member in vars(value).items()})


def test_each_place_has_a_text_of_its_own() -> None:
    record = new(Job, JobID="{1}", Description="a <b> & c/d \ud800")
    kept = Once(record)

    for _ in range(2):
        for item in (record, kept):
            page = new(JobPage, CurrentPage=1, Items=[item, item], PageCount=1, PageSize=2, TotalCount=2)
            plain = new(JobPage, CurrentPage=1, Items=[record, record], PageCount=1, PageSize=2, TotalCount=2)
            assert encode_xml(JobPage, page) == encode_xml(JobPage, plain)
            assert encode_json(JobPage, page) == encode_json(JobPage, plain)
            assert encode_xml(Job, item) == encode_xml(Job, record)


def test_moments_are_in_the_zone_that_is_asked_for() -> None:
    record = new(JobWhen, ScheduledDateTime=NOON)
    kept = Once(record)

    for zone in (UTC, BERLIN, UTC, BERLIN):
        assert encode_json(JobWhen, kept, zone) == encode_json(JobWhen, record, zone)
    assert encode_json(JobWhen, kept, UTC) != encode_json(JobWhen, kept, BERLIN)


def test_a_form_is_written_once() -> None:
    kept = Once(new(JobWhat, Name="first"))
    before = encode_xml(JobWhat, kept), encode_json(JobWhat, kept)
    kept.value.Name = "second"

    assert (encode_xml(JobWhat, kept), encode_json(JobWhat, kept)) == before
    assert b"second" in result_encoder(JobWhat, "Result")(kept).encode()
    assert b"second" in encode_json(JobWhat, kept, BERLIN)


@pytest.mark.parametrize("encode", [encode_xml, encode_json])
def test_a_long_text_is_not_kept(encode: Callable[[Any, Any], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    short, long = Once(new(JobWhat, Name="first")), Once(new(JobWhat, Name="longer"))
    monkeypatch.setattr(once, "LONGEST", len(encode(JobWhat, short.value)))
    for kept in (short, long):
        encode(JobWhat, kept)
        kept.value.Name = "second"

    assert b"second" not in encode(JobWhat, short)
    assert b"second" in encode(JobWhat, long)


@pytest.mark.parametrize("member", ["Description", "Value1", "Value3"])  # the first one, one in between, the last one
@given(data=st.data())
@quick
def test_a_record_is_written_around_texts_as_with_them(member: str, data: st.DataObject) -> None:
    given_one = vars(data.draw(values(ParameterContainer, XML_CHARACTERS, MOMENTS)))
    records = data.draw(st.lists(values(JobParameter, ANY_CHARACTERS, MOMENTS), max_size=3))

    def container(texts: list[str]) -> Any:
        written = [new(JobParameter, **{**vars(one), member: text}) for one, text in zip(records, texts, strict=False)]
        return new(ParameterContainer, **{**given_one, "JobParameters": written, "TaskContainerName": texts[-1]})

    blanks, in_soap = Blanks(container([GAP] * (len(records) + 1))), result_encoder(ParameterContainer, "Result")
    for _ in range(2):
        texts = data.draw(st.lists(st.text(), min_size=len(records) + 1, max_size=len(records) + 1))
        plain = container(texts)
        for one in (Filled(blanks, texts), Once(Filled(blanks, texts))):
            assert encode_xml(ParameterContainer, one) == encode_xml(ParameterContainer, plain)
            assert in_soap(one) == in_soap(plain)
            assert encode_json(ParameterContainer, one, BERLIN) == encode_json(ParameterContainer, plain, BERLIN)
            for list_of, list_plain in (([one, plain], [plain, plain]), (Once([one]), [plain])):
                job, plain_job = new(Job, Parameters=list_of), new(Job, Parameters=list_plain)
                assert encode_xml(Job, job) == encode_xml(Job, plain_job)
                assert encode_json(Job, job) == encode_json(Job, plain_job)


@pytest.mark.parametrize("encode", [encode_xml, encode_json])
def test_a_record_is_written_once_around_its_texts(
    encode: Callable[[Any, Any], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    for longest, is_kept in ((1_000, True), (10, False)):
        monkeypatch.setattr(once, "LONGEST", longest)
        blanks = Blanks(new(JobParameter, Name="first", Value1=GAP))
        assert b"value" in encode(JobParameter, Filled(blanks, ["value"]))
        blanks.record.Name = "second"
        assert (b"first" in encode(JobParameter, Filled(blanks, [""]))) is is_kept
        assert not re.search(f"value|{GAP}".encode(), encode(JobParameter, Filled(blanks, [""])))
