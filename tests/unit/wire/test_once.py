"""Once: what is sent again is written as if it were written anew, and is not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire_values import MODELS, MOMENTS, XML_CHARACTERS, values

from dispatcher.bindings.ivanti_automation.contract import Job, JobPage, JobWhat, JobWhen
from dispatcher.wire import once
from dispatcher.wire.json_codec import encode_json
from dispatcher.wire.once import Once
from dispatcher.wire.types import new
from dispatcher.wire.xml_codec import encode_xml, result_encoder

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
BERLIN = ZoneInfo("Europe/Berlin")
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
    kept, asked = Once(new(JobWhat)), []

    def write(record: Any) -> str:
        asked.append(record)
        return "text"

    assert [kept.written(form, write) for form in ("one", "two", "one")] == ["text"] * 3
    assert asked == [kept.record] * 2


def test_a_long_text_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "LONGEST", 3)
    kept = Once(new(JobWhat))
    texts = iter(["four", "4444", "333", "..."])

    assert [kept.written("form", lambda _: next(texts)) for _ in range(4)] == ["four", "4444", "333", "333"]
