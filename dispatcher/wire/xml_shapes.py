"""Shapes of XML messages: one that differs from others before it in its texts alone is read by these.

Clients send the same elements in the same order again and again; what differs stands in the elements that have no
others inside. Of a message of a known shape no tree is made: its texts are found by one pass, and a function that was
written for its shape makes the values of them. Whatever is unusual, or wrong, is left to the reader and the decoder.

A message is of a shape if it is, to the letter, what is put together of the shape's pieces and the texts found. No text
has a tag, a reference, or a character that a parser would change or refuse; and a shape is learnt only of a message
that was right, and whose tags end beyond doubt (no comments, no CDATA, no ``>`` in an attribute).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from threading import Lock
from typing import Any, Generic, TypeVar

import orjson

from dispatcher.wire.compiled import compiled
from dispatcher.wire.quotas import Quotas
from dispatcher.wire.scalars import WrongValue
from dispatcher.wire.shape_writer import ShapeWriter, Unusual
from dispatcher.wire.xml_reader import SMALL_BYTES

#: What messages of a shape are for.
Meaning = TypeVar("Meaning")
#: The values in a message: made of its texts; dates without a zone are in the zone given.
Read = Callable[[Sequence[str], tzinfo], list[Any]]

#: How often a shape is seen before it is learnt, which takes as long as reading 25 messages.
OFTEN = 20
#: How many tags a message with a shape has; how many all shapes that are known have together; how many are counted.
_MOST_TAGS, _MOST_KNOWN_TAGS, _MOST_COUNTED = 600, 20_000, 1_000
#: How many shapes are known that have the same number of tags: a message is compared with one after another.
_MOST_ALIKE = 32

#: The white space of XML, but for the carriage return, which a parser changes.
_BLANK = " \t\n"
_NAME = r"[A-Za-z_][A-Za-z0-9_.-]*(?::[A-Za-z_][A-Za-z0-9_.-]*)?"
_ATTRIBUTE = rf"""[ \t\n]+{_NAME}=(?:"[^"]*"|'[^']*')"""
_TAG = re.compile(rf"/{_NAME}|{_NAME}(?:{_ATTRIBUTE})*[ \t\n]*/?")
_DECLARATION = re.compile(r"\?xml [^?]*\?")
#: The opening tag of an element that has no others inside, and its text.
_LEAF = re.compile(r"(<[^/!?<>][^<>]*+(?<!/)>)[^<>]*+(?=</)")
#: Where such a text has been taken out.
_GAP = re.compile("(<>)")
_BACKSLASH = ord("\\")
#: What a parser changes or refuses, and what ends a tag.
_SPECIAL = re.compile("[\x00-\x08\x0b-\x1f&>\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class _Shape(Generic[Meaning]):
    charset: str | None
    #: How many tags it has.
    tags: int
    #: What stands before, between and behind its texts, with a gap in place of each of these.
    pieces: list[str]
    #: Finds what may be its texts.
    find: Callable[[str], re.Match[str] | None]
    read: Read
    meaning: Meaning

    def texts_of(self, message: str) -> Sequence[str] | None:
        """Return the texts of *message*; None if it has another shape, or its texts do not stand for themselves."""
        found = self.find(message)
        if found is None:
            return None
        texts = found.groups()
        whole = self.pieces.copy()
        whole[1::2] = texts
        return texts if "".join(whole) == message and _is_plain("".join(texts)) else None


class Shapes(Generic[Meaning]):
    """The shapes of the messages that have come to one place. Safe to share between threads."""

    def __init__(self, quotas: Quotas) -> None:
        self._most_bytes = min(SMALL_BYTES, quotas.message_bytes, quotas.string_chars, quotas.xml_name_chars)
        #: By charset and number of tags, those learnt last first.
        self._known: dict[tuple[str | None, int], list[_Shape[Meaning]]] = {}
        #: The one of the message before: the next is often like it.
        self._latest: _Shape[Meaning] | None = None
        self._counts: dict[int, int] = {}
        self._lock = Lock()

    def read(self, body: bytes, charset: str | None, zone: tzinfo) -> tuple[Meaning, list[Any]] | None:
        """Return what the message in *body* is for, and the values in it; None if it has to be read and decoded."""
        message = self._message(body)
        if message is None:
            return None
        shape = self._latest
        texts = shape.texts_of(message) if shape is not None and shape.charset == charset else None
        if texts is None:
            for shape in self._known.get((charset, message.count("<")), ()):
                texts = shape.texts_of(message)
                if texts is not None:
                    self._latest = shape
                    break
        if shape is None or texts is None:
            return None
        try:
            return shape.meaning, shape.read(texts, zone)
        except WrongValue:
            return None  # the decoder says where

    def learn(
        self, body: bytes, charset: str | None, root: Any, meaning: Meaning, write: Callable[[ShapeWriter], list[str]]
    ) -> None:
        """Note that the message in *body*, whose tree is *root*, was right; learn its shape if it has come often.

        *meaning* is what it is for, *write* has the values in it written. Only for what has been done: whoever has no
        rights teaches nothing.
        """
        message = self._message(body)
        tags = 0 if message is None else message.count("<")
        if message is None or not 0 < tags <= _MOST_TAGS:
            return
        if not self._comes_often(hash((charset, *message.replace("<", ">").split(">")[1::2]))):
            return
        pieces = _GAP.split(_LEAF.sub(r"\1<>", message))
        if any(shape.pieces == pieces for shape in self._known.get((charset, tags), ())):
            return  # it is known: the texts were unusual
        try:
            read = _read(message, root, write)
        except Unusual:
            return
        self._keep(_Shape(charset, tags, pieces, _find(pieces[::2]), read, meaning))

    def _keep(self, shape: _Shape[Meaning]) -> None:
        key = shape.charset, shape.tags
        with self._lock:
            self._known[key] = [shape, *self._known.pop(key, ())][:_MOST_ALIKE]
            while sum([tags * len(alike) for (_, tags), alike in self._known.items()]) > _MOST_KNOWN_TAGS:
                del self._known[next(iter(self._known))]

    def _message(self, body: bytes) -> str | None:
        """Return the text of *body*; None if it is none for which a shape could be known."""
        if len(body) > self._most_bytes or body[:1] != b"<":
            return None
        try:
            return body.decode()
        except UnicodeDecodeError:
            return None

    def _comes_often(self, mark: int) -> bool:
        with self._lock:
            count = self._counts.pop(mark, 0) + 1
            if count >= OFTEN:
                return True
            if len(self._counts) >= _MOST_COUNTED:
                self._counts.clear()
            self._counts[mark] = count
            return False


def _read(message: str, root: Any, write: Callable[[ShapeWriter], list[str]]) -> Read:
    """Return what makes the values of the texts of messages like this; it raises WrongValue.

    :raises Unusual: if there is no telling.
    """
    leaves = _leaves(message, root)
    writer = ShapeWriter(leaves)
    values = write(writer)
    lines = [*writer.lines, f"return [{', '.join(values)}]"]
    unexpected = [f"t[{place}]" for place in leaves.values() if place not in writer.texts]
    if unexpected:
        lines = [f"if ''.join([{', '.join(unexpected)}]).strip({_BLANK!r}):", "    raise WrongValue('')", *lines]
    source = "\n    ".join(["def read(t, zone):", *lines])
    return compiled(source, "read", writer.names | {"WrongValue": WrongValue})


def _leaves(message: str, root: Any) -> dict[Any, int]:
    """Return which text is that of an element, for those without others inside that have a closing tag.

    :raises Unusual: if what looks like a tag in *message* is something else, or may be.
    """
    parts = [part.split(">") for part in message[1:].split("<")]
    tags = [part[0] for part in parts]
    if _DECLARATION.fullmatch(tags[0]):
        del tags[0]
    if any(len(part) != 2 for part in parts) or not all(map(_TAG.fullmatch, tags)):
        raise Unusual
    opening = [place for place, tag in enumerate(tags) if not tag.startswith("/")]
    elements = zip(root.iter(), opening, strict=True)
    texts = [one for one, place in elements if not tags[place].endswith("/") and tags[place + 1].startswith("/")]
    return {element: number for number, element in enumerate(texts)}


def _find(pieces: Sequence[str]) -> Callable[[str], re.Match[str] | None]:
    """Return what finds the texts between *pieces*, by how long these are."""
    *lengths, last = map(len, pieces)
    pattern = "".join([f".{{{length - 1}}}+>([^<]*+)" for length in lengths]) + f".{{{last}}}+"
    return re.compile(pattern, re.DOTALL).fullmatch


def _is_plain(texts: str) -> bool:
    """Whether no parser would change or refuse any of *texts*, and none has the end of a tag."""
    if _BACKSLASH in orjson.dumps(texts):  # as JSON writes control characters, and besides only quotes and backslashes
        return not _SPECIAL.search(texts)
    return not ("&" in texts or ">" in texts or "\ufffe" in texts or "\uffff" in texts)
