# Spyne makes static methods of operations, which are named as on the wire.
# ruff: noqa: N802, N805
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from dispatcher.wire.operations import Route, operation
from dispatcher.wire.types import (
    ARRAYS_NAMESPACE,
    DataContract,
    DataContractEnum,
    Flag,
    MaybeMoment,
    Moment,
    Number,
    Text,
    array_of,
)
from dispatcher.wire.wsdl import WsdlDocuments, WsdlNames

from spyne import ServiceBase  # isort: skip

ADDRESS = "http://example.test/Farm/"
NAMES = WsdlNames(service="FarmService", contract="IFarmService")
NS = {
    "wsdl": "http://schemas.xmlsoap.org/wsdl/",
    "xs": "http://www.w3.org/2001/XMLSchema",
    "soap": "http://schemas.xmlsoap.org/wsdl/soap/",
    "soap12": "http://schemas.xmlsoap.org/wsdl/soap12/",
    "wsaw": "http://www.w3.org/2006/05/addressing/wsdl",
}

Kind = DataContractEnum.of("AnimalKind", {"Cow": 0, "Hen": 1})
Mood = DataContractEnum.of("AnimalMood", {"Grumpy": -1, "Happy": 5})


class Animal(DataContract):
    Born = Moment
    Died = MaybeMoment
    Kind = Kind
    Legs = Number
    Mood = Mood
    Name = Text


class FarmService(ServiceBase):
    @operation(Route("GET", "animals?kind={KIND}", {"KIND": "kind"}), Kind, Flag, returns=array_of(Animal))
    def ListAnimals(ctx: Any, kind: Any, alive: Any) -> Any: ...

    @operation(Route("POST", "animals", {}, "animal"), Animal, returns=Animal)
    def AddAnimal(ctx: Any, animal: Any) -> Any: ...

    @operation(Route("GET", "ping", {}))
    def Ping(ctx: Any) -> Any: ...


@pytest.fixture(scope="module")
def documents() -> WsdlDocuments:
    return WsdlDocuments(FarmService, NAMES)


@pytest.fixture(scope="module")
def single(documents: WsdlDocuments) -> etree._Element:
    return etree.fromstring(documents.single_wsdl(ADDRESS))


def found(root: etree._Element, path: str) -> list[Any]:
    return root.xpath(path, namespaces=NS)  # type: ignore[no-any-return]


def test_dotnet_makes_a_proxy_only_from_parts_named_parameters(single: etree._Element) -> None:
    assert found(single, "//wsdl:message/@name")[:2] == [
        "IFarmService_ListAnimals_InputMessage",
        "IFarmService_ListAnimals_OutputMessage",
    ]
    assert set(found(single, "//wsdl:part/@name")) == {"parameters"}
    assert found(single, "//wsdl:part/@element")[:2] == ["tns:ListAnimals", "tns:ListAnimalsResponse"]


def test_actions_name_contract_and_operation(single: etree._Element) -> None:
    action = "http://tempuri.org/IFarmService/AddAnimal"

    assert found(single, "//wsdl:portType/@name") == ["IFarmService"]
    assert found(single, "//wsdl:portType/wsdl:operation[@name='AddAnimal']/*/@wsaw:Action") == [
        action,
        action + "Response",
    ]
    assert found(single, "//wsdl:operation[@name='AddAnimal']/soap:operation/@soapAction") == [action]
    assert found(single, "//wsdl:operation[@name='AddAnimal']/soap12:operation/@soapAction") == [action]


def test_soap_11_comes_first_and_the_service_last(single: etree._Element) -> None:
    assert found(single, "//wsdl:binding/@name") == ["BasicHttpBinding_IFarmService", "CustomBinding_IFarmService"]
    assert found(single, "//wsdl:port/@binding") == [
        "tns:BasicHttpBinding_IFarmService",
        "tns:CustomBinding_IFarmService",
    ]
    assert etree.QName(single[-1]).localname == "service"


def test_value_types_are_optional_but_never_nil(single: etree._Element) -> None:
    particles = {one.get("name"): one for one in found(single, "//xs:complexType[@name='Animal']//xs:element")}

    assert list(particles) == ["Born", "Died", "Kind", "Legs", "Mood", "Name"]
    assert {one.get("minOccurs") for one in particles.values()} == {"0"}
    assert [name for name, one in particles.items() if one.get("nillable") == "true"] == ["Died", "Name"]


def test_messages_are_elements_with_anonymous_types_in_declared_order(single: etree._Element) -> None:
    schema = "//xs:schema[@targetNamespace='http://tempuri.org/']"
    names = ["ListAnimals", "ListAnimalsResponse", "AddAnimal", "AddAnimalResponse", "Ping", "PingResponse"]

    assert found(single, f"{schema}/xs:element/@name") == names
    assert found(single, f"{schema}/xs:complexType") == []
    assert found(single, f"{schema}/xs:element[@name='ListAnimals']//xs:element/@name") == ["kind", "alive"]
    assert found(single, f"{schema}/xs:element[@name='ListAnimalsResponse']//xs:element/@type") == ["q1:ArrayOfAnimal"]


def test_prefix_of_a_type_is_declared_where_it_is_used_as_in_wcf(single: etree._Element) -> None:
    # Node's soap knows no prefixes of the schema around it, and would leave the members of answers texts.
    typed = found(single, "//xs:element[starts-with(@type, 'q')]")

    assert len(typed) == 4
    for element in typed:
        prefix, outer = element.get("type").partition(":")[0], element.getparent().nsmap
        assert prefix in element.nsmap
        assert prefix not in outer


def test_enumerations_show_their_numbers_unless_they_count_from_zero(single: etree._Element) -> None:
    assert found(single, "//xs:simpleType[@name='AnimalKind']//xs:enumeration/@value") == ["Cow", "Hen"]
    assert found(single, "//xs:simpleType[@name='AnimalKind']//xs:appinfo") == []
    numbers = found(single, "//xs:simpleType[@name='AnimalMood']//xs:appinfo")
    assert [number[0].text for number in numbers] == ["-1", "5"]


def test_no_two_elements_differ_only_in_case(single: etree._Element) -> None:
    for schema in found(single, "//xs:schema"):
        names = [name.lower() for name in schema.xpath("xs:element/@name", namespaces=NS)]
        assert len(names) == len(set(names))


def test_no_element_is_called_as_a_type_and_its_member_together() -> None:
    """JAXB's names, of which wsimport wants each only once."""

    class Cow(DataContract):
        Name = Text

    class CowName(DataContract):
        Owner = Cow

    class CowService(ServiceBase):
        @operation(Route("POST", "names", {}, "name"), CowName)
        def AddName(ctx: Any, name: Any) -> Any: ...

    data = WsdlDocuments(CowService, NAMES).schemas[2]
    published = data.document()

    assert found(published, "xs:complexType/@name") == ["Cow", "CowName"]
    assert found(published, "xs:element/@name") == ["Cow"]
    # The help page shows it: REST has no proxies.
    assert found(data.extract("CowName"), "xs:element/@name") == ["Cow", "CowName"]


def test_types_are_read_from_the_address_of_the_request(documents: WsdlDocuments) -> None:
    for address in (ADDRESS, "https://other.test:8443/Farm/"):
        root = etree.fromstring(documents.wsdl(address))
        locations = found(root, "//xs:import/@schemaLocation")
        assert locations == [f"{address}?xsd={name}" for name in ("all", "xsd0", "xsd1", "xsd2")]
        assert found(root, "//soap:address/@location | //soap12:address/@location") == [f"{address}soap"] * 2


def test_the_schema_that_is_imported_first_declares_nothing_and_imports_the_others(documents: WsdlDocuments) -> None:
    # Mono's svcutil reads that one twice, see tests/clients/test_mono.py.
    first = etree.fromstring(documents.xsd("all", ADDRESS) or b"")
    others = [etree.fromstring(documents.xsd(f"xsd{number}", ADDRESS) or b"") for number in range(3)]
    assert found(first, "/xs:schema/@targetNamespace") == ["http://tempuri.org/Schemas"]
    assert found(first, "/xs:schema/xs:import/@namespace") == [one.get("targetNamespace") for one in others]
    assert len(first) == 3
    [imported, *_] = found(etree.fromstring(documents.wsdl(ADDRESS)), "//xs:import/@namespace")
    assert imported == first.get("targetNamespace")


def test_address_cannot_break_the_document(documents: WsdlDocuments) -> None:
    evil = 'http://"><evil a="&amp;/'

    root = etree.fromstring(documents.single_wsdl(evil))

    assert found(root, "//soap:address/@location") == [f"{evil}soap"]


def test_schemas_are_the_same_in_both_forms(documents: WsdlDocuments, single: etree._Element) -> None:
    inline = found(single, "//xs:schema/@targetNamespace")
    separate = [etree.fromstring(documents.xsd(f"xsd{number}", ADDRESS) or b"") for number in range(3)]

    assert [schema.get("targetNamespace") for schema in separate] == inline
    assert found(single, "//xs:import/@schemaLocation") == []
    assert documents.xsd("xsd3", ADDRESS) is None


def test_schemas_are_valid(documents: WsdlDocuments, tmp_path: Path) -> None:
    documents.write(tmp_path, f"{tmp_path.as_uri()}/")
    for number in range(3):
        content = (tmp_path / f"FarmService.xsd{number}.xsd").read_text()
        (tmp_path / f"xsd{number}.xsd").write_text(
            content.replace("?xsd=xsd", "xsd").replace('" namespace', '.xsd" namespace')
        )
    schema = etree.XMLSchema(etree.parse(tmp_path / "xsd0.xsd"))

    good = "<AddAnimal xmlns='http://tempuri.org/'><animal xmlns:a='{ns}'><a:Legs>4</a:Legs></animal></AddAnimal>"
    ns = "http://schemas.datacontract.org/2004/07/Dispatcher.WebApi"
    assert schema.validate(etree.fromstring(good.replace("{ns}", ns)))
    assert not schema.validate(etree.fromstring(good.replace("{ns}", ns).replace("4", "four")))


def test_check_names_the_files_that_differ(documents: WsdlDocuments, tmp_path: Path) -> None:
    documents.write(tmp_path / "wsdl", ADDRESS)
    assert documents.check(tmp_path / "wsdl", ADDRESS) == []

    (tmp_path / "wsdl" / "FarmService.wsdl").write_bytes(b"")
    (tmp_path / "wsdl" / "FarmService.xsd1.xsd").unlink()
    assert documents.check(tmp_path / "wsdl", ADDRESS) == ["FarmService.wsdl", "FarmService.xsd1.xsd"]


def test_extract_takes_only_what_a_type_needs(documents: WsdlDocuments) -> None:
    data = documents.schemas[2]

    assert data.extract("AnimalKind").xpath("*/@name") == ["AnimalKind"]
    assert set(data.extract("ArrayOfAnimal").xpath("*/@name")) == {
        "ArrayOfAnimal",
        "Animal",
        "AnimalKind",
        "AnimalMood",
    }


def test_lists_of_texts_have_a_schema_of_their_own_as_in_wcf() -> None:
    class Herd(DataContract):
        Names = array_of(Text)

    class HerdService(ServiceBase):
        @operation(Route("POST", "herds", {}, "herd"), Herd)
        def AddHerd(ctx: Any, herd: Any) -> Any: ...

    _, _, data, arrays = WsdlDocuments(HerdService, NAMES).schemas

    assert (data.imports, arrays.namespace) == ((ARRAYS_NAMESPACE,), ARRAYS_NAMESPACE)
    assert found(data.root, "xs:complexType[@name='Herd']//xs:element/@type") == ["q1:ArrayOfstring"]
    assert found(arrays.root, "xs:complexType[@name='ArrayOfstring']//xs:element/@name") == ["string"]
