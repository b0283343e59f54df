"""SOAP: both versions at one address, any envelope that means something, a fault for all else."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from echo_service import NAMESPACE
from lxml import etree

from dispatcher.bindings.ivanti_automation.faults import STATUSES
from dispatcher.core.permissions import Caller
from dispatcher.wire.http import Request, Response
from dispatcher.wire.soap import STATUS_NAMES, SoapEndpoint

S11, S12 = "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"
NET = "http://schemas.microsoft.com/net/2005/12/windowscommunicationfoundation/dispatcher"
XML_11 = {"content-type": "text/xml; charset=utf-8"}
XML_12 = {"content-type": "application/soap+xml; charset=utf-8"}


def envelope(body: str, namespace: str = S11, header: str = "") -> bytes:
    return f'<s:Envelope xmlns:s="{namespace}">{header}<s:Body>{body}</s:Body></s:Envelope>'.encode()


def post(soap: SoapEndpoint, body: bytes, headers: dict[str, str] | None = None, **members: Any) -> Response:
    return soap(Request("POST", "/Echo/soap", headers=XML_11 if headers is None else headers, body=body, **members))


def fault(response: Response) -> tuple[str, str]:
    """Return code and text of a fault, whichever version it is; of codes in one another the innermost."""
    root = etree.fromstring(response.body)
    assert response.content_type.split(";")[0] == ("text/xml" if S11 in root.tag else "application/soap+xml")
    (found,) = root.iter("{*}Fault")
    texts = {etree.QName(one).localname: one.text or "" for one in found.iter("{*}*", "*") if not len(one)}
    values = [one.text for one in found.iter("{*}Value")]
    return (texts.get("faultcode") or str(values[-1])), texts.get("faultstring") or texts["Text"]


def result(response: Response) -> Any:
    assert response.status == 200, response.body
    ((element,),) = etree.fromstring(response.body)
    return element


@pytest.mark.parametrize(
    ("namespace", "headers", "media"),
    [
        (S11, XML_11, "text/xml"),
        (S12, XML_12, "application/soap+xml"),
        (S12, XML_11, "application/soap+xml"),  # the envelope decides
        (S11, XML_12, "text/xml"),
        (S11, {}, "text/xml"),
        (S11, {"content-type": "text/xml"}, "text/xml"),
        (S12, {"content-type": 'application/soap+xml; charset=utf-8; action="x"'}, "application/soap+xml"),
    ],
)
def test_answer_is_in_the_version_of_the_envelope(
    soap: SoapEndpoint, namespace: str, headers: dict[str, str], media: str
) -> None:
    answer = post(soap, envelope(f'<Show xmlns="{NAMESPACE}"><id>é</id></Show>', namespace), headers)

    assert answer.content_type == f"{media}; charset=utf-8"
    assert etree.fromstring(answer.body).tag == f"{{{namespace}}}Envelope"
    assert etree.tostring(result(answer)[0], method="text", encoding="unicode") == "é"
    assert result(answer).tag == f"{{{NAMESPACE}}}ShowResponse"
    assert result(answer)[0].tag == f"{{{NAMESPACE}}}ShowResult"


ACTIONS = [
    '"http://tempuri.org/IEcho/Show"',
    "http://tempuri.org/IEcho/Show",  # bare
    '"http://tempuri.org/IEcho/Store"',  # that of another operation
    "Show",
    "'http://tempuri.org/IEcho/Show'",
    '""',
    "",
    " ",
    "urn:nonsense",
    '"an open quote; charset=latin-1',
    "é" * 5000,
]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("namespace", [S11, S12])
def test_body_decides_and_not_the_action(soap: SoapEndpoint, action: str, namespace: str) -> None:
    # Real clients send it quoted, bare or empty; a spoofed one must not reach another operation.
    headers = (XML_11 if namespace == S11 else XML_12) | {"soapaction": action}

    answer = post(soap, envelope("<Show><id>a</id></Show>", namespace), headers)

    assert result(answer).tag.endswith("ShowResponse")


@pytest.mark.parametrize(
    "parameters",
    [
        "",
        ";",
        "; action=",
        '; action=""',
        '; action="http://tempuri.org/IEcho/Show"',
        "; action=http://tempuri.org/IEcho/Show",
        '; action="http://tempuri.org/IEcho/Store"',  # that of another operation
        '; action="a;charset=latin-1"',
        '; Action="urn:a"; charset=utf-8',
        '; charset="UTF-8"; action="urn:a"',
        ";charset=UTF-8;action=urn:a",
        "; CHARSET=utf-8 ; action = x",
        "; charset='utf-8'",
        '; type="text/xml"; start="<a@b>"',
    ],
)
@pytest.mark.parametrize("media", ["application/soap+xml", "Application/SOAP+XML", "text/xml", "TEXT/XML"])
def test_parameters_of_the_content_type_are_read_as_every_stack_writes_them(
    soap: SoapEndpoint, media: str, parameters: str
) -> None:
    headers = {"content-type": media + parameters}

    answer = post(soap, envelope("<Show><id>é</id></Show>", S12), headers)

    assert result(answer)[0].text == "é"
    # What is no envelope is answered in the version that the header names.
    assert fault(post(soap, b"", headers))[0] == "a:DeserializationFailed"
    assert post(soap, b"", headers).content_type.split(";")[0] == media.lower()


@pytest.mark.parametrize("charset", ["iso-8859-1", '"latin1"', "utf-16", "windows-1252", "x"])
def test_other_charsets_are_refused_whatever_the_bytes(soap: SoapEndpoint, charset: str) -> None:
    answer = post(soap, envelope("<Show><id>a</id></Show>"), {"content-type": f"text/xml; charset={charset}"})

    assert "is not supported, or the message is not written in it" in fault(answer)[1]


@pytest.mark.parametrize("wrapper", ['<Show xmlns="urn:other">', "<Show>", "<show>", '<x:Show xmlns:x="urn:x">'])
def test_operation_is_known_by_its_local_name(soap: SoapEndpoint, wrapper: str) -> None:
    # NAMESPACE is a choice of ours (contract section 10): other clients have another.
    name = wrapper[1:-1].split()[0]

    answer = post(soap, envelope(f"{wrapper}<id>a</id></{name}>"))

    assert result(answer)[0].text == "a"


def test_a_message_in_several_parts_is_a_fault(soap: SoapEndpoint) -> None:
    # MTOM: never sent (contract section 11), and never offered.
    parts = b"--b\r\nContent-Type: application/xop+xml\r\n\r\n" + envelope("<Show/>") + b"\r\n--b--\r\n"

    answer = post(soap, parts, {"content-type": 'multipart/related; type="application/xop+xml"; boundary=b'})

    assert (answer.status, fault(answer)[0]) == (500, "a:DeserializationFailed")


def test_missing_arguments_are_none(soap: SoapEndpoint) -> None:
    assert result(post(soap, envelope("<Show/>")))[0].get("{http://www.w3.org/2001/XMLSchema-instance}nil") == "true"


def test_operation_knows_its_caller(soap: SoapEndpoint) -> None:
    assert result(post(soap, envelope("<WhoAmI/>"), caller=Caller("eve")))[0].text == "eve"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_other_encodings_of_unicode_are_read(soap: SoapEndpoint, encoding: str) -> None:
    body = envelope("<Show><id>é</id></Show>").decode().encode(encoding)

    assert result(post(soap, body, {"content-type": "text/xml"}))[0].text == "é"


@pytest.mark.parametrize(
    "header",
    [
        "<s:Header/>",
        '<s:Header><a xmlns="urn:a" s:mustUnderstand="0"/></s:Header>',
        '<s:Header><a:To xmlns:a="http://www.w3.org/2005/08/addressing" s:mustUnderstand="1">x</a:To></s:Header>',
        '<s:Header><To xmlns="http://www.w3.org/2005/08/addressing" s:mustUnderstand="true"/></s:Header>',
    ],
)
def test_headers_that_ask_for_nothing_are_ignored(soap: SoapEndpoint, header: str) -> None:
    assert result(post(soap, envelope("<Show><id>a</id></Show>", header=header)))[0].text == "a"


@pytest.mark.parametrize(("namespace", "headers"), [(S11, XML_11), (S12, XML_12)])
@pytest.mark.parametrize("must", ["1", "true"])
def test_header_that_must_be_understood_is_a_fault(
    soap: SoapEndpoint, namespace: str, headers: dict[str, str], must: str
) -> None:
    header = f'<s:Header><Security xmlns="urn:security" s:mustUnderstand="{must}"/></s:Header>'

    code, text = fault(post(soap, envelope("<Show/>", namespace, header), headers))

    assert code == "s:MustUnderstand"
    assert "Security is not understood" in text


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"", "a:DeserializationFailed", "empty"),
        (b"x", "a:DeserializationFailed", "cannot be read"),
        (b"<a/>", "s:VersionMismatch", "no SOAP envelope but a"),
        (b'<Envelope xmlns="urn:x"/>', "s:VersionMismatch", "no SOAP envelope"),
        (f'<s:Envelope xmlns:s="{S11}"/>'.encode(), "a:DeserializationFailed", "0 bodies in place of one"),
        (envelope("").replace(b"</s:Body>", b"</s:Body><s:Body/>"), "a:DeserializationFailed", "2 bodies"),
        (envelope(""), "a:DeserializationFailed", "0 elements in place of one"),
        (envelope("text"), "a:DeserializationFailed", "0 elements in place of one"),
        (envelope("<Show/><Show/>"), "a:DeserializationFailed", "2 elements in place of one"),
        (envelope("<Dance/>"), "a:ActionNotSupported", "no operation Dance"),
        (envelope("<Find><count>x</count></Find>"), "s:Client", "count: 'x' is no integer"),
        (
            envelope("<Store><thing><Colour>Blue</Colour></thing></Store>"),
            "s:Client",
            "thing/Colour: 'Blue' is none of",
        ),
    ],
)
def test_what_is_wrong_is_a_fault_of_the_client(soap: SoapEndpoint, body: bytes, code: str, words: str) -> None:
    answer = post(soap, body)

    assert answer.status == 500
    assert fault(answer)[0] == code
    assert words in fault(answer)[1]


@pytest.mark.parametrize(
    ("kind", "code_11", "codes_12", "status_12"),
    [
        ("value", "s:Client", ["s:Sender", "a:BadRequest"], 400),
        ("forbidden", "s:Client", ["s:Sender", "a:Forbidden"], 400),
        ("missing", "s:Client", ["s:Sender", "a:NotFound"], 400),
        ("conflict", "s:Client", ["s:Sender", "a:Conflict"], 400),
        ("stranger", "s:Client", ["s:Sender", "a:Unauthorized"], 401),
        ("busy", "s:Server", ["s:Receiver", "a:ServiceUnavailable"], 500),
        ("defect", "a:InternalServiceFault", ["s:Receiver", "a:InternalServiceFault"], 500),
    ],
)
def test_errors_of_services(soap: SoapEndpoint, kind: str, code_11: str, codes_12: list[str], status_12: int) -> None:
    body = f"<Fail><kind>{kind}</kind></Fail>"
    old, new = post(soap, envelope(body)), post(soap, envelope(body, S12), XML_12)

    assert (old.status, fault(old)[0]) == (401 if status_12 == 401 else 500, code_11)
    assert (new.status, [one.text for one in etree.fromstring(new.body).iter("{*}Value")]) == (status_12, codes_12)


@pytest.mark.parametrize(
    ("body", "namespace"),
    [
        ("<Fail><kind>missing</kind></Fail>", "http://schemas.microsoft.com/2009/WebFault"),
        ("<Fail><kind>defect</kind></Fail>", NET),
        ("", NET),
        ("<Dance/>", "http://schemas.microsoft.com/ws/2005/05/addressing/none"),
    ],
)
def test_subcode_is_a_name_of_wcf(soap: SoapEndpoint, body: str, namespace: str) -> None:
    root = etree.fromstring(post(soap, envelope(body, S12), XML_12).body)

    # .NET's WebFaultException.GetFaultCode for errors of services, contract section 8.8 for all others.
    (value,) = root.iterfind(f".//{{{S12}}}Code/{{{S12}}}Subcode/{{{S12}}}Value")
    assert value.nsmap[value.text.partition(":")[0]] == namespace


def test_detail_is_the_one_that_every_stack_reads(soap: SoapEndpoint) -> None:
    root = etree.fromstring(post(soap, envelope("<Fail><kind>missing</kind></Fail>")).body)

    # SOAP 1.1 parts are unqualified.
    detail = root.find(".//detail/{http://schemas.datacontract.org/2004/07/System.ServiceModel}ExceptionDetail")
    assert [etree.QName(one).localname for one in detail] == [
        "HelpLink",
        "InnerException",
        "Message",
        "StackTrace",
        "Type",
    ]
    assert [detail[2].text, detail[4].text] == ["no job {1}", "job.not_found"]
    assert root.find(".//faultstring").get("{http://www.w3.org/XML/1998/namespace}lang") == "en-US"


def test_missing_credentials_are_401(soap: SoapEndpoint) -> None:
    assert post(soap, envelope("<Fail><kind>stranger</kind></Fail>")).status == 401


def test_unexpected_error_is_logged_and_not_told(soap: SoapEndpoint, logged: list[dict[str, Any]]) -> None:
    answer = post(soap, envelope("<Fail><kind>defect</kind></Fail>"), new_id=lambda: "request-7")

    assert (answer.status, fault(answer)) == (500, ("a:InternalServiceFault", "unexpected error request-7"))
    assert b"secret" not in answer.body
    assert [entry["request"] for entry in logged] == ["request-7"]


@pytest.mark.parametrize("namespace", [S11, S12])
def test_control_characters_leave_the_fault_well_formed(soap: SoapEndpoint, namespace: str) -> None:
    answer = post(soap, envelope("<Fail><kind>hostile</kind></Fail>", namespace))

    assert fault(answer)[1] == "a�b<script>�&�"


@pytest.mark.parametrize("namespace", [S11, S12])
def test_a_fault_that_will_pass_tells_when_to_come_back(soap: SoapEndpoint, namespace: str) -> None:
    assert post(soap, envelope("<Fail><kind>busy</kind></Fail>", namespace)).headers == [("Retry-After", "5")]
    assert post(soap, envelope("<Fail><kind>conflict</kind></Fail>", namespace)).headers == []


def test_refusals_are_faults(soap: SoapEndpoint) -> None:
    request = Request("POST", "/Echo/soap", headers=XML_12)

    assert fault(soap.refused(request, 413, "too large")) == ("a:DeserializationFailed", "too large")
    assert fault(soap.refused(request, 503, "too busy")) == ("a:ServiceUnavailable", "too busy")


#: More before the root than is looked at first.
LONG = b'<?xml version="1.0"?>\n<!-- ' + b"x" * 2000 + b" -->\n<!-- <a> -->\t<?x " + b"y" * 2000 + b"?>" + b" " * 2000


@pytest.mark.parametrize(
    ("headers", "body", "looks"),
    [
        ({"soapaction": '""'}, b"", True),
        (XML_12, b"", True),
        (XML_11, envelope("<Show/>"), True),
        ({}, envelope("<Show/>").decode().encode("utf-16"), True),
        (XML_11, b"<Job/>", False),
        ({"content-type": "application/json"}, b"{}", False),
        (XML_11, LONG + envelope("<Show/>"), True),
        (XML_11, b"\xef\xbb\xbf" + LONG + envelope("<Show/>"), True),
        ({}, (LONG + envelope("<Show/>")).decode().encode("utf-16"), True),
        (XML_11, LONG + b"<Job/>" + b" " * 2000 + b"<Envelope/>", False),
        (XML_11, LONG + b"<!-- " + b"-" * 2000 + envelope("<Show/>"), False),
    ],
)
def test_looks_like_soap(soap: SoapEndpoint, headers: dict[str, str], body: bytes, looks: bool) -> None:
    assert soap.accepts(Request("POST", "/Echo", headers=headers, body=body)) is looks


@pytest.mark.parametrize("piece", [b"<!---->", b"<?x?>", b" ", b"<!--", b"<?", b"<!--->", b" <!-- -->", b"-->", b"<!"])
def test_to_look_at_a_large_message_takes_no_long_time(soap: SoapEndpoint, piece: bytes) -> None:
    body = piece * ((4 << 20) // len(piece))
    begun = time.process_time()
    assert not soap.accepts(Request("POST", "/Echo", body=body))
    assert time.process_time() - begun < 2  # in a tenth of it


def test_answer_declares_no_prefix_that_it_does_not_use(soap: SoapEndpoint) -> None:
    answer = post(soap, envelope("<Show><id>a</id></Show>")).body.decode()

    assert "soap12" not in answer
    assert not re.search(r"xmlns:ns\d", answer)


def test_every_status_that_an_error_has_is_named_as_in_net(soap: SoapEndpoint) -> None:
    assert {*STATUSES.values(), 500} == set(STATUS_NAMES)
