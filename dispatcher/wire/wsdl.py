"""WSDL documents: how a service describes itself to SOAP clients, in the shape that WCF gives them.

The types come from Spyne's own interface document; messages, port type, bindings and service are written anew, because
.NET makes no usable proxy from Spyne's (contract section 8.9). SOAP 1.1 is the first binding: several clients
know no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree

from dispatcher.wire.operations import Operation, operations_of
from dispatcher.wire.types import DataContractEnum
from dispatcher.wire.xsd import WSDL, XS, Schema, schemas

from spyne import Application  # isort: skip
from spyne.interface.wsdl import Wsdl11  # isort: skip
from spyne.protocol.soap import Soap11  # isort: skip

SOAP_11 = "http://schemas.xmlsoap.org/wsdl/soap/"
SOAP_12 = "http://schemas.xmlsoap.org/wsdl/soap12/"
WSAW = "http://www.w3.org/2006/05/addressing/wsdl"
HTTP_TRANSPORT = "http://schemas.xmlsoap.org/soap/http"
#: Stands for the service's address until a request tells it; no client's Host header is ever kept.
_ADDRESS = "urn:address/"
#: The schema that declares nothing and imports all others.
_ALL = "all"


@dataclass(frozen=True, slots=True)
class WsdlNames:
    """The names that only the WSDL shows. ``soap_path`` is the SOAP address below the service's address."""

    service: str
    contract: str
    namespace: str = "http://tempuri.org/"
    soap_path: str = "soap"

    def action(self, operation: str) -> str:
        """Return the SOAP action of *operation*."""
        return f"{self.namespace}{self.contract}/{operation}"


class WsdlDocuments:
    """The documents of one service, built once; addresses are those of the service, ending in a slash."""

    def __init__(self, service: type[Any], names: WsdlNames) -> None:
        self._names = names
        operations = operations_of(service)
        self.schemas: Sequence[Schema] = schemas(
            _interface_of(service, names), list(operations), _enumerations(operations)
        )
        locations = {schema.namespace: f"{_ADDRESS}?xsd={schema.name}" for schema in self.schemas}
        writer = _Writer(names, list(operations))
        # Mono's svcutil reads the schema that is imported first a second time, and stops at what that declares, without
        # a word: so that one declares nothing, and leads to all others, which it knows by their addresses then.
        everything = f"{names.namespace}Schemas"
        imports = _import_all(f"{names.namespace}Imports", {everything: f"{_ADDRESS}?xsd={_ALL}", **locations})
        self._wsdl = _bytes(writer.definitions([imports]))
        self._single = _bytes(writer.definitions([schema.document() for schema in self.schemas]))
        self._xsd = {schema.name: _bytes(schema.document(locations)) for schema in self.schemas}
        self._xsd[_ALL] = _bytes(_import_all(everything, locations))

    def wsdl(self, address: str) -> bytes:
        """Return the WSDL that reads its types from ``?xsd=``."""
        return _at(self._wsdl, address)

    def single_wsdl(self, address: str) -> bytes:
        """Return the WSDL that holds its types itself."""
        return _at(self._single, address)

    def xsd(self, name: str, address: str) -> bytes | None:
        """Return the schema *name* (``xsd0`` and so on, ``all`` imports them); None if there is none."""
        found = self._xsd.get(name)
        return None if found is None else _at(found, address)

    def files(self, address: str) -> dict[str, bytes]:
        """Return every document by the name of its golden file."""
        service = self._names.service
        documents = {f"{service}.wsdl": self.wsdl(address), f"{service}.single.wsdl": self.single_wsdl(address)}
        return documents | {f"{service}.{name}.xsd": _at(content, address) for name, content in self._xsd.items()}

    def write(self, directory: Path, address: str) -> None:
        """Write every document into *directory*, which is made if need be."""
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in self.files(address).items():
            (directory / name).write_bytes(content)

    def check(self, directory: Path, address: str) -> list[str]:
        """Return the names of the files in *directory* that are missing or differ, sorted."""
        expected = self.files(address)
        return sorted(name for name, content in expected.items() if not _has(directory / name, content))


class _Writer:
    """Writes the parts of a WSDL that are the same whether its types are inside or not."""

    def __init__(self, names: WsdlNames, operations: Sequence[str]) -> None:
        self._names = names
        self._operations = operations

    def definitions(self, types: Sequence[etree._Element]) -> etree._Element:
        names = self._names
        prefixes = {"wsdl": WSDL, "xs": XS, "soap": SOAP_11, "soap12": SOAP_12, "wsaw": WSAW, "tns": names.namespace}
        root = etree.Element(
            f"{{{WSDL}}}definitions", name=names.service, targetNamespace=names.namespace, nsmap=prefixes
        )
        _child(root, WSDL, "types").extend(types)
        for operation in self._operations:
            self._message(root, f"{operation}_InputMessage", operation)
            self._message(root, f"{operation}_OutputMessage", f"{operation}Response")
        self._port_type(root)
        bindings = {"BasicHttpBinding": SOAP_11, "CustomBinding": SOAP_12}
        for kind, soap in bindings.items():
            self._binding(root, f"{kind}_{names.contract}", soap)
        service = _child(root, WSDL, "service", name=names.service)
        for kind, soap in bindings.items():
            name = f"{kind}_{names.contract}"
            port = _child(service, WSDL, "port", name=name, binding=f"tns:{name}")
            _child(port, soap, "address", location=_ADDRESS + names.soap_path)
        return root

    def _message(self, root: etree._Element, name: str, element: str) -> None:
        message = _child(root, WSDL, "message", name=f"{self._names.contract}_{name}")
        _child(message, WSDL, "part", name="parameters", element=f"tns:{element}")

    def _port_type(self, root: etree._Element) -> None:
        contract = self._names.contract
        port_type = _child(root, WSDL, "portType", name=contract)
        for name in self._operations:
            operation = _child(port_type, WSDL, "operation", name=name)
            for tag, message, suffix in (("input", "InputMessage", ""), ("output", "OutputMessage", "Response")):
                node = _child(operation, WSDL, tag)
                node.set(f"{{{WSAW}}}Action", self._names.action(name) + suffix)
                node.set("message", f"tns:{contract}_{name}_{message}")

    def _binding(self, root: etree._Element, name: str, soap: str) -> None:
        binding = _child(root, WSDL, "binding", name=name, type=f"tns:{self._names.contract}")
        _child(binding, soap, "binding", transport=HTTP_TRANSPORT)
        for one in self._operations:
            operation = _child(binding, WSDL, "operation", name=one)
            _child(operation, soap, "operation", soapAction=self._names.action(one), style="document")
            for tag in ("input", "output"):
                _child(_child(operation, WSDL, tag), soap, "body", use="literal")


def _interface_of(service: type[Any], names: WsdlNames) -> etree._Element:
    """Return Spyne's own WSDL of *service*, which is where the types are taken from."""
    application = Application(
        [service], tns=names.namespace, name=names.service, in_protocol=Soap11(), out_protocol=Soap11()
    )
    application.transport = HTTP_TRANSPORT
    document = Wsdl11(application.interface)
    document.build_interface_document(_ADDRESS)
    return etree.fromstring(document.get_interface_document())


def _enumerations(operations: dict[str, Operation]) -> dict[str, dict[str, int]]:
    """Return the members of every enumeration that the *operations* use, by its name."""
    found: dict[str, dict[str, int]] = {}
    seen: set[int] = set()
    pending = [part for one in operations.values() for part in (*(kind for _, kind in one.arguments), one.returns)]
    while pending:
        declared = pending.pop()
        if declared is None or id(declared) in seen:
            continue
        seen.add(id(declared))
        if issubclass(declared, DataContractEnum):
            found[declared.get_type_name()] = dict(declared.members)
        pending += getattr(declared, "_type_info", {}).values()
    return found


def _import_all(namespace: str, locations: dict[str, str]) -> etree._Element:
    schema = etree.Element(f"{{{XS}}}schema", targetNamespace=namespace, nsmap={"xs": XS})
    for imported, location in locations.items():
        _child(schema, XS, "import", schemaLocation=location, namespace=imported)
    return schema


def _child(parent: etree._Element, namespace: str, tag: str, /, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{namespace}}}{tag}", attributes)


def _bytes(root: etree._Element) -> bytes:
    etree.indent(root)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + etree.tostring(root, encoding="utf-8") + b"\n"


def _at(document: bytes, address: str) -> bytes:
    return document.replace(_ADDRESS.encode(), escape(address, {'"': "&quot;"}).encode())


def _has(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content
