"""Shapes: what is read of a message by its texts alone is what the reader and the decoder make of it."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wire_values import MODELS, MOMENTS, XML_CHARACTERS, plain, values

from dispatcher.bindings.ivanti_automation import contract
from dispatcher.core.errors import DispatcherError
from dispatcher.wire.http import Request, Response
from dispatcher.wire.quotas import Quotas
from dispatcher.wire.scalars import WrongValue
from dispatcher.wire.soap import SoapEndpoint
from dispatcher.wire.webhttp import WebHttpEndpoint
from dispatcher.wire.xml_codec import encode_xml, xml_decoder
from dispatcher.wire.xml_reader import read_xml
from dispatcher.wire.xml_shapes import OFTEN, Shapes

S11 = "http://schemas.xmlsoap.org/soap/envelope/"
NIL = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"'
#: A job with every way to write a member, and what does not belong there.
JOB = (
    f'<?xml version="1.0" encoding="utf-8"?>\n<Job xmlns="http://x" {NIL.partition(" ")[0]}> <Description>one'
    "</Description><Comment>no member</Comment><Parameters><ParameterContainer><JobParameters>"
    "<JobParameter><Name>A</Name><Type>List</Type><Value1>1</Value1></JobParameter>"
    f"<JobParameter><Name/><Type></Type><Value1 {NIL}></Value1></JobParameter><JobParameter {NIL}/>"
    f"</JobParameters><JobName {NIL}/></ParameterContainer></Parameters><Tags a='b'>x</Tags>"
    "<ScheduleInParallel>true</ScheduleInParallel><What></What><When><ScheduledDateTime>2026-01-02T03:04:05"
    "</ScheduledDateTime></When><Who><JobWho><Type>1</Type></JobWho></Who></Job>"
).encode()


def decoded(model: Any, body: bytes) -> Any:
    try:
        return plain(xml_decoder(model)(read_xml(body, "utf-8", Quotas(), soap=False), UTC))
    except (DispatcherError, WrongValue) as error:
        return error


def learnt(model: Any, body: bytes, *, often: int = OFTEN, charset: str | None = "utf-8") -> Shapes[str]:
    shapes = Shapes[str](Quotas())
    learn(shapes, model, body, often, charset)
    return shapes


def learn(shapes: Shapes[str], model: Any, body: bytes, often: int = OFTEN, charset: str | None = "utf-8") -> None:
    root = read_xml(body, charset, Quotas(), soap=False)
    for _ in range(often):
        shapes.learn(body, charset, root, "meant", lambda writer: [writer.value(root, model)])


def known(shapes: Shapes[str], body: bytes, charset: str | None = "utf-8") -> Any:
    """Return what *body* is by its shape, None if it has to be read."""
    found = shapes.read(body, charset, UTC)
    return None if found is None else plain(found[1][0])


@settings(max_examples=60)
@given(st.data())
def test_what_every_declared_type_can_hold_is_read_as_the_decoder_reads_it(data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(MODELS))
    body = encode_xml(model, data.draw(values(model, XML_CHARACTERS, MOMENTS)))
    assert known(learnt(model, body), body) in (None, decoded(model, body))


@settings(max_examples=200)
@example(edits=[(0, 0, " ")])
@example(edits=[(JOB.index(b"one"), 3, "<![CDATA[x]]>")])
@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, len(JOB)),
            st.integers(0, 2),
            st.sampled_from(
                ["<", ">", "</", "/>", "&", "&amp;", "'", '"', "=", " ", "\r", "\n", "\x01", "\x85", "\xa0"]
            )
            | st.sampled_from(
                ["]]>", "<!--", "-->", "<?a?>", "x", "é", "\uffff", "\ufeff", ":", "<a/>", "<a>", "</a>"]
            ),
        ),
        max_size=3,
    )
)
def test_no_edit_is_read_as_something_else(edits: list[tuple[int, int, str]]) -> None:
    body = JOB
    for place, removed, added in edits:
        body = body[:place] + added.encode() + body[place + removed :]
    found = known(SHAPES, body)
    assert found is None or found == decoded(contract.Job, body)


SHAPES = learnt(contract.Job, JOB)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"one", "zw\N{LATIN SMALL LETTER O WITH DIAERESIS}lf ]] \t\n".encode()),
        (b"no member", b"whatever"),
        (b"List", b"Password"),
        (b">true<", b"> 0 <"),
        (b"2026-01-02T03:04:05", b"2027-01-02T03:04:05Z"),
        (b"<Type></Type>", b"<Type>2</Type>"),
        (b"<Type>1", b"<Type>Team"),
        (b"<What></What>", b"<What>\n\t </What>"),
    ],
)
def test_a_message_with_other_texts_is_known(old: bytes, new: bytes) -> None:
    body = JOB.replace(old, new)
    assert body != JOB
    found = known(SHAPES, body)
    assert found is not None
    assert found == decoded(contract.Job, body)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"one", b"a &amp; b"),
        (b"one", b"<![CDATA[one]]>"),
        (b"one", b"o<!-- -->ne"),
        (b"one", b"a\r\nb"),
        (b"one", b"a > b"),
        (b"one", b"\xff"),
        (b"one", b"\xef\xbf\xbf"),
        (b"<?xml", b" <?xml"),
        (b"<?xml", b"\xef\xbb\xbf<?xml"),
        (b"> <Description>", b">  <Description>"),
        (b"<What></What>", b"<What>nothing</What>"),
        (b"<What></What>", b"<What>\xc2\xa0</What>"),  # white space, but not to XML
        (b"<When>", b"<When>soon"),
        (b"</Job>", b"</Job>x"),
        (b"true", b"perhaps"),
        (b"List", b"No such type"),
    ],
)
def test_what_is_unusual_or_wrong_is_left_to_the_reader(old: bytes, new: bytes) -> None:
    assert known(SHAPES, JOB.replace(old, new, 1)) is None


@pytest.mark.parametrize("charset", ["utf-16", "None", 'utf-8>?xml version="1.0" encoding="utf-8"?', "utf-8>Job"])
def test_a_shape_goes_with_its_charset(charset: str) -> None:
    assert known(SHAPES, JOB) is not None
    assert known(SHAPES, JOB, charset) is None
    assert known(SHAPES, JOB.partition(b"\n")[2], charset) is None
    body = b"<Job><Description>a</Description></Job>"
    shapes = learnt(contract.Job, body, charset=None)
    assert known(shapes, body, None) is not None
    assert known(shapes, body, charset) is None


@pytest.mark.parametrize(
    "odd",
    [
        b"<Job><Description>a</Description><description>b</description></Job>",
        b"<Job><description>b</description></Job>",
        b"<Job><Description>a</Description><Description>b</Description></Job>",
        b"<Job><!-- a --><Description>a</Description></Job>",
        b"<Job><?a b?><Description>a</Description></Job>",
        b"<Job><Description>a<![CDATA[]]></Description></Job>",
        "<Jöb><Description>a</Description></Jöb>".encode(),
    ],
)
def test_odd_messages_have_no_shape(odd: bytes) -> None:
    assert known(learnt(contract.Job, odd), odd) is None


def test_a_shape_is_learnt_when_it_has_come_often() -> None:
    assert known(learnt(contract.Job, JOB, often=OFTEN - 1), JOB) is None


def test_however_many_shapes_come_few_are_kept_and_those_that_come_again_are_learnt_again() -> None:
    shapes = learnt(contract.Job, JOB)
    for number in range(70):
        others = f"<Other{number}/>" * (285 + number // 7)
        body = f"<Job><Description>a</Description><Comment>{others}</Comment></Job>".encode()
        learn(shapes, contract.Job, body)
        assert known(shapes, body)["Description"] == "a"
    assert sum(one.tags for alike in shapes._known.values() for one in alike) <= 20_000
    assert known(shapes, JOB) is None
    learn(shapes, contract.Job, JOB)
    assert known(shapes, JOB) == decoded(contract.Job, JOB)


def test_of_shapes_with_as_many_tags_those_learnt_last_are_known() -> None:
    bodies = [f"<Job><Other{number}/><Description>{number}</Description></Job>".encode() for number in range(33)]
    shapes = Shapes[str](Quotas())
    for body in bodies:
        learn(shapes, contract.Job, body)
    assert [known(shapes, body) is not None for body in bodies] == [False] + 32 * [True]


def test_few_are_counted() -> None:
    shapes = Shapes[str](Quotas())
    for number in range(1_200):
        learn(shapes, contract.Job, f"<Job><Description a{number}=''>a</Description></Job>".encode(), often=1)
    assert len(shapes._counts) <= 1_000


def test_large_messages_are_read() -> None:
    for much in (b"1" * 20_000, b"</Description>" + b"<a/>" * 600 + b"<Description>"):
        body = JOB.replace(b"one", much)
        assert known(learnt(contract.Job, body), body) is None


def store(text: str, header: str = "", number: str = "1") -> bytes:
    thing = f"<thing><Name>{text}</Name><Number>{number}</Number></thing>"
    return (
        f'<s:Envelope xmlns:s="{S11}">{header}<s:Body><Store xmlns="http://tempuri.org/">{thing}</Store></s:Body>'
        "</s:Envelope>"
    ).encode()


def post(soap: SoapEndpoint, body: bytes, **headers: str) -> Response:
    return soap(
        Request("POST", "/Echo/soap", headers={"content-type": "text/xml; charset=utf-8", **headers}, body=body)
    )


def test_an_endpoint_answers_by_shapes_what_it_answers_without(soap: SoapEndpoint) -> None:
    for number in range(2 * OFTEN):
        answer = post(soap, store(f"n{number}", number=str(number)))
        assert f"Name>n{number}<".encode() in answer.body
        assert f"Number>{number}<".encode() in answer.body
    assert len(soap._shapes._known) == 1
    wrong = post(soap, store("a", number="many"))
    assert wrong.status == 500
    assert b"thing/Number: 'many' is no integer" in wrong.body


@pytest.mark.parametrize("kind", ["forbidden", "missing", "defect"])
def test_whoever_has_done_nothing_teaches_nothing(soap: SoapEndpoint, kind: str) -> None:
    body = f'<s:Envelope xmlns:s="{S11}"><s:Body><Fail><kind>{kind}</kind></Fail></s:Body></s:Envelope>'.encode()
    for _ in range(2 * OFTEN):
        assert post(soap, body).status == 500
    assert not soap._shapes._known
    assert not soap._shapes._counts


def test_a_message_that_has_a_name_is_read_as_a_whole(soap: SoapEndpoint) -> None:
    addressing = 'xmlns:w="http://www.w3.org/2005/08/addressing"'
    for number in range(OFTEN + 1):
        headers = {"idempotency-key": f"key {number}"}
        request = Request("POST", "/Echo/soap", headers=headers, body=store("a"))
        soap(request)
        assert request.key == f"key {number}"
        assert b"<Name>a</Name>" in request.asked
        header = f"<s:Header {addressing}><w:MessageID>urn:{number}</w:MessageID></s:Header>"
        request = Request("POST", "/Echo/soap", headers={}, body=store("a", header))
        soap(request)
        assert request.key == f"urn:{number}"
    assert not soap._shapes._known


def test_rest_takes_bodies_by_shapes(rest: WebHttpEndpoint) -> None:
    for number in range(2 * OFTEN):
        body = f"<Thing><Name>n{number}</Name></Thing>".encode()
        answer = rest(Request("POST", "/Echo/things", headers={"content-type": "text/xml"}, body=body))
        assert f"<Name>n{number}</Name>".encode() in answer.body
    wrong = rest(Request("POST", "/Echo/things", headers={"content-type": "text/xml"}, body=b"<Thing><Name>a</Thing>"))
    assert wrong.status == 400
