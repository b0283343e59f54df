"""Help pages: what a service's operations are and how their messages look, in WCF's form (contract section 8).

Everything on them is derived from the declared operations; the examples are written by the codecs themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from lxml import etree

from dispatcher.wire.json_codec import encode_json
from dispatcher.wire.operations import Operation
from dispatcher.wire.samples import Samples
from dispatcher.wire.xml_codec import encode_xml
from dispatcher.wire.xsd import SERIALIZATION, XS, Schema


@dataclass(frozen=True, slots=True)
class Message:
    """One direction of an operation: its examples and schemas, all empty for an empty body.

    ``head`` is an example of the headers that a request has of its own, and of its body.
    """

    direction: str
    xml: str = ""
    json: str = ""
    schemas: tuple[str, ...] = ()
    is_stream: bool = False
    head: str = ""

    @property
    def anchor(self) -> str:
        """What the anchors of its examples begin with."""
        return self.direction.lower()


class HelpPages:
    """The pages of one service. Base addresses end in a slash; they come from the request's Host header.

    *has_soap*: whether the operations are offered over SOAP, too.
    """

    def __init__(
        self,
        operations: Mapping[str, Operation],
        samples: Samples,
        schemas: Sequence[Schema],
        limits: Mapping[str, str],
        *,
        has_soap: bool = True,
    ) -> None:
        self._operations = operations
        self._samples = samples
        self._schemas = schemas
        self._limits = limits
        self._has_soap = has_soap
        # Help pages are deliberately no well-formed XML: PowerShell would parse them (contract section 5.1).
        templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._index = templates.get_template("help_list.html")
        self._operation = templates.get_template("help_operation.html")
        self._messages = {name: self._messages_of(one) for name, one in operations.items()}

    def index(self, base_uri: str) -> str:
        """Return the page that lists all operations, sorted by path; equal paths share one cell."""
        by_path = sorted(self._operations.values(), key=lambda one: (_path(one), one.route.verb))
        groups = [(path, list(group)) for path, group in groupby(by_path, key=_path)]
        return self._index.render(base_uri=base_uri, groups=groups, limits=self._limits, has_soap=self._has_soap)

    def operation(self, name: str, base_uri: str) -> str | None:
        """Return the page of the operation *name*, in any case; None if there is none."""
        found = next((one for one in self._operations.values() if one.name.lower() == name.lower()), None)
        if found is None:
            return None
        return self._operation.render(base_uri=base_uri, operation=found, messages=self._messages[found.name])

    def _messages_of(self, operation: Operation) -> tuple[Message, Message]:
        if operation.route.headers:
            request = Message("Request", is_stream=operation.route.is_stream, head=self._head_of(operation))
        else:
            request = self._message("Request", dict(operation.arguments).get(operation.route.body or ""))
        return request, self._message("Response", operation.returns, f"{operation.name}.Response")

    def _head_of(self, operation: Operation) -> str:
        samples = {name: self._samples.text(f"{operation.name}.{name}") for name in operation.route.headers}
        body = self._samples.text(f"{operation.name}.Request")
        samples["Content-Length"] = str(len(body.encode()))
        return "\n".join([*(f"{name}: {value}" for name, value in samples.items() if value), "", body])

    def _message(self, direction: str, declared: Any, called: str = "") -> Message:
        if declared is None:
            return Message(direction)
        sample = self._samples.of(declared, called)
        return Message(
            direction,
            xml=_indented_xml(etree.fromstring(encode_xml(declared, sample))),
            json=_indented_json(encode_json(declared, sample)),
            schemas=self._schemas_of(declared),
        )

    def _schemas_of(self, declared: Any) -> tuple[str, ...]:
        """Return the schema of *declared*, and those of the other namespaces that it needs."""
        namespace = declared.get_namespace()
        if namespace == XS:  # of primitives WCF shows the elements that they are written as
            namespace = SERIALIZATION
        root = self._extract(namespace, declared.get_type_name())
        others = _types_elsewhere(root)
        for position, other in enumerate(others):
            root.insert(position, root.makeelement(f"{{{XS}}}import", {"namespace": other}))
        return tuple(map(_indented_xml, [root, *(self._extract(other, *types) for other, types in others.items())]))

    def _extract(self, namespace: str, *type_names: str) -> etree._Element:
        schema = next(one for one in self._schemas if one.namespace == namespace)
        return schema.extract(*type_names)


def _path(operation: Operation) -> str:
    return operation.route.template.partition("?")[0]


def _types_elsewhere(root: etree._Element) -> dict[str, list[str]]:
    """Return the types of other namespaces than its own that the schema *root* refers to, by their namespace."""
    found: dict[str, list[str]] = {}
    for element in root.iter(f"{{{XS}}}element"):
        prefix, _, name = element.get("type", "").partition(":")
        namespace = element.nsmap.get(prefix, XS)
        if namespace not in (XS, root.get("targetNamespace")) and name not in found.setdefault(namespace, []):
            found[namespace].append(name)
    return found


def _indented_xml(root: etree._Element) -> str:
    if not len(root):
        etree.cleanup_namespaces(root)  # a primitive: the answer itself names no namespace that it does not use
    etree.indent(root)
    return etree.tostring(root, encoding="unicode")


def _indented_json(document: bytes) -> str:
    r"""Return *document* indented, its slashes escaped again: clients know dates by ``\/Date(``."""
    return json.dumps(json.loads(document), indent=2, ensure_ascii=False).replace("/", "\\/")
