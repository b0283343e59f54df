"""The XML reader: bytes to a tree, within the quotas, without DTDs and in the encodings that are allowed."""

from __future__ import annotations

import re
import threading
from functools import cache
from typing import Any, NoReturn
from xml.parsers import expat

from lxml import etree

from dispatcher.core.errors import BadRequest, QuotaExceeded
from dispatcher.wire.charsets import to_utf_8
from dispatcher.wire.quotas import Quotas

#: Up to this many elements the depth is measured in the finished tree, which is cheaper than a pass of its own.
_SMALL_ELEMENTS = 2_000
#: Up to this size names cannot be long enough, nor repeated often enough, to cost much.
SMALL_BYTES = 16_384
_DECLARATION = re.compile(rb"<\?xml\s[^>]{0,200}?\?>")
_ENCODING = re.compile(rb"""encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")


class _Parsers(threading.local):
    """One hardened parser per thread: lxml's parsers are locked while they work."""

    def __init__(self) -> None:
        self.parser = etree.XMLParser(
            encoding="utf-8",
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            huge_tree=False,
            recover=False,
            remove_comments=True,
            remove_pis=True,
            collect_ids=False,
        )


_parsers = _Parsers()


def read_xml(body: bytes, charset: str | None, quotas: Quotas, *, soap: bool) -> etree._Element:
    """Return the root element of the document in *body*, without comments and processing instructions.

    *charset* is the one of the Content-Type. With *soap* processing instructions are refused; without it a body of
    undeclared encoding that is not UTF-8 is read as Latin-1.

    :raises QuotaExceeded: if it is larger, deeper or wider than *quotas*.
    :raises BadRequest: if it is no well-formed XML, has a DOCTYPE, or an encoding that is unknown or contradictory.
    """
    if len(body) > quotas.message_bytes:
        raise QuotaExceeded(f"the message is larger than {quotas.message_bytes} bytes")
    text = to_utf_8(body, charset, latin_1=not soap, declared=_declared)
    if not text:
        raise BadRequest("the message is empty")
    small = not _needs_survey(text, quotas, soap=soap)
    if not small:
        _Survey(quotas, soap=soap).run(text)
    try:
        root = etree.fromstring(text, _parsers.parser)
    except etree.XMLSyntaxError as error:
        raise BadRequest(f"the XML cannot be read: {error.msg}") from None
    if small and _too_deep(quotas.xml_depth)(root):
        raise _excess("depth", quotas.xml_depth)
    if len(text) > quotas.string_chars and any(len(part) > quotas.string_chars for part in root.itertext()):
        raise _excess("characters of one string", quotas.string_chars)
    return root


def _excess(what: str, limit: int) -> QuotaExceeded:
    return QuotaExceeded(f"the XML exceeds the quota: {what}, at most {limit}")


@cache
def _too_deep(depth: int) -> Any:
    return etree.XPath("boolean(" + "/*" * (depth + 1) + ")")


def _needs_survey(text: bytes, quotas: Quotas, *, soap: bool) -> bool:
    """Whether lengths and counts cannot rule out an excess. Ordinary messages pay only for these counts."""
    elements = min(_SMALL_ELEMENTS, quotas.xml_elements)
    return (
        len(text) > min(SMALL_BYTES, quotas.xml_name_chars)
        or (len(text) > elements * len(b"<a/>") and text.count(b"<") > elements)
        or text.count(b"=") > quotas.xml_attributes
        or b"!DOCTYPE" in text
        or (soap and text.count(b"<?") > (_DECLARATION.match(text) is not None))
    )


class _Survey:
    """A streaming pass that builds nothing and stops at the first excess."""

    def __init__(self, quotas: Quotas, *, soap: bool) -> None:
        self._quotas = quotas
        self._depth = self._elements = self._name_chars = 0
        self._names: set[str] = set()
        self._parser = expat.ParserCreate("utf-8")
        self._parser.ordered_attributes = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._doctype
        if soap:
            # The declaration is none.
            self._parser.ProcessingInstructionHandler = self._instruction

    def run(self, text: bytes) -> None:
        """Pass over *text*.

        :raises QuotaExceeded: at the first excess.
        :raises BadRequest: if it is not well-formed, or has what is not accepted.
        """
        try:
            self._parser.Parse(text, True)
        except expat.ExpatError as error:
            raise BadRequest(f"the XML cannot be read: {error}") from None
        finally:
            # The parser holds methods of this object: the ring must not wait for the garbage collector.
            del self._parser

    def _start(self, name: str, attributes: list[str]) -> None:
        quotas = self._quotas
        self._depth += 1
        self._elements += 1
        if self._depth > quotas.xml_depth:
            raise _excess("depth", quotas.xml_depth)
        if self._elements > quotas.xml_elements:
            raise _excess("elements", quotas.xml_elements)
        if len(attributes) > 2 * quotas.xml_attributes:
            raise _excess("attributes of one element", quotas.xml_attributes)
        for new in {name, *attributes[::2]} - self._names:
            self._names.add(new)
            self._name_chars += len(new)
        if self._name_chars > quotas.xml_name_chars:
            raise _excess("characters of names", quotas.xml_name_chars)
        for attribute, value in zip(attributes[::2], attributes[1::2], strict=True):
            if len(value) > quotas.xml_namespace_chars and attribute.partition(":")[0] == "xmlns":
                raise _excess("characters of the name of a namespace", quotas.xml_namespace_chars)
        if any(len(value) > quotas.string_chars for value in attributes[1::2]):
            raise _excess("characters of one string", quotas.string_chars)

    def _end(self, _name: str) -> None:
        self._depth -= 1

    def _doctype(self, *_declaration: object) -> NoReturn:
        raise BadRequest("a DOCTYPE is not accepted")

    def _instruction(self, *_instruction: object) -> NoReturn:
        raise BadRequest("processing instructions are not accepted in SOAP")


def _declared(text: bytes) -> str | None:
    declaration = _DECLARATION.match(text)
    encoding = _ENCODING.search(declaration[0]) if declaration else None
    return encoding[1].decode() if encoding else None
