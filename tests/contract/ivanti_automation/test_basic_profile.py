"""WS-I Basic Profile 1.1: what it asks of the WSDL, its schemas and our messages, by the numbers of its assertions.

It knows SOAP 1.1 alone: nothing is asked of the binding for SOAP 1.2. Of what it only recommends, the WSDL departs from
one, as WCF does: R2112, lists are called ``ArrayOf…``.
"""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from dispatcher.bindings.ivanti_automation.binding import IvantiAutomation
from dispatcher.bindings.ivanti_automation.soap import NAMES as WSDL_NAMES
from dispatcher.bindings.ivanti_automation.soap import SchedulingService
from dispatcher.core.permissions import Caller, Right, everything
from dispatcher.wire.http import Request, Response
from dispatcher.wire.wsdl import WsdlDocuments

BASE = "/Dispatcher/SchedulingService/"
ADDRESS = f"http://dispatcher.example{BASE}"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
XS = "http://www.w3.org/2001/XMLSchema"
NAMES = {
    "wsdl": "http://schemas.xmlsoap.org/wsdl/",
    "soap": "http://schemas.xmlsoap.org/wsdl/soap/",
    "xs": XS,
    "s": SOAP,
}
API = Caller("api", everything(Right.MODIFY))
DONE = "55d1e5fd-cd92-481e-abdb-62ed86288d1f"
AGENT = "6ae2e5b5-d5c8-4728-a10a-12e25bd5f995"
#: Bodies of every kind of answer.
GOOD = [f"<GetJob><jobId>{DONE}</jobId></GetJob>", "<GetModules/>", "<GetProjects/>", "<GetWho/>"]
BAD = [
    f"<GetJob><jobId>{BASE}</jobId></GetJob>",
    "<GetJob><jobId>00000000-0000-4000-8000-0000000000ff</jobId></GetJob>",
    "<GetJobs><stage>Never</stage></GetJobs>",
    "<Dance/>",
    "<GetWho/><GetWho/>",
    "",
    "<ScheduleJob/>",
]


def post(binding: IvantiAutomation, envelope: bytes, action: str | None = None) -> Response:
    headers = {"content-type": "text/xml; charset=utf-8"} | ({} if action is None else {"soapaction": action})
    return binding(Request("POST", f"{BASE}soap", "", headers, envelope, caller=API))


def envelope(body: str) -> bytes:
    return f'<s:Envelope xmlns:s="{SOAP}"><s:Body>{body}</s:Body></s:Envelope>'.encode()


@pytest.fixture(scope="module")
def published() -> dict[str, bytes]:
    """Every document by the query that it is read with."""
    documents = WsdlDocuments(SchedulingService, WSDL_NAMES)
    names = ["all", *(schema.name for schema in documents.schemas)]
    found = {f"xsd={name}": documents.xsd(name, ADDRESS) or b"" for name in names}
    return found | {"wsdl": documents.wsdl(ADDRESS), "singleWsdl": documents.single_wsdl(ADDRESS)}


@pytest.fixture(params=["wsdl", "singleWsdl"])
def documents(request: pytest.FixtureRequest, published: dict[str, bytes]) -> list[Any]:
    """The WSDL, then every document that it imports."""
    queries = [request.param]
    for query in queries:
        locations = find(etree.fromstring(published[query]), "//xs:import/@schemaLocation")
        imported = [location.removeprefix(f"{ADDRESS}?") for location in locations]
        queries += [one for one in dict.fromkeys(imported) if one not in queries]
    return [etree.fromstring(published[query]) for query in queries]


@pytest.fixture
def wsdl(documents: list[Any]) -> Any:
    return documents[0]


@pytest.fixture
def schema(published: dict[str, bytes]) -> etree.XMLSchema:
    """The schema of the messages."""

    class Published(etree.Resolver):
        def resolve(self, url: str, _id: object, context: Any) -> Any:
            return self.resolve_string(published[url.removeprefix(f"{ADDRESS}?")], context)

    parser = etree.XMLParser()
    parser.resolvers.add(Published())
    return etree.XMLSchema(etree.fromstring(published["xsd=xsd0"], parser))


def find(root: Any, path: str) -> list[Any]:
    return root.xpath(path, namespaces=NAMES)  # type: ignore[no-any-return]


def resolved(node: Any, name: str) -> tuple[str, str]:
    """Return the namespace and the local name that the attribute *name* of *node* refers to."""
    prefix, _, local = node.get(name).rpartition(":")
    return node.nsmap[prefix or None], local


def binding_of(wsdl: Any) -> Any:
    (found,) = find(wsdl, "wsdl:binding[soap:binding]")
    return found


def test_r2010_r4003_r4004_descriptions_are_xml_1_0_in_utf_8(published: dict[str, bytes]) -> None:
    for content in published.values():
        assert content.startswith(b'<?xml version="1.0" encoding="utf-8"?>')


def test_r2001_r2002_r2003_r2004_schemas_are_imported_by_schemas_and_nothing_by_wsdl(documents: list[Any]) -> None:
    wsdl, *schemas = documents

    assert find(wsdl, "//wsdl:import") == []
    assert find(wsdl, "//xs:import[not(parent::xs:schema)] | //xs:include") == []
    assert {root.tag for root in schemas} <= {f"{{{XS}}}schema"}
    for schema in [*find(wsdl, "//xs:schema"), *schemas]:
        for imported in find(schema, "xs:import"):
            assert imported.get("namespace") not in (None, schema.get("targetNamespace"))


def test_addresses_of_schemas_are_absolute(documents: list[Any]) -> None:
    for root in documents:
        for location in find(root, "//xs:import/@schemaLocation"):
            assert location.startswith(ADDRESS)


def test_r2023_types_stand_before_all_else(wsdl: Any) -> None:
    order = list(dict.fromkeys(etree.QName(child).localname for child in wsdl))

    assert order == ["types", "message", "portType", "binding", "service"]


def test_r2026_no_extension_is_required(wsdl: Any) -> None:
    assert find(wsdl, "//@wsdl:required") == []


def test_r2101_references_within_the_wsdl_lead_somewhere(wsdl: Any) -> None:
    home = wsdl.get("targetNamespace")
    targets = {"message": "wsdl:message", "binding": "wsdl:binding", "type": "wsdl:portType"}
    places = {
        "message": "//wsdl:portType//*[@message]",
        "binding": "//wsdl:port",
        "type": "//wsdl:binding",
    }
    for attribute, path in targets.items():
        names = find(wsdl, f"{path}/@name")
        assert len(names) == len(set(names))
        for node in find(wsdl, places[attribute]):
            namespace, local = resolved(node, attribute)
            assert namespace == home
            assert local in names


def test_r2102_references_to_types_are_defined_or_imported(documents: list[Any]) -> None:
    schemas = [schema for root in documents for schema in find(root, "descendant-or-self::xs:schema")]
    declared = {
        (schema.get("targetNamespace"), node.get("name"))
        for schema in schemas
        for node in find(schema, "xs:complexType | xs:simpleType")
    }
    elements = {
        (schema.get("targetNamespace"), name) for schema in schemas for name in find(schema, "xs:element/@name")
    }

    for schema in schemas:
        reachable = {schema.get("targetNamespace"), XS, *find(schema, "xs:import/@namespace")}
        for node in find(schema, ".//*[@type]"):
            namespace, local = resolved(node, "type")
            assert namespace in reachable
            assert namespace == XS or (namespace, local) in declared
    for part in find(documents[0], "//wsdl:part"):
        assert resolved(part, "element") in elements


def test_r2105_every_schema_has_a_target_namespace(documents: list[Any]) -> None:
    for root in documents:
        for schema in find(root, "descendant-or-self::xs:schema"):
            assert schema.get("targetNamespace")


def test_r2110_r2111_r2113_no_array_of_soap_encoding(documents: list[Any]) -> None:
    for root in documents:
        content = etree.tostring(root)
        assert b"soap/encoding" not in content
        assert b"arrayType" not in content


def test_r2201_r2204_r2210_r2306_a_message_is_one_element(wsdl: Any) -> None:
    for message in find(wsdl, "//wsdl:message"):
        (part,) = find(message, "wsdl:part")
        assert set(part.attrib) == {"name", "element"}
    assert find(wsdl, "//soap:body/@parts | //soap:header | //soap:fault | //soap:headerfault") == []


def test_r2303_r2304_operations_are_request_and_answer_under_a_name_of_their_own(wsdl: Any) -> None:
    operations = find(wsdl, "//wsdl:portType/wsdl:operation")
    names = [operation.get("name") for operation in operations]

    assert len(names) == len(set(names))
    for operation in operations:
        assert [etree.QName(child).localname for child in operation] == ["input", "output"]


def test_r2401_r2701_r2702_r2705_r2706_r2716_the_binding_is_soap_over_http_document_literal(wsdl: Any) -> None:
    found = binding_of(wsdl)

    assert find(found, "soap:binding/@transport") == ["http://schemas.xmlsoap.org/soap/http"]
    assert {*find(found, ".//soap:binding/@style"), *find(found, ".//soap:operation/@style")} == {"document"}
    assert set(find(found, ".//soap:body/@use")) == {"literal"}
    assert find(found, ".//soap:body/@encodingStyle | .//soap:body/@namespace") == []


def test_r2710_operations_differ_in_the_element_on_the_wire(wsdl: Any) -> None:
    elements = find(wsdl, "//wsdl:message[contains(@name, '_InputMessage')]/wsdl:part/@element")

    assert len(elements) == len(set(elements)) == len(find(wsdl, "//wsdl:portType/wsdl:operation"))


def test_r2711_no_two_ports_have_the_same_address(wsdl: Any) -> None:
    (address,) = find(wsdl, "//wsdl:port/soap:address/@location")

    assert address == "http://dispatcher.example/Dispatcher/SchedulingService/soap"


def test_r2718_binding_and_port_type_have_the_same_operations(wsdl: Any) -> None:
    names = find(wsdl, "//wsdl:portType/wsdl:operation/@name")

    assert find(binding_of(wsdl), "wsdl:operation/@name") == names


def test_r2744_every_operation_has_an_action_for_requests_to_name(wsdl: Any) -> None:
    actions = find(binding_of(wsdl), "wsdl:operation/soap:operation/@soapAction")

    assert len(set(actions)) == len(find(wsdl, "//wsdl:portType/wsdl:operation"))


def test_r1005_to_r1014_and_r1032_r1033_envelopes_are_plain(binding: IvantiAutomation) -> None:
    for body in [*GOOD, *BAD]:
        content = post(binding, envelope(body)).body
        root = etree.fromstring(content)

        assert b"<!" not in content  # R1008: no DTD
        assert find(root, "//processing-instruction() | /processing-instruction()") == []  # R1009
        assert find(root, "//@*[local-name() = 'encodingStyle']") == []  # R1005 to R1007
        assert [etree.QName(child).localname for child in root] == ["Body"]  # R1011
        assert [child for child in root[0] if not etree.QName(child).namespace] == []  # R1014
        assert find(root, "//s:*/@s:*") == []  # R1032
        assert b"xmlns:xml=" not in content  # R1033


def test_r1111_r2712_answers_are_200_and_instances_of_the_element(
    binding: IvantiAutomation, schema: etree.XMLSchema
) -> None:
    for body in GOOD:
        answer = post(binding, envelope(body))
        ((element,),) = etree.fromstring(answer.body)

        assert (answer.status, answer.content_type) == (200, "text/xml; charset=utf-8")
        assert element.tag == f"{{http://tempuri.org/}}{etree.fromstring(body).tag}Response"
        assert schema.validate(element), schema.error_log


def test_r1000_r1001_r1004_r1031_r1126_faults_have_unqualified_parts_and_500(binding: IvantiAutomation) -> None:
    for body in BAD:
        answer = post(binding, envelope(body))
        ((fault,),) = etree.fromstring(answer.body)

        assert (answer.status, answer.content_type) == (500, "text/xml; charset=utf-8")
        assert fault.tag == f"{{{SOAP}}}Fault"
        assert [child.tag for child in fault] == ["faultcode", "faultstring", "detail"]
        prefix, _, name = fault[0].text.partition(":")
        assert fault[0].nsmap[prefix] != SOAP or name in ("VersionMismatch", "MustUnderstand", "Client", "Server")
        assert "." not in name


def test_r1010_r4001_a_declaration_and_a_byte_order_mark_are_read(binding: IvantiAutomation) -> None:
    message = b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>' + envelope("<GetModules/>")

    assert b"GetModulesResult" in post(binding, message).body


def test_r1015_an_envelope_of_another_namespace_is_a_fault(binding: IvantiAutomation) -> None:
    answer = post(binding, b'<Envelope xmlns="urn:other"><Body><GetWho/></Body></Envelope>')

    assert (answer.status, find(etree.fromstring(answer.body), "string(//faultcode)")) == (500, "s:VersionMismatch")


def test_r1025_r1027_r1028_nothing_is_done_if_a_header_must_be_understood(binding: IvantiAutomation) -> None:
    header = b'<s:Header><a:Lock xmlns:a="urn:lock" s:mustUnderstand="1"/></s:Header><s:Body>'
    change = envelope(f"<RemoveAgent><removal><AgentID>{AGENT}</AgentID></removal></RemoveAgent>")
    answer = post(binding, change.replace(b"<s:Body>", header))

    assert find(etree.fromstring(answer.body), "string(//faultcode)") == "s:MustUnderstand"
    assert AGENT.upper().encode() in post(binding, envelope("<GetWho/>")).body


def test_r1119_the_body_decides_with_and_without_an_action_quoted_or_not(binding: IvantiAutomation) -> None:
    action = "http://tempuri.org/ISchedulingService/GetWho"
    for sent in (None, '""', "", f'"{action}"', action):
        assert b"GetModulesResult" in post(binding, envelope("<GetModules/>"), sent).body


def test_a_proxy_may_have_one_package_for_all_namespaces(documents: list[Any]) -> None:
    """No assertion of the profile: what ``wsimport -p`` needs, which makes a class of each of these."""
    names = [
        name
        for root in documents
        for name in find(root, "//xs:complexType/@name | //xs:simpleType/@name | //xs:element[xs:complexType]/@name")
    ]

    assert sorted(name.lower() for name in names) == sorted({name.lower() for name in names})
