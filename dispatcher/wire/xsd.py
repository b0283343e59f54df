"""Schemas: the XML schemas of a service, taken from Spyne's interface document and put into WCF's shape."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lxml import etree

XS = "http://www.w3.org/2001/XMLSchema"
WSDL = "http://schemas.xmlsoap.org/wsdl/"
SERIALIZATION = "http://schemas.microsoft.com/2003/10/Serialization/"

#: The attributes of a particle in the order that WCF writes them.
_PARTICLE = ("minOccurs", "maxOccurs", "name", "nillable", "type")
_PRIMITIVES = (
    "anyType anyURI base64Binary boolean byte dateTime decimal double float int long QName short string "
    "unsignedByte unsignedInt unsignedLong unsignedShort"
)
#: The types that every WCF service publishes beside its own (contract section 8.9, xsd1).
_OWN_PRIMITIVES = f"""<xs:schema xmlns:xs="{XS}" xmlns:tns="{SERIALIZATION}">
<xs:element name="char" nillable="true" type="tns:char"/>
<xs:simpleType name="char"><xs:restriction base="xs:int"/></xs:simpleType>
<xs:element name="duration" nillable="true" type="tns:duration"/>
<xs:simpleType name="duration"><xs:restriction base="xs:duration">
<xs:pattern value="\\-?P(\\d*D)?(T(\\d*H)?(\\d*M)?(\\d*(\\.\\d*)?S)?)?"/>
<xs:minInclusive value="-P10675199DT2H48M5.4775808S"/><xs:maxInclusive value="P10675199DT2H48M5.4775807S"/>
</xs:restriction></xs:simpleType>
<xs:element name="guid" nillable="true" type="tns:guid"/>
<xs:simpleType name="guid"><xs:restriction base="xs:string">
<xs:pattern value="[\\da-fA-F]{{8}}-[\\da-fA-F]{{4}}-[\\da-fA-F]{{4}}-[\\da-fA-F]{{4}}-[\\da-fA-F]{{12}}"/>
</xs:restriction></xs:simpleType>
<xs:attribute name="FactoryType" type="xs:QName"/>
<xs:attribute name="Id" type="xs:ID"/>
<xs:attribute name="Ref" type="xs:IDREF"/>
</xs:schema>"""


@dataclass(frozen=True, slots=True)
class Schema:
    """One schema. ``imports`` are the namespaces it refers to, sorted; ``root`` holds no import elements."""

    name: str
    namespace: str
    imports: tuple[str, ...]
    root: etree._Element

    def document(self, locations: Mapping[str, str] | None = None) -> etree._Element:
        """Return the schema with its imports; *locations* says where each imported namespace is read."""
        root = copy.deepcopy(self.root)
        for element in _collisions(root):
            root.remove(element)
        for position, namespace in enumerate(self.imports):
            place = {"schemaLocation": locations[namespace]} if locations else {}
            root.insert(position, root.makeelement(f"{{{XS}}}import", {**place, "namespace": namespace}))
        return root

    def extract(self, *type_names: str) -> etree._Element:
        """Return a schema of only *type_names* and the types of this namespace that they need."""
        wanted = list(type_names)
        for name in wanted:
            for node in self.root.iterfind(f"*[@name='{name}']"):
                references = (part.get("type", "") for part in node.iter(f"{{{XS}}}element"))
                types = (reference[4:] for reference in references if reference.startswith("tns:"))
                wanted += [one for one in dict.fromkeys(types) if one not in wanted]
        root = copy.deepcopy(self.root)
        for node in [child for child in root if child.get("name") not in wanted]:
            root.remove(node)
        return root


def schemas(
    interface: etree._Element, operations: Sequence[str], numbers: Mapping[str, Mapping[str, int]]
) -> list[Schema]:
    """Return the schemas of *interface*, Spyne's WSDL: xsd0 the messages, xsd1 WCF's primitives, then the data.

    Messages stand in the order of *operations*, data types in that of their names, so that the bytes never
    depend on how Spyne walked its types. *numbers* are the numbers of each enumeration's members.
    """
    found = {schema.get("targetNamespace", ""): schema for schema in interface.iter(f"{{{XS}}}schema")}
    messages = interface.get("targetNamespace", "")
    data = sorted(namespace for namespace in found if namespace != messages)
    result = [_messages(found[messages], operations, tuple(data)), _primitives()]
    for position, namespace in enumerate(data, start=2):
        result.append(_data(f"xsd{position}", found[namespace], numbers))
    return result


def _collisions(root: etree._Element) -> list[etree._Element]:
    """Return the elements of *root* called as a type and its member together: ``JobWho``, where ``Job`` has ``Who``.

    JAXB makes a method ``createJobWho`` of either, and wsimport stops. Nothing refers to these elements.
    """
    names = {
        kind.get("name", "") + member.get("name", "")
        for kind in root.iterfind(f"{{{XS}}}complexType")
        for member in kind.iterfind(f".//{{{XS}}}element[@nillable='true']")
    }
    return [element for element in root.iterfind(f"{{{XS}}}element") if element.get("name") in names]


def _messages(source: etree._Element, operations: Sequence[str], imports: tuple[str, ...]) -> Schema:
    namespace = source.get("targetNamespace", "")
    root = _root(namespace)
    for name in [name + suffix for name in operations for suffix in ("", "Response")]:
        element = etree.SubElement(root, f"{{{XS}}}element", name=name)
        sequence = etree.SubElement(etree.SubElement(element, f"{{{XS}}}complexType"), f"{{{XS}}}sequence")
        _copy_particles(source.find(f"{{{XS}}}complexType[@name='{name}']"), sequence, imports)
    return Schema("xsd0", namespace, imports, root)


def _primitives() -> Schema:
    root = _root(SERIALIZATION, attributeFormDefault="qualified")
    for name in _PRIMITIVES.split():
        etree.SubElement(root, f"{{{XS}}}element", name=name, nillable="true", type=f"xs:{name}")
    root.extend(etree.fromstring(_OWN_PRIMITIVES, etree.XMLParser(remove_blank_text=True)))
    return Schema("xsd1", SERIALIZATION, (), root)


def _data(name: str, source: etree._Element, numbers: Mapping[str, Mapping[str, int]]) -> Schema:
    namespace = source.get("targetNamespace", "")
    imports = tuple(sorted(_namespaces_in(source) - {namespace, XS}))
    root = _root(namespace)
    for declared in sorted(source, key=lambda node: node.get("name", "")):
        type_name = declared.get("name", "")
        if declared.tag == f"{{{XS}}}complexType":
            target = etree.SubElement(root, f"{{{XS}}}complexType", name=type_name)
            _copy_particles(declared, etree.SubElement(target, f"{{{XS}}}sequence"), imports)
        elif declared.tag == f"{{{XS}}}simpleType":
            # Without an element of its name, as no message has one: TclWS would take that for the type.
            root.append(_enumeration(type_name, numbers[type_name]))
            continue
        else:
            continue
        etree.SubElement(root, f"{{{XS}}}element", name=type_name, nillable="true", type=f"tns:{type_name}")
    return Schema(name, namespace, imports, root)


def _namespaces_in(source: etree._Element) -> set[str]:
    """Return the namespaces that the types of *source* need; numbers of enumerations are noted in one of WCF's own."""
    parts = source.iter(f"{{{XS}}}element")
    used = {part.nsmap[part.get("type", "").partition(":")[0]] for part in parts if ":" in part.get("type", "")}
    return used | ({SERIALIZATION} if source.find(f"{{{XS}}}simpleType") is not None else set())


def _enumeration(name: str, members: Mapping[str, int]) -> etree._Element:
    """Return the type of an enumeration; as in WCF, a member whose number is not its position says so."""
    node = etree.Element(f"{{{XS}}}simpleType", name=name)
    restriction = etree.SubElement(node, f"{{{XS}}}restriction", base="xs:string")
    for position, (member, number) in enumerate(members.items()):
        value = etree.SubElement(restriction, f"{{{XS}}}enumeration", value=member)
        if number != position:
            note = etree.SubElement(etree.SubElement(value, f"{{{XS}}}annotation"), f"{{{XS}}}appinfo")
            note.append(etree.fromstring(f'<EnumerationValue xmlns="{SERIALIZATION}">{number}</EnumerationValue>'))
    return node


def _root(namespace: str, **attributes: str) -> etree._Element:
    attributes |= {"elementFormDefault": "qualified", "targetNamespace": namespace}
    root = etree.Element(f"{{{XS}}}schema", nsmap={"xs": XS, "tns": namespace})
    for name, value in attributes.items():
        root.set(name, value)
    return root


def _copy_particles(source: etree._Element | None, target: etree._Element, imports: tuple[str, ...]) -> None:
    """Copy the elements of *source*'s sequence into *target*, their types named by prefixes known there."""
    if source is None:
        return
    prefixes = {namespace: prefix for prefix, namespace in target.nsmap.items()}
    foreign = {namespace: f"q{position}" for position, namespace in enumerate(imports, start=1)}
    for particle in source.iter(f"{{{XS}}}element"):
        prefix, _, local = particle.get("type", "").partition(":")
        namespace = particle.nsmap[prefix]
        # Each declares the prefix of its own type, as in WCF: node's soap sees none that the schema declares.
        own = {foreign[namespace]: namespace} if namespace in foreign else None
        copied = etree.SubElement(target, f"{{{XS}}}element", nsmap=own)
        for name in _PARTICLE:
            if name in particle.attrib:
                copied.set(name, particle.get(name, ""))
        copied.set("type", f"{(prefixes | foreign)[namespace]}:{local}")
